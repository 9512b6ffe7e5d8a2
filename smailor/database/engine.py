"""The database: one engine a process, transactions for use cases, the same behaviour on SQLite and PostgreSQL.

SQLite runs in WAL mode with synchronous=FULL: what was committed survives a power cut, as on PostgreSQL. Writers take
the write lock at BEGIN (BEGIN IMMEDIATE), because a transaction that reads first and writes later could otherwise fail
half-way with "database is locked".
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DataError, DBAPIError, OperationalError
from sqlalchemy.orm import Session

from smailor.database.connecting import BUSY_TIMEOUT_SECONDS, CONNECT_TIMEOUT_SECONDS, POSTGRESQL_OPTIONS
from smailor.errors import InvalidInput, TemporaryFailure


class Database:
    """An engine and the two ways to use it.

    Args:
        url: `sqlite:////absolute/path` or `postgresql://…`.
        pool_size: connections kept; as many again may be opened for a moment.
    """

    def __init__(self, url: str, *, pool_size: int = 5) -> None:
        parsed = make_url(url)
        if parsed.get_backend_name() == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
            options: dict[str, Any] = {
                "pool_pre_ping": True,
                "connect_args": {"connect_timeout": CONNECT_TIMEOUT_SECONDS, "options": POSTGRESQL_OPTIONS},
            }
        else:
            # isolation_level None: the driver begins nothing by itself, the event below does.
            options = {"connect_args": {"timeout": BUSY_TIMEOUT_SECONDS, "isolation_level": None}}
        self.url = url
        self.engine: Engine = create_engine(parsed, pool_size=pool_size, max_overflow=pool_size, **options)
        if self.dialect == "sqlite":
            event.listen(self.engine, "connect", _set_pragmas)
            event.listen(self.engine, "begin", _begin)

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.engine.dialect.name

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Run the block in one transaction: committed at its end, rolled back on any error.

        Raises:
            TemporaryFailure: the database does not answer or is locked for too long.
        """
        with self._session(immediate=True) as session, session.begin():
            yield session

    @contextmanager
    def snapshot(self) -> Iterator[Session]:
        """Run the block on one consistent state of the database without the write lock; nothing is kept.

        Raises:
            TemporaryFailure: the database does not answer.
        """
        with self._session(immediate=False) as session:
            yield session

    def rows(self, query: str, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        """Return the rows that a query finds; see `smailor.database.reader.Rows`."""
        with self.snapshot() as session:
            return [tuple(row) for row in session.execute(text(query), values)]

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Run the block with a bare connection in one transaction: for migrations, which are no business of a session.

        Raises:
            TemporaryFailure: the database does not answer.
        """
        with _translated(), self.engine.execution_options(immediate=True).begin() as connection:
            yield connection

    @contextmanager
    def _session(self, *, immediate: bool) -> Iterator[Session]:
        engine = self.engine.execution_options(immediate=immediate)
        with _translated(), Session(engine, expire_on_commit=False) as session:
            yield session

    def check(self) -> None:
        """Ask the database something trivial.

        Raises:
            TemporaryFailure: it does not answer.
        """
        with self.snapshot() as session:
            session.execute(text("SELECT 1"))

    def dispose(self) -> None:
        """Close all connections, such as before a fork."""
        self.engine.dispose()


@contextmanager
def _translated() -> Iterator[None]:
    """Say in the house's own errors that the database does not answer (callers make a 451 of it) or cannot hold this.

    PostgreSQL refuses a NUL in a text, SQLite keeps it: what should have been refused before is so at least here.
    """
    try:
        yield
    except DataError as error:
        raise InvalidInput("text", "has a character, length or size that cannot be kept") from error
    except DBAPIError as error:
        if isinstance(error, OperationalError) or error.connection_invalidated:
            raise TemporaryFailure(f"the database does not answer ({_first_line(error)})") from error
        raise


def _set_pragmas(connection: sqlite3.Connection, record: object) -> None:
    del record
    connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_SECONDS * 1000}")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin(connection: Connection) -> None:
    immediate = connection.get_execution_options().get("immediate", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _first_line(error: DBAPIError) -> str:
    """What the driver said, for the operator's log: neither statement nor values, which may hold a person's data."""
    return str(error.orig).strip().partition("\n")[0] or type(error.orig).__name__
