"""The one place that asks the machine what time it is. Rules take `now` as an argument; wiring passes `clock.now`."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the present moment as an aware UTC time."""
    return datetime.now(UTC)
