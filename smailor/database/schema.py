"""Bringing a database to the schema of this version, by Alembic, from code: no alembic.ini and no alembic command."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from smailor.database.engine import Database
from smailor.errors import SmailorError

MIGRATIONS = Path(__file__).parent / "migrations"


class SchemaOutdated(SmailorError):
    """The database is of another version than the program."""


def upgrade(database: Database, revision: str = "head") -> None:
    """Run the migrations that are missing, each in a transaction.

    Args:
        database: what to bring up to date.
        revision: where to stop.
    """
    with database.connection() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def downgrade(database: Database, revision: str) -> None:
    """Run migrations backwards; what a migration dropped comes back empty.

    Args:
        database: what to bring back.
        revision: where to stop; `base`: an empty database.
    """
    with database.connection() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.downgrade(config, revision)


def current(database: Database) -> str | None:
    """Return the revision that the database is of; None: it is empty."""
    with database.connection() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def check(database: Database) -> None:
    """Make sure that the database is of this program's version.

    Raises:
        SchemaOutdated: it is not; the text says which command mends it.
    """
    found, wanted = current(database), ScriptDirectory.from_config(_config()).get_current_head()
    if found != wanted:
        raise SchemaOutdated(
            f"the database is at revision {found}, the program at {wanted}: run smailor database upgrade"
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return config
