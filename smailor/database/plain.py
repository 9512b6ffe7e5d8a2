"""A bare connection to the database, for the few paths where SQLAlchemy costs more time or memory than the work itself.

Statements are written once, with `?` for values; no other question mark may stand in them. Rows are tuples; a time
comes back as PostgreSQL's aware datetime or as SQLite's text. One thread uses one connection, which opens by itself,
and again after a failure. The same guarantees as `smailor.database.engine` gives: WAL, synchronous=FULL, lock timeouts.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any, LiteralString, Protocol, TypeAlias
from urllib.parse import quote, unquote, urlsplit

import psycopg

from smailor.database.connecting import BUSY_TIMEOUT_SECONDS, CONNECT_TIMEOUT_SECONDS, POSTGRESQL_OPTIONS
from smailor.errors import ConfigError, TemporaryFailure

Row: TypeAlias = tuple[Any, ...]


class Plain(Protocol):
    """One connection; `dialect` is `sqlite` or `postgresql`."""

    dialect: str

    def rows(self, statement: LiteralString, values: Sequence[Any] = ()) -> list[Row]:
        """Run one statement, committed by itself unless a transaction was begun, and return its rows, if any.

        Raises:
            TemporaryFailure: the database does not answer; the connection is closed, the next statement opens another.
        """

    def close(self) -> None:
        """Hang up."""


def connect(url: str) -> "SqlitePlain | PostgresqlPlain":
    """Return a connection that opens with its first statement.

    Args:
        url: as in the configuration.

    Raises:
        ConfigError: neither SQLite nor PostgreSQL.
    """
    scheme = urlsplit(url).scheme.partition("+")[0]
    if scheme == "sqlite":
        return SqlitePlain(unquote(url.partition(":///")[2].partition("?")[0]))
    if scheme in {"postgresql", "postgres"}:
        return PostgresqlPlain("postgresql:" + url.partition(":")[2])
    raise ConfigError(f"database url: neither sqlite nor postgresql: {scheme}")


def marks(count: int) -> LiteralString:
    """Return so many marks for a list of values: `?,?,?`."""
    return ",".join(["?"] * count)


class SqlitePlain:
    """A connection to SQLite; see `Plain`."""

    dialect = "sqlite"

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def open(self) -> sqlite3.Connection:
        """Return the driver's connection.

        Raises:
            TemporaryFailure: it cannot be opened.
        """
        if self._connection is None:
            try:
                # mode=rw: a file that is not there is an error, not a new and empty database.
                connection = sqlite3.connect(
                    f"file:{quote(self._path)}?mode=rw",
                    uri=True,
                    timeout=BUSY_TIMEOUT_SECONDS,
                    isolation_level=None,
                    check_same_thread=False,
                )
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=FULL")
                connection.execute("PRAGMA foreign_keys=ON")
            except sqlite3.Error as error:
                raise TemporaryFailure(f"the database does not answer ({error})") from error
            self._connection = connection
        return self._connection

    def rows(self, statement: LiteralString, values: Sequence[Any] = ()) -> list[Row]:
        """See `Plain`."""
        connection = self.open()
        try:
            return connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            self.close()
            raise TemporaryFailure(f"the database does not answer ({error})") from error

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class PostgresqlPlain:
    """A connection to PostgreSQL; see `Plain`."""

    dialect = "postgresql"

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection[Row] | None = None

    def open(self) -> "psycopg.Connection[Row]":
        """Return the driver's connection.

        Raises:
            TemporaryFailure: it cannot be opened.
        """
        if self._connection is None or self._connection.closed:
            try:
                self._connection = psycopg.connect(
                    self._url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_SECONDS, options=POSTGRESQL_OPTIONS
                )
            except psycopg.Error as error:
                raise failure(error) from error
        return self._connection

    def rows(self, statement: LiteralString, values: Sequence[Any] = ()) -> list[Row]:
        """See `Plain`."""
        connection = self.open()
        try:
            cursor = connection.execute(statement.replace("%", "%%").replace("?", "%s"), values)
            return cursor.fetchall() if cursor.description else []
        except psycopg.Error as error:
            self.close()
            raise failure(error) from error

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def failure(error: psycopg.Error) -> TemporaryFailure:
    """Return the house's own error for the driver's."""
    reason = str(error).strip().partition("\n")[0] or type(error).__name__
    return TemporaryFailure(f"the database does not answer ({reason})")
