"""Counts in SQLite, which one process at a time writes to."""

import sqlite3
from collections.abc import Sequence
from typing import Any, LiteralString

from smailor.database import plain
from smailor.database.plain import SqlitePlain
from smailor.errors import TemporaryFailure
from smailor.sending.store import DAY_SECONDS, Batch, Clock, Work, batch_of, prune_old

_MOST_VALUES = 500
_WRITE = (
    "INSERT INTO sending_counts (key, day, counts) VALUES (?, ?, ?)"
    " ON CONFLICT (key) DO UPDATE SET day = excluded.day, counts = excluded.counts"
)


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
                    driver.executemany(_WRITE, changed)
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
        for start in range(0, len(keys), _MOST_VALUES):
            part = keys[start : start + _MOST_VALUES]
            rows += driver.execute(_read(len(part)), part)
        (generation,) = driver.execute("SELECT generation FROM sending_terms").fetchone()
        return batch_of(keys, rows, self._clock(), generation)

    def prune(self, keep_days: int) -> None:
        """See `Store`."""
        prune_old(self.connection, int(self._clock()) // DAY_SECONDS - keep_days)

    def close(self) -> None:
        """Hang up."""
        self.connection.close()


def _read(count: int) -> LiteralString:
    return "SELECT key, counts FROM sending_counts WHERE key IN (" + plain.marks(count) + ")"  # noqa: S608 - marks
