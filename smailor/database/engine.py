"""The database: one engine a process, transactions for use cases, the same behaviour on SQLite and PostgreSQL.

SQLite runs in WAL mode with synchronous=FULL: what was committed survives a power cut, as on PostgreSQL. Writers take
the write lock at BEGIN (BEGIN IMMEDIATE), because a transaction that reads first and writes later could otherwise fail
half-way with "database is locked".
"""

import functools
import math
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Dialect, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DataError, DBAPIError, InvalidatePoolError, OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from smailor.database.connecting import BUSY_TIMEOUT_SECONDS, CONNECT_TIMEOUT_SECONDS, POSTGRESQL_OPTIONS
from smailor.errors import InvalidInput, TemporaryFailure

PING_AFTER_SECONDS = 1.0
READS = ("SELECT", "WITH", "BEGIN")
"""How the statements of a reading block begin."""


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
                "connect_args": {"connect_timeout": CONNECT_TIMEOUT_SECONDS, "options": POSTGRESQL_OPTIONS},
            }
            # Under READ COMMITTED every query sees what is committed by then, in a transaction or not: reading needs no
            # BEGIN and no ROLLBACK, which take as long as a query.
            reading: dict[str, Any] = {"isolation_level": "AUTOCOMMIT"}
        else:
            # isolation_level None: the driver begins nothing by itself, the event below does.
            options = {"connect_args": {"timeout": BUSY_TIMEOUT_SECONDS, "isolation_level": None}}
            reading = {}
        self.url = url
        self.engine: Engine = create_engine(parsed, pool_size=pool_size, max_overflow=pool_size, **options)
        if self.dialect == "sqlite":
            event.listen(self.engine, "connect", _set_pragmas)
            event.listen(self.engine, "begin", _begin)
        else:
            event.listen(self.engine, "checkin", _note_use)
            event.listen(self.engine, "checkout", functools.partial(_ping, self.engine.dialect))
        event.listen(self.engine, "before_cursor_execute", _refuse_writing)
        self._reading = {"reading": True, **reading}

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
        with _session(self.engine.execution_options(immediate=True)) as session, session.begin():
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Run the block without the write lock; what would write is refused.

        On SQLite the block sees one state of the database, on PostgreSQL each query sees what is committed by then.

        Raises:
            TemporaryFailure: the database does not answer.
        """
        with _session(self.engine.execution_options(**self._reading)) as session:
            yield session

    def rows(self, query: str, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        """Return the rows that a query finds; see `smailor.database.reader.Rows`."""
        with self.reading() as session:
            return [tuple(row) for row in session.execute(text(query), values)]

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Run the block with a bare connection in one transaction: for migrations, which are no business of a session.

        Raises:
            TemporaryFailure: the database does not answer.
        """
        with _translated(), self.engine.execution_options(immediate=True).begin() as connection:
            yield connection

    def check(self) -> None:
        """Ask the database something trivial.

        Raises:
            TemporaryFailure: it does not answer.
        """
        with self.reading() as session:
            session.execute(text("SELECT 1"))

    def dispose(self) -> None:
        """Close all connections, such as before a fork."""
        self.engine.dispose()


@contextmanager
def _session(engine: Engine) -> Iterator[Session]:
    with _translated(), Session(engine, expire_on_commit=False) as session:
        yield session


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


def _refuse_writing(connection: Connection, cursor: object, statement: str, *rest: object) -> None:
    """Keep a block that reads from writing, which would stay on PostgreSQL, where nothing is rolled back."""
    del cursor, rest
    if connection.get_execution_options().get("reading") and not statement.lstrip().startswith(READS):
        raise TypeError(f"a reading block may not {statement.split(maxsplit=1)[0]}: use transaction()")


def _note_use(connection: object, record: ConnectionPoolEntry) -> None:
    del connection
    record.info["used"] = time.monotonic()


def _ping(dialect: Dialect, connection: Any, record: ConnectionPoolEntry, proxy: object) -> None:
    """Ask a connection that nobody used for a while whether it is still there; the pool replaces it where it is not.

    SQLAlchemy's own pool_pre_ping asks each time, which costs a page with ten queries as much as several more.
    """
    del proxy
    if time.monotonic() - record.info.get("used", math.inf) < PING_AFTER_SECONDS:
        return
    try:
        dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error as error:
        raise InvalidatePoolError from error


def _first_line(error: DBAPIError) -> str:
    """What the driver said, for the operator's log: neither statement nor values, which may hold a person's data."""
    return str(error.orig).strip().partition("\n")[0] or type(error.orig).__name__
