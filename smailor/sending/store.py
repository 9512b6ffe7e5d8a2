"""Where counts are kept: the rows of many keys locked, handed to a piece of work, written and committed.

A batch locks the rows of all its keys (PostgreSQL: SELECT … FOR UPDATE in key order; SQLite: BEGIN IMMEDIATE), lets the
work decide on what they hold, writes and commits. So two daemons, or ten hosts, on one database never count past each
other, and what was answered after the commit survives a crash. All counters of one database go by one clock:
PostgreSQL's own, or, as SQLite never leaves its machine, the machine's. No limit is known here.

Its two kinds talk to the drivers themselves: this is the path on which SQLAlchemy would cost more than the work.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString, Protocol, TypeAlias

from smailor.database import plain
from smailor.sending.tally import SLOT_SECONDS, Tally

Clock: TypeAlias = Callable[[], float]
"""Seconds since 1970, in place of the store's own clock: for tests."""
Work: TypeAlias = "Callable[[Batch], Iterable[str]]"
"""Returns the keys whose rows it changed; what it raises undoes the transaction."""

DAY_SECONDS = 86_400


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


def batch_of(keys: Sequence[str], rows: Iterable[tuple[Any, ...]], now: float, generation: int) -> Batch:
    """Return what the work sees: of the rows that are kept, and new ones for all other keys."""
    kept = {key: bytes(counts) for key, counts in rows}
    tallies = {key: Tally(kept.get(key)) for key in keys}
    slot = int(now) // SLOT_SECONDS
    for tally in tallies.values():
        tally.advance(slot)
    return Batch(tallies, now, generation)


def prune_old(connection: plain.Plain, before: int, lock: LiteralString = "") -> None:
    """Delete; a row that somebody uses just now is left for another time (PostgreSQL)."""
    old = "SELECT key FROM sending_counts WHERE day < ? LIMIT 1000" + lock  # noqa: S608
    connection.rows("DELETE FROM sending_counts WHERE key IN (" + old + ")", (before,))  # noqa: S608 - all ours
    connection.rows("DELETE FROM sending_recipients WHERE day < ?", (before,))
