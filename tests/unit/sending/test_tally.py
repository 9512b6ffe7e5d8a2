"""The packed row, held against the slow and plain sliding windows of `limits`."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from smailor.sending import limits
from smailor.sending.limits import MESSAGES, RECIPIENTS, Limit, Usage
from smailor.sending.tally import MEASURES, SLOT_SECONDS, Tally

START = 1_793_620_800 // SLOT_SECONDS
STEPS = st.lists(st.tuples(st.integers(-400, 700), st.integers(0, 3), st.integers(0, 5)), min_size=1, max_size=60)


def moment(slot: int) -> datetime:
    return datetime.fromtimestamp(slot * SLOT_SECONDS, UTC)


@given(STEPS)
def test_the_row_counts_as_the_windows_do(steps: list[tuple[int, int, int]]) -> None:
    """All six measures, forwards and backwards in time, packed and unpacked at each step."""
    slot, tally = START, Tally()
    plain: list[Usage | None] = [None] * len(MEASURES)
    for step, messages, recipients in steps:
        slot = max(slot + step, tally.latest - 250)  # a day back and more is met by another test
        tally = Tally(tally.packed())
        tally.advance(slot)
        tally.add(messages, recipients)
        for index, (unit, window) in enumerate(MEASURES):
            usage = limits.advance(plain[index], window, moment(tally.latest))
            plain[index] = limits.charge(usage, recipients if unit is RECIPIENTS else messages)
            assert tally.totals[index] == plain[index].total
            assert tally.usage(Limit(unit, window, 1)) == plain[index]


@given(STEPS, st.integers(0, 300), st.integers(1, 9))
def test_what_is_taken_back_was_never_there(steps: list[tuple[int, int, int]], later: int, units: int) -> None:
    """Nothing else changes, whatever has slid out meanwhile."""
    slot, tally = START, Tally()
    for step, messages, recipients in steps:
        slot += abs(step)
        tally.advance(slot)
        tally.add(messages, recipients)
    without = Tally(tally.packed())
    tally.add(units, 2 * units)
    for row in (tally, without):
        row.advance(slot + later)
    tally.take_back(units, 2 * units, slot)
    assert tally.totals == without.totals
    assert tally.packed() == without.packed()


def test_taking_back_from_a_slot_that_was_moved_takes_nothing() -> None:
    """The clock had been in another year: what was counted there counts now, and is not given back by mistake."""
    tally = Tally()
    tally.advance(START + 100_000)
    tally.add(3, 3)
    tally.advance(START)
    tally.take_back(3, 3, START + 100_000)
    assert tally.totals == [3] * 6
    assert tally.latest == START


def test_a_row_has_its_size_and_more_than_it_can_hold_is_no_error() -> None:
    """PostgreSQL's statements cut rows by it."""
    tally = Tally()
    tally.advance(START)
    tally.add(2**40, 1)
    assert len(tally.packed()) == 320
    assert Tally(tally.packed()).totals[0] == 2**32 - 1
    assert Limit(MESSAGES, MEASURES[0][1], 5).measure == "messages/hour"
