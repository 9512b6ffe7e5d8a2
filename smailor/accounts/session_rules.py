"""How long a log-in to the web lasts, area by area. Pure: moments in, yes or no out.

There is one session a browser. What a page shows decides for how long the session opens it: mail for weeks, settings
for a working day, the operator's pages for a quarter of an hour without use. Whoever comes back too late for an area
shows again who they are, and goes on in the same session; only when mail's limits are over is the session itself.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

FRESH = timedelta(minutes=10)
"""How long after showing who one is sensitive actions are done without asking again."""
TOUCH_EVERY = timedelta(minutes=1)
"""The last use is written down at most this often."""


class Area(StrEnum):
    """A kind of page, from the least to the most powerful; whoever uses one uses those before it, too."""

    MAIL = "mail"
    SETTINGS = "settings"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Limits:
    """How long an area stays open.

    Attributes:
        idle: without a page of the area, or of a more powerful one, being asked for.
        absolute: since the person last showed who they are, however much it is used. Mail's counts from the log-in.
    """

    idle: timedelta
    absolute: timedelta


LIMITS = {
    Area.MAIL: Limits(idle=timedelta(days=7), absolute=timedelta(days=30)),
    Area.SETTINGS: Limits(idle=timedelta(hours=12), absolute=timedelta(days=7)),
    Area.OPERATOR: Limits(idle=timedelta(minutes=15), absolute=timedelta(hours=8)),
}
LIFETIME = LIMITS[Area.MAIL].absolute


@dataclass(frozen=True, slots=True)
class Times:
    """The moments of a session that count.

    Attributes:
        created_at: the log-in.
        authenticated_at: when the person last showed who they are.
        last_used_at: the last page of any area.
        settings_used_at: the last page of the settings or the operator's.
        operator_used_at: the last page of the operator's.
    """

    created_at: datetime
    authenticated_at: datetime
    last_used_at: datetime
    settings_used_at: datetime
    operator_used_at: datetime

    def used_at(self, area: Area) -> datetime:
        """When a page of this area, or of a more powerful one, was last asked for."""
        if area is Area.OPERATOR:
            return self.operator_used_at
        return self.settings_used_at if area is Area.SETTINGS else self.last_used_at


def alive(times: Times, now: datetime) -> bool:
    """Tell whether the session is one at all: whether it opens mail."""
    limits = LIMITS[Area.MAIL]
    return now < times.created_at + limits.absolute and now < times.last_used_at + limits.idle


def opens(times: Times, area: Area, now: datetime) -> bool:
    """Tell whether a live session opens an area without its owner showing again who they are."""
    if area is Area.MAIL:
        return alive(times, now)
    limits = LIMITS[area]
    return now < times.authenticated_at + limits.absolute and now < times.used_at(area) + limits.idle


def fresh(times: Times, now: datetime) -> bool:
    """Tell whether the person showed who they are a moment ago."""
    return now < times.authenticated_at + FRESH


def to_touch(times: Times, area: Area, now: datetime) -> bool:
    """Tell whether this use is worth a write."""
    return now >= times.used_at(area) + TOUCH_EVERY
