"""Leases: units that were charged in the store beforehand, to be spent from memory. Values and arithmetic, no I/O.

A lease belongs to one key. What it holds was counted in one slot of five minutes, and is spent before that slot ends:
so a unit never counts for less time than its message was sent in. It lives two seconds, so that what an idle daemon
holds is free again soon; up to thirty where it holds little of what is left, so that who sends every few seconds is
answered from memory too. A daemon that is killed leaves what it held charged until that slides out: less may be sent
then, never more.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from typing import Final, NamedTuple

from smailor.sending import limits
from smailor.sending.decision import Decision, limit_reached, warm_up_reached
from smailor.sending.limits import Limit
from smailor.sending.tally import SLOT_SECONDS, Tally, measure_index
from smailor.sending.terms import Applied, Terms

LIFE_SECONDS: Final = 2.0
LONGEST_SECONDS: Final = 30.0
RENEWED_AFTER: Final = 0.75
"""Of its life: renewed then, while there is still something to spend."""
SHARE: Final = 4
"""No daemon takes more than one part in so many of what is left; so the last units are asked for one by one."""
LITTLE: Final = 64
"""A lease that lives longer than two seconds takes one part in so many at most."""
LOW: Final = 4
"""A lease is renewed early when only one part in so many is left of it."""
FULL_SECONDS: Final = 0.5
"""A refusal is repeated from memory for so long, or until the next slot, where more may be free."""
_SHORTEST_AGE: Final = 0.05
_WORTH: Final = 16
"""Messages for which a lease should do, or each would cost nearly as much as without."""
_NEWCOMERS: Final = 3
"""Messages for whom nothing is known of: who sends one often sends another."""
_SPARE: Final = 1.5
_TOO_SHORT: Final = 0.1


class Cap(NamedTuple):
    """One limit, made ready.

    Attributes:
        place: of its measure.
        maximum: how much.
        limit: for the words.
        warm_up: as in `Applied`.
    """

    place: int
    maximum: int
    limit: Limit
    warm_up: bool


class Wanted(NamedTuple):
    """What would do for a life.

    Attributes:
        messages: how many; with `recipients`.
        seconds: the life.
    """

    messages: int
    recipients: int
    seconds: float


class Owed(NamedTuple):
    """Units to be given back: counted on a key in a slot, and not sent."""

    key: str
    messages: int
    recipients: int
    slot: int


class Lease:
    """What is held of one key.

    Attributes:
        key: of the row.
        named: whose it is, in words; empty: as the key has it.
        caps: the limits that hold, in order.
        messages: left to spend; with `recipients`.
        slot: in which that was counted.
        until: monotonic time after which nothing may be spent.
        renew_at: monotonic time after which it should be renewed.
        renewing: whether that was asked for.
        low_messages: it should be renewed as well when no more are left; with `low_recipients`.
        spent_messages: since `since` (monotonic time; 0: never), for the rate; with `spent_recipients`.
        refusal: given until `refused_until` to messages with `refused_recipients` or more.
    """

    __slots__ = (
        "caps",
        "key",
        "low_messages",
        "low_recipients",
        "messages",
        "named",
        "recipients",
        "refusal",
        "refused_recipients",
        "refused_until",
        "renew_at",
        "renewing",
        "since",
        "slot",
        "spent_messages",
        "spent_recipients",
        "until",
    )

    def __init__(self, key: str, named: str, caps: tuple[Cap, ...]) -> None:
        self.key, self.named, self.caps = key, named, caps
        self.messages = self.recipients = self.spent_messages = self.spent_recipients = self.slot = 0
        self.low_messages = self.low_recipients = -1
        self.until = self.renew_at = self.since = self.refused_until = 0.0
        self.renewing = False
        self.refusal: Decision | None = None
        self.refused_recipients = 0

    @property
    def of(self) -> str:
        """Whose it is, in words."""
        return self.named or self.key.partition(":")[2]

    def take_out(self) -> Owed | None:
        """Empty it; what it held is to be given back."""
        if not self.messages and not self.recipients:
            return None
        owed = Owed(self.key, self.messages, self.recipients, self.slot)
        self.messages = self.recipients = 0
        return owed

    def wanted(self, now: float, messages: int, recipients: int) -> Wanted:
        """Return how much would do for a life at the present rate, and half as much more.

        Args:
            now: monotonic time.
            messages: sent just now, and not yet among those spent.
            recipients: the same.
        """
        age = now - self.since
        if not self.since or age > LONGEST_SECONDS:
            return Wanted(_NEWCOMERS, _NEWCOMERS * ceil(recipients / max(messages, 1)), LONGEST_SECONDS)
        age = max(age, _SHORTEST_AGE)
        messages += self.spent_messages
        recipients += self.spent_recipients
        seconds = min(max(_WORTH * age / max(messages, 1), LIFE_SECONDS), LONGEST_SECONDS)
        factor = _SPARE * seconds / age
        return Wanted(ceil(messages * factor), ceil(recipients * factor), seconds)

    def grant(self, tally: Tally, wanted: Wanted) -> Wanted:
        """Return how much of what is wanted may be held; the life is shorter where that would be too much for it."""
        room = self.room(tally)
        if wanted.messages <= room[0] // LITTLE and wanted.recipients <= room[1] // LITTLE:
            return wanted
        part = LIFE_SECONDS / wanted.seconds
        return Wanted(
            min(ceil(wanted.messages * part), room[0] // SHARE),
            min(ceil(wanted.recipients * part), room[1] // SHARE),
            LIFE_SECONDS,
        )

    def shortage(self, tally: Tally, recipients: int) -> Decision | None:
        """Return the refusal of a message with so many recipients, if one of the limits has no room for it."""
        for cap in self.caps:
            units = recipients if cap.place & 1 else 1
            if tally.totals[cap.place] + units > cap.maximum:
                if cap.warm_up:
                    return warm_up_reached(cap.limit, self.of)
                return limit_reached(cap.limit, self.of, limits.free_at(cap.limit, tally.usage(cap.limit), units))
        return None

    def room(self, tally: Tally) -> tuple[int, int]:
        """Return how many messages and recipients all limits leave; never negative."""
        messages = recipients = 2**31
        for cap in self.caps:
            left = cap.maximum - tally.totals[cap.place]
            if cap.place & 1:
                recipients = min(recipients, left)
            else:
                messages = min(messages, left)
        return max(messages, 0), max(recipients, 0)

    def refuse(self, refusal: Decision, recipients: int, until: float) -> None:
        """Remember a refusal until then (monotonic time)."""
        self.refusal, self.refused_recipients, self.refused_until = refusal, recipients, until


@dataclass(frozen=True, slots=True)
class Route:
    """The terms of one account and sender domain, made ready; `leases` are those of all keys that it is counted on."""

    account: str
    workspace: str | None
    leases: tuple[Lease, ...]
    max_recipients: int
    refusal: Decision | None
    unique_recipients: Limit | None


def spend_until(now: float, store_now: float, seconds: float = LIFE_SECONDS) -> float:
    """Return the monotonic time at which a lease ends that was charged now.

    Args:
        now: monotonic time from before the store was asked.
        store_now: seconds since 1970 by the store's clock.
        seconds: its life; less at the end of a slot.
    """
    return now + min(seconds, SLOT_SECONDS - store_now % SLOT_SECONDS - _TOO_SHORT)


def grouped(terms: Terms) -> dict[str, tuple[Applied, ...]]:
    """Return the limits by key, both in their order."""
    groups: dict[str, tuple[Applied, ...]] = {}
    for applied in terms.limits:
        groups[applied.key] = (*groups.get(applied.key, ()), applied)
    return groups


@lru_cache(4096)
def cap(limit: Limit, warm_up: bool) -> Cap:
    """Return a limit made ready; few limits are different."""
    return Cap(measure_index(limit), limit.maximum, limit, warm_up)
