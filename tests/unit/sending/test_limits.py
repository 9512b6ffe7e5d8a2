"""Sliding windows: never more than the limit in any hour, held against a counter that remembers every moment."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smailor.sending import limits
from smailor.sending.limits import HOUR, Limit, Usage, Window

NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
DAY = Window("day", slot_seconds=3600, slots=25)


def limit(maximum: int, window: Window = HOUR) -> Limit:
    return Limit("messages", window, maximum)


def send(usage: Usage | None, of: Limit, now: datetime, units: int = 1) -> tuple[bool, Usage]:
    """Take so many units if there is room."""
    usage = limits.advance(usage, of.window, now)
    if limits.room(of, usage) < units:
        return False, usage
    return True, limits.charge(usage, units)


STEPS = st.lists(st.tuples(st.integers(0, 1500), st.integers(1, 4)), min_size=1, max_size=120)


@pytest.mark.parametrize("window", [HOUR, DAY])
@given(steps=STEPS, maximum=st.integers(1, 12))
def test_no_window_ever_holds_more_than_the_limit(window: Window, steps: list[tuple[int, int]], maximum: int) -> None:
    """Held against a naive counter of all permitted moments, at any start of the window."""
    span = timedelta(seconds=window.slot_seconds * (window.slots - 1))
    now, usage, permitted = NOON, None, list[tuple[datetime, int]]()
    for seconds, units in steps:
        now += timedelta(seconds=seconds * window.slot_seconds // 300)
        ok, usage = send(usage, limit(maximum, window), now, units)
        if ok:
            permitted.append((now, units))
            assert sum(n for moment, n in permitted if moment > now - span) <= maximum
        else:
            # Refused for a reason: what is left would not do, even with all that any 13 slots can hold.
            late = timedelta(seconds=window.slot_seconds)
            assert sum(n for moment, n in permitted if moment > now - span - late) + units > maximum


@given(steps=STEPS, maximum=st.integers(1, 12))
def test_the_promised_moment_is_right_to_the_slot(steps: list[tuple[int, int]], maximum: int) -> None:
    """Whoever is refused and comes back when told to, is let through; a second earlier, not."""
    now, usage = NOON, None
    for seconds, units in steps:
        now += timedelta(seconds=seconds)
        ok, usage = send(usage, limit(maximum), now, units)
        if ok:
            continue
        moment = limits.free_at(limit(maximum), usage, units)
        if units > maximum:
            assert moment is None
            continue
        assert moment is not None
        assert now < moment <= now + timedelta(minutes=65)
        assert send(usage, limit(maximum), moment, units)[0]
        assert not send(usage, limit(maximum), moment - timedelta(seconds=1), units)[0]


@given(steps=st.lists(st.integers(-7200, 7200), min_size=1, max_size=60), maximum=st.integers(1, 6))
def test_a_clock_set_back_never_frees_anything(steps: list[int], maximum: int) -> None:
    """Under a clock that jumps both ways, use lies in 13 slots up to the latest one seen, and never above the limit."""
    now, usage, latest = NOON, None, NOON
    for seconds in steps:
        before = limits.advance(usage, HOUR, now).total if usage else 0
        now += timedelta(seconds=seconds)
        latest = max(latest, now)
        _, usage = send(usage, limit(maximum), now)
        assert usage.total <= maximum
        assert usage.latest <= HOUR.slot(latest)
        if seconds < 0:
            assert usage.total >= before


def test_an_hour_back_and_forth_again_forgets_nothing() -> None:
    """An operator sets the clock back by mistake, the time service sets it right: still one hour's worth."""
    usage = None
    for _ in range(5):
        ok, usage = send(usage, limit(5), NOON)
        assert ok
    for now in (NOON - timedelta(hours=1), NOON - timedelta(minutes=1), NOON + timedelta(minutes=59)):
        ok, usage = send(usage, limit(5), now)
        assert not ok
    ok, usage = send(usage, limit(5), NOON + timedelta(minutes=65))
    assert ok


def test_a_clock_that_was_a_year_ahead_blocks_nobody_for_a_year() -> None:
    """All that was used counts as used just now, and slides out within the hour."""
    ok, usage = send(None, limit(1), NOON + timedelta(days=365))
    assert ok
    ok, usage = send(usage, limit(1), NOON)
    assert not ok
    ok, usage = send(usage, limit(1), NOON + timedelta(minutes=64))
    assert not ok
    ok, usage = send(usage, limit(1), NOON + timedelta(minutes=65))
    assert ok


def test_a_lowered_limit_is_in_force_at_once() -> None:
    """What is used stays used; there is no negative room."""
    usage = None
    for _ in range(5):
        _, usage = send(usage, limit(5), NOON)
    assert usage is not None
    assert limits.room(limit(3), usage) == 0
    assert limits.room(limit(8), usage) == 3
    assert limits.free_at(limit(3), usage, 1) == NOON + timedelta(minutes=65)
    assert limits.free_at(limit(0), usage, 1) is None


def test_limits_read_as_people_say_them() -> None:
    """The words of the answer."""
    assert str(limit(200)) == "200 messages per hour"
    assert limit(200).measure == limit(5).measure == "messages/hour"
