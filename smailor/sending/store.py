"""Where counts are kept: the rows of many keys locked, handed to a piece of work, written and committed.

A batch locks the rows of all its keys (PostgreSQL: SELECT … FOR UPDATE in key order; SQLite: BEGIN IMMEDIATE), lets the
work decide on what they hold, writes and commits. So two daemons, or ten hosts, on one database never count past each
other, and what was answered after the commit survives a crash. All counters of one database go by one clock:
PostgreSQL's own, or, as SQLite never leaves its machine, the machine's. No limit is known here.

Written for the drivers themselves: this is the path on which SQLAlchemy would cost more than the work.
"""

import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString, Protocol, TypeAlias

import psycopg

from smailor.database import plain
from smailor.database.plain import PostgresqlPlain, SqlitePlain
from smailor.errors import TemporaryFailure
from smailor.sending.tally import SLOT_SECONDS, Tally

Clock: TypeAlias = Callable[[], float]
"""Seconds since 1970, in place of the store's own clock: for tests."""
Work: TypeAlias = "Callable[[Batch], Iterable[str]]"
"""Returns the keys whose rows it changed; what it raises undoes the transaction."""

_SQLITE_VALUES = 500
_DAY_SECONDS = 86_400
_WRITE_SQLITE = (
    "INSERT INTO sending_counts (key, day, counts) VALUES (?, ?, ?)"
    " ON CONFLICT (key) DO UPDATE SET day = excluded.day, counts = excluded.counts"
)
_READ_POSTGRESQL = "SELECT key, counts FROM sending_counts WHERE key = ANY(%s) ORDER BY key"
_NOW_POSTGRESQL = "SELECT extract(epoch FROM clock_timestamp())::float8, generation FROM sending_terms"
_UPDATE_POSTGRESQL = (
    "UPDATE sending_counts SET day = new.day, counts = new.counts"
    " FROM unnest(%s::text[], %s::int[], %s::bytea[]) AS new (key, day, counts) WHERE sending_counts.key = new.key"
)
_INSERT_POSTGRESQL = (
    "INSERT INTO sending_counts (key, day, counts) SELECT * FROM unnest(%s::text[], %s::int[], %s::bytea[])"
)


@dataclass(frozen=True, slots=True)
class Batch:
    """What the work sees.

    Attributes:
        tallies: by key, advanced to now.
        now: seconds since 1970 by the store's clock, asked after all rows were locked.
        generation: of the terms, as of this transaction.
    """

    tallies: dict[str, Tally]
    now: float
    generation: int


class Store(Protocol):
    """One connection, used by one thread.

    Attributes:
        transactions: how many were begun.
    """

    transactions: int

    @property
    def connection(self) -> plain.Plain:
        """To read by, between two transactions."""

    def transact(self, keys: Sequence[str], work: Work) -> None:
        """Run the work on the rows of the keys, in one transaction; without keys it only sees time and generation.

        Args:
            keys: in order, none twice.
            work: decides.

        Raises:
            TemporaryFailure: the database does not answer. Whether the work was committed is not known then.
        """

    def peek(self, keys: Sequence[str]) -> Batch:
        """Return the rows of the keys as they are, unlocked.

        Raises:
            TemporaryFailure: the database does not answer.
        """

    def prune(self, keep_days: int) -> None:
        """Delete what was last counted more than so many days ago; of much, a part.

        Raises:
            TemporaryFailure: the database does not answer.
        """

    def close(self) -> None:
        """Hang up."""


def open_store(url: str, clock: Clock | None = None) -> Store:
    """Return the store of a database; it connects with its first transaction.

    Args:
        url: as in the configuration.
        clock: in place of the store's own.
    """
    connection = plain.connect(url)
    if isinstance(connection, SqlitePlain):
        return SqliteStore(connection, clock or time.time)
    return PostgresqlStore(connection, clock)


def _batch(keys: Sequence[str], rows: Iterable[tuple[Any, ...]], now: float, generation: int) -> Batch:
    kept = {key: bytes(counts) for key, counts in rows}
    tallies = {key: Tally(kept.get(key)) for key in keys}
    slot = int(now) // SLOT_SECONDS
    for tally in tallies.values():
        tally.advance(slot)
    return Batch(tallies, now, generation)


class SqliteStore:
    """Counts in SQLite; see `Store`."""

    def __init__(self, connection: SqlitePlain, clock: Clock) -> None:
        self.transactions = 0
        self.connection = connection
        self._clock = clock

    def transact(self, keys: Sequence[str], work: Work) -> None:
        """See `Store`."""
        self.transactions += 1
        driver = self.connection.open()
        try:
            driver.execute("BEGIN IMMEDIATE")
            try:
                batch = self._read(driver, keys)
                changed = [(key, batch.tallies[key].day, batch.tallies[key].packed()) for key in work(batch)]
                if changed:
                    driver.executemany(_WRITE_SQLITE, changed)
                driver.execute("COMMIT")
            except BaseException:
                if driver.in_transaction:
                    driver.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            self.connection.close()
            raise TemporaryFailure(f"the database does not answer ({error})") from error

    def peek(self, keys: Sequence[str]) -> Batch:
        """See `Store`."""
        self.transactions += 1
        driver = self.connection.open()
        try:
            driver.execute("BEGIN")
            try:
                return self._read(driver, keys)
            finally:
                driver.execute("ROLLBACK")
        except sqlite3.Error as error:
            self.connection.close()
            raise TemporaryFailure(f"the database does not answer ({error})") from error

    def _read(self, driver: sqlite3.Connection, keys: Sequence[str]) -> Batch:
        rows: list[tuple[Any, ...]] = []
        for start in range(0, len(keys), _SQLITE_VALUES):
            part = keys[start : start + _SQLITE_VALUES]
            rows += driver.execute(_read_sqlite(len(part)), part)
        (generation,) = driver.execute("SELECT generation FROM sending_terms").fetchone()
        return _batch(keys, rows, self._clock(), generation)

    def prune(self, keep_days: int) -> None:
        """See `Store`."""
        _prune(self.connection, int(self._clock()) // _DAY_SECONDS - keep_days)

    def close(self) -> None:
        """Hang up."""
        self.connection.close()


def _read_sqlite(count: int) -> LiteralString:
    return "SELECT key, counts FROM sending_counts WHERE key IN (" + plain.marks(count) + ")"  # noqa: S608 - marks


class PostgresqlStore:
    """Counts in PostgreSQL; see `Store`. Two round trips a transaction."""

    def __init__(self, connection: PostgresqlPlain, clock: Clock | None) -> None:
        self.transactions = 0
        self.connection = connection
        self._clock = clock

    def transact(self, keys: Sequence[str], work: Work) -> None:
        """See `Store`."""
        while not self._transact(keys, work):
            pass

    def _transact(self, keys: Sequence[str], work: Work) -> bool:
        """Return False where another writer added one of our rows first: it has to be locked then, from the start.

        New rows are added after all old ones are locked, in key order: whoever waits for a row to be added holds no
        lock that somebody who still collects old rows could wait for, so nobody waits in a circle.
        """
        self.transactions += 1
        driver = self.connection.open()
        try:
            try:
                batch, known = self._read(driver, keys, lock=True)
                changed = sorted(work(batch))
                with driver.pipeline():
                    for statement, part in (
                        (_UPDATE_POSTGRESQL, [key for key in changed if key in known]),
                        (_INSERT_POSTGRESQL, [key for key in changed if key not in known]),
                    ):
                        if part:
                            tallies = [batch.tallies[key] for key in part]
                            values = (part, [tally.day for tally in tallies], [tally.packed() for tally in tallies])
                            driver.execute(statement, values, prepare=True, binary=True)
                    driver.execute("COMMIT")
            except psycopg.errors.UniqueViolation:
                driver.execute("ROLLBACK")
                return False
            except psycopg.Error:
                raise
            except BaseException:
                driver.execute("ROLLBACK")
                raise
        except psycopg.Error as error:
            self.connection.close()
            raise plain.failure(error) from error
        return True

    def peek(self, keys: Sequence[str]) -> Batch:
        """See `Store`."""
        self.transactions += 1
        driver = self.connection.open()
        try:
            batch, _ = self._read(driver, keys, lock=False)
        except psycopg.Error as error:
            self.connection.close()
            raise plain.failure(error) from error
        return batch

    def _read(self, driver: "psycopg.Connection[Any]", keys: Sequence[str], *, lock: bool) -> tuple[Batch, set[str]]:
        counts, moment = driver.cursor(binary=True), driver.cursor(binary=True)
        with driver.pipeline():
            if lock:
                driver.execute("BEGIN")
                counts.execute(_READ_POSTGRESQL + " FOR UPDATE", (list(keys),), prepare=True)
            else:
                counts.execute(_READ_POSTGRESQL, (list(keys),), prepare=True)
            moment.execute(_NOW_POSTGRESQL, prepare=True)
        rows = counts.fetchall()
        ((now, generation),) = moment.fetchall()
        batch = _batch(keys, rows, self._clock() if self._clock else now, generation)
        return batch, {row[0] for row in rows}

    def prune(self, keep_days: int) -> None:
        """See `Store`."""
        _prune(self.connection, int(self.peek(()).now) // _DAY_SECONDS - keep_days, " FOR UPDATE SKIP LOCKED")

    def close(self) -> None:
        """Hang up."""
        self.connection.close()


def _prune(connection: plain.Plain, before: int, lock: LiteralString = "") -> None:
    """Delete; a row that somebody uses just now is left for another time (PostgreSQL)."""
    old = "SELECT key FROM sending_counts WHERE day < ? LIMIT 1000" + lock  # noqa: S608
    connection.rows("DELETE FROM sending_counts WHERE key IN (" + old + ")", (before,))  # noqa: S608 - all ours
    connection.rows("DELETE FROM sending_recipients WHERE day < ?", (before,))
