"""What is usual for an account: its busiest hour of each day, and whom it has written to before. Pure.

Whom it has written to is kept as a Bloom filter of 2 KiB over digests: it answers "never" for certain and "known" with
a small chance of error, which grows with the number of people known and is on the safe side: whoever writes to
thousands is not stopped for writing to new ones. No address can be read from it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

BYTES = 2048
HASHES = 4
KEPT_DAYS = 28
LEAST_DAYS = 3
"""Days with mail below which an account has no usual."""


@dataclass(frozen=True, slots=True)
class Habits:
    """Of one account.

    Attributes:
        hours: (number of the day, recipients in its busiest hour), oldest first; days without mail are not there.
        learnt: number of the day up to which recipients are in `known`.
        known: the filter.
    """

    hours: tuple[tuple[int, int], ...] = ()
    learnt: int = 0
    known: bytes = bytes(BYTES)

    def usual(self, today: int) -> float | None:
        """Return the recipients of the busiest hour before today; None: too few days to tell."""
        before = [most for day, most in self.hours if today - KEPT_DAYS <= day < today]
        return float(max(before)) if len(before) >= LEAST_DAYS else None

    def with_hour(self, today: int, recipients: int) -> "Habits":
        """Return the habits after an hour of so many recipients."""
        days = {day: most for day, most in self.hours if day >= today - KEPT_DAYS}
        if recipients <= days.get(today, 0):
            return self
        days[today] = recipients
        return replace(self, hours=tuple(sorted(days.items())))

    def knows(self, digest: bytes) -> bool:
        """Tell whether this recipient was, in all likelihood, written to before."""
        return all(self.known[place >> 3] & 1 << (place & 7) for place in _places(digest))

    def with_recipients(self, digests: Iterable[bytes], up_to: int) -> "Habits":
        """Return the habits after all recipients of the days up to one are known."""
        known = bytearray(self.known)
        for digest in digests:
            for place in _places(digest):
                known[place >> 3] |= 1 << (place & 7)
        return replace(self, known=bytes(known), learnt=up_to)


def _places(digest: bytes) -> Iterator[int]:
    """Yield the bits of a digest, which is as good as random: four of its two-byte words."""
    for start in range(0, 2 * HASHES, 2):
        yield int.from_bytes(digest[start : start + 2], "big") % (BYTES * 8)
