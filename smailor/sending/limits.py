"""Sliding limits as pure values: a window in slots, what was used in it, what is left and when more is left.

Whole slots are counted. A window of 60 minutes has 13 slots of 5 minutes: any 60 minutes touch at most 13 slots, so
no 60 minutes, wherever they begin, ever hold more than the limit; the price is that a slot is given back up to 5
minutes late. Nothing here reads a clock or a database, and nothing knows what is being counted.

The clock of the machine may be wrong. A time before the latest slot in use counts as that slot: after the clock was
set back nothing is forgotten, so no window is ever over its limit; less is free than could be, until the clock has
caught up. Only where the latest slot lies more than a day ahead (the clock had been in another year) does the count
move to the present time, as a whole, so that nobody waits a year.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

MAX_WAIT_FOR_CLOCK = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Window:
    """A sliding span of time, counted in whole slots.

    Attributes:
        name: as people say it after "per": "hour".
        slot_seconds: length of a slot.
        slots: how many are counted; one more than fit the span exactly.
    """

    name: str
    slot_seconds: int
    slots: int

    def slot(self, now: datetime) -> int:
        """Return the number of the slot in which a moment lies."""
        return int(now.timestamp()) // self.slot_seconds

    def start(self, slot: int) -> datetime:
        """Return the moment at which a slot begins."""
        return datetime.fromtimestamp(slot * self.slot_seconds, UTC)


HOUR = Window("hour", slot_seconds=300, slots=13)
DAY = Window("day", slot_seconds=3600, slots=25)
TODAY = Window("today", slot_seconds=86_400, slots=1)
"""A day of the calendar, in UTC: it does not slide, it begins anew at 00:00."""

MESSAGES = "messages"
RECIPIENTS = "recipients"


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many of something in any stretch of time as long as the window.

    Attributes:
        unit: what is counted, in the plural: "messages".
        window: over which time.
        maximum: how many.
    """

    unit: str
    window: Window
    maximum: int

    @property
    def measure(self) -> str:
        """The name under which the use is kept; the same for every maximum, so that a limit can change at once."""
        return f"{self.unit}/{self.window.name}"

    def __str__(self) -> str:
        return f"{self.maximum} {self.unit} {'today' if self.window is TODAY else f'per {self.window.name}'}"


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used in a window.

    Attributes:
        latest: number of the newest slot.
        counts: what was used in each slot, oldest first; the last one belongs to `latest`.
    """

    latest: int
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        """What was used in the whole window."""
        return sum(self.counts)


def advance(usage: Usage | None, window: Window, now: datetime) -> Usage:
    """Return the use as it stands now, with what has slid out of the window left off.

    Args:
        usage: as last kept; None: nothing was used yet.
        window: the one that it was counted in.
        now: the present moment, by the one clock that all counters of this database go by.
    """
    slot = window.slot(now)
    if usage is None:
        return Usage(slot, (0,) * window.slots)
    steps = slot - usage.latest
    if steps <= 0:
        ahead = window.start(usage.latest) - now
        if ahead <= MAX_WAIT_FOR_CLOCK:
            return usage
        return Usage(slot, (0,) * (window.slots - 1) + (usage.total,))
    return Usage(slot, (usage.counts + (0,) * min(steps, window.slots))[-window.slots :])


def charge(usage: Usage, units: int) -> Usage:
    """Return the use with so many units more in its newest slot."""
    return Usage(usage.latest, (*usage.counts[:-1], usage.counts[-1] + units))


def room(limit: Limit, usage: Usage) -> int:
    """Return how many units are left now; never negative, also where the limit was lowered below the use."""
    return max(limit.maximum - usage.total, 0)


def free_at(limit: Limit, usage: Usage, units: int) -> datetime | None:
    """Return when so many units, which do not fit now, will fit, provided that nothing else is used until then.

    Args:
        limit: the limit that stands in the way.
        usage: what is used of it, advanced to now.
        units: how many are wanted.

    Returns:
        The start of the slot in which they are free; None: never, more are wanted than the limit allows at all.
    """
    left = usage.total
    oldest = usage.latest - limit.window.slots + 1
    for index, count in enumerate(usage.counts):
        left -= count
        if left + units <= limit.maximum:
            return limit.window.start(oldest + index + limit.window.slots)
    return None
