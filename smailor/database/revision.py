"""Which schema a database has and which one the program wants. Without Alembic, which every start would pay for."""

from sqlalchemy import inspect, text

from smailor.database.engine import Database
from smailor.database.migrations import VERSIONS
from smailor.errors import SmailorError


class SchemaOutdated(SmailorError):
    """The database is of another version than the program."""


def head() -> str:
    """Return the program's revision: migrations are numbered files, and the last one is the head."""
    return max(path.name.partition("_")[0] for path in VERSIONS.glob("[0-9]*.py"))


def current(database: Database) -> str | None:
    """Return the revision that the database is of; None: it is empty.

    Raises:
        TemporaryFailure: the database does not answer.
    """
    with database.connection() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return revision


def check(database: Database) -> None:
    """Make sure that the database is of this program's version.

    Raises:
        SchemaOutdated: it is not; the text says which command mends it.
        TemporaryFailure: the database does not answer.
    """
    found, wanted = current(database), head()
    if found != wanted:
        raise SchemaOutdated(
            f"the database has schema {found}, the program needs {wanted}: run smailor database upgrade"
        )
