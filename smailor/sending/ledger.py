"""What accounts have used, while one batch of requests is decided: pure values between the database's rows and rules.

A row holds everything that is counted for one key (such as `account:ada@example.com`): for each measure
("messages/hour") the number of its newest slot, followed by the counts of its slots, oldest first.
"""

from collections.abc import Mapping
from datetime import datetime

from smailor.sending import limits
from smailor.sending.limits import Limit, Usage


class Ledger:
    """The rows of one batch, all of them read, none of them written yet.

    Args:
        rows: what was kept under each key; an empty row where nothing was used yet.
        now: the moment of the whole batch.
    """

    def __init__(self, rows: Mapping[str, Mapping[str, list[int]]], now: datetime) -> None:
        self.now = now
        self._rows = {key: dict(row) for key, row in rows.items()}
        self._changed: set[str] = set()

    def usage(self, key: str, limit: Limit) -> Usage:
        """Return what is used of a limit now."""
        kept = self._rows[key].get(limit.measure)
        usage = Usage(kept[0], tuple(kept[1:])) if kept else None
        return limits.advance(usage, limit.window, self.now)

    def charge(self, key: str, limit: Limit, units: int) -> None:
        """Count so many units more, whether there is room for them or not."""
        usage = limits.charge(self.usage(key, limit), units)
        self._rows[key][limit.measure] = [usage.latest, *usage.counts]
        self._changed.add(key)

    def changed(self) -> dict[str, dict[str, list[int]]]:
        """Return the rows that have to be written, by key, in key order."""
        return {key: self._rows[key] for key in sorted(self._changed)}
