"""Short questions to the database straight through its driver: for a process that asks few kinds of them for every
message and has to stay small. SQLAlchemy would take ten times as long for each and 30 MB of memory in every worker.

`Rows` is what such a question needs, and `Database` has it, too: a question is written once, for both. Whatever writes
uses `Database`.
"""

import importlib
import re
import sqlite3
from collections import deque
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Protocol
from urllib.parse import quote

from smailor.database.connecting import BUSY_TIMEOUT_SECONDS, CONNECT_TIMEOUT_SECONDS, POSTGRESQL_OPTIONS
from smailor.errors import TemporaryFailure

MAX_IDLE = 5
"""Connections that are kept; more are opened while more threads ask at the same time."""

_NAMED = re.compile(r":(\w+)")


class Rows(Protocol):
    """Whatever answers a question with rows."""

    def rows(self, query: str, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        """Return the rows that a query finds.

        Args:
            query: SQL for both kinds of database, values named `:like_this` and nothing else with a colon or percent.
            values: by name.

        Raises:
            TemporaryFailure: the database does not answer.
        """


class Reader:
    """Asks questions and changes nothing. Used by many threads at once; not to be carried over a fork.

    Args:
        url: `sqlite:////absolute/path` or `postgresql://…`.
    """

    def __init__(self, url: str) -> None:
        self._driver: _Sqlite | _Postgresql
        self._driver = _Sqlite(url) if url.startswith("sqlite:") else _Postgresql(url)
        self._idle: deque[Any] = deque()

    def rows(self, query: str, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        """Return the rows that a query finds; see `Rows.rows`."""
        try:
            connection = self._idle.pop()
        except IndexError:
            return self._asked(self._open(), query, values)
        try:
            return self._asked(connection, query, values)
        except TemporaryFailure:
            # It may have died of old age, like the others: one more try, as if there had been none.
            self.close()
            return self._asked(self._open(), query, values)

    def close(self) -> None:
        """Close the connections that nobody uses."""
        while self._idle:
            self._idle.pop().close()

    def _open(self) -> Any:
        try:
            return self._driver.connect()
        except self._driver.failures as error:
            raise _no_answer(error) from error

    def _asked(self, connection: Any, query: str, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        try:
            found: list[tuple[Any, ...]] = connection.execute(self._driver.written(query), values).fetchall()
        except self._driver.failures as error:
            connection.close()
            raise _no_answer(error) from error
        except BaseException:
            connection.close()
            raise
        if len(self._idle) < MAX_IDLE:
            self._idle.append(connection)
        else:
            connection.close()
        return found


class _Sqlite:
    failures = (sqlite3.OperationalError,)

    def __init__(self, url: str) -> None:
        # mode=rw: a file that is not there is an error, not a new and empty database.
        self._uri = f"file:{quote(url.removeprefix('sqlite:///'))}?mode=rw"

    def connect(self) -> Any:
        connection = sqlite3.connect(
            self._uri, uri=True, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA query_only=ON")
        return connection

    @staticmethod
    def written(query: str) -> str:
        return query


class _Postgresql:
    def __init__(self, url: str) -> None:
        self._url = "postgresql://" + url.partition("://")[2]
        # Imported where it is needed only: it takes 20 MB.
        self._psycopg: Any = importlib.import_module("psycopg")
        self.failures = (self._psycopg.OperationalError, self._psycopg.InterfaceError)

    def connect(self) -> Any:
        return self._psycopg.connect(
            self._url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_SECONDS, options=POSTGRESQL_OPTIONS
        )

    @staticmethod
    @lru_cache(maxsize=100)
    def written(query: str) -> str:
        return _NAMED.sub(r"%(\1)s", query)


def _no_answer(error: Exception) -> TemporaryFailure:
    # What the driver said, for the operator's log: neither statement nor values, which may hold a person's data.
    reason = str(error).strip().partition("\n")[0] or type(error).__name__
    return TemporaryFailure(f"the database does not answer ({reason})")
