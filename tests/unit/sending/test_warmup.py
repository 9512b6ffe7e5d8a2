"""Warm-up: what a day does to a young domain's cap, and what its owner is told."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smailor.sending import warmup
from smailor.sending.warmup import WORDS, Move, Reason, Record, Schedule, Standing, State, Thresholds, Verdict

SCHEDULE, LINES = Schedule(), Thresholds()
FIRST = date(2026, 11, 2)

COUNTS = st.integers(0, 2000)
RECORDS = st.builds(Record, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, st.integers(0, 1))
STANDINGS = st.builds(
    Standing, st.sampled_from(State), st.integers(0, 15), st.none(), st.none(), st.none(), st.booleans(), st.none()
)


def judge(**counts):
    return warmup.judge(Record(**counts), LINES)


def after(standing, *records):
    days = [(FIRST + timedelta(days=number), record) for number, record in enumerate(records)]
    return warmup.steps(standing, days, SCHEDULE, LINES)


GOOD = Record(sent=400, accepted=400)


def test_the_cap_is_480_times_1_4_to_the_power_of_the_step():
    assert [SCHEDULE.cap(day) for day in range(6)] == [480, 672, 940, 1317, 1843, 2581]
    assert SCHEDULE.last_day == 15
    assert SCHEDULE.cap(15) < 100_000 <= SCHEDULE.cap(16)


@given(first=st.integers(1, 10**6), growth=st.floats(1.01, 100), most=st.integers(2, 2 * 10**9))
def test_every_schedule_grows_and_ends(first, growth, most):
    schedule = Schedule(first, growth, max(most, first + 1))
    last = schedule.last_day
    assert schedule.cap(0) == first
    assert schedule.cap(last + 1) >= schedule.graduates_at
    assert all(schedule.cap(day) <= schedule.cap(day + 1) for day in range(min(last, 50)))


def test_more_than_90_percent_has_to_be_accepted():
    assert judge(sent=1000, accepted=901) == Verdict(Move.ON)
    assert judge(sent=1000, accepted=900) == Verdict(Move.STAY, Reason.NOT_ACCEPTED)


def test_a_day_without_mail_or_without_news_does_not_count():
    assert judge() == Verdict(Move.STAY, Reason.NOTHING_SENT)
    assert judge(sent=100) == Verdict(Move.STAY, Reason.UNKNOWN)


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        ({"hard_bounces": 51}, Reason.BOUNCES),
        ({"reputation_deferrals": 51}, Reason.REPUTATION),
        ({"complaints": 2}, Reason.COMPLAINTS),
        ({"blocklist_hits": 1}, Reason.BLOCKLIST),
    ],
)
def test_a_bad_sign_costs_a_step(counts, reason):
    assert judge(sent=1000, accepted=999, **counts) == Verdict(Move.BACK, reason)


@pytest.mark.parametrize("counts", [{"hard_bounces": 50}, {"reputation_deferrals": 50}, {"complaints": 1}])
def test_what_is_on_the_line_costs_nothing(counts):
    assert judge(sent=1000, accepted=950, **counts) == Verdict(Move.ON)


def test_one_bounce_of_three_holds_but_costs_no_step():
    assert judge(sent=3, accepted=2, hard_bounces=1) == Verdict(Move.STAY, Reason.NOT_ACCEPTED)
    assert judge(sent=0, blocklist_hits=1).move is Move.BACK, "a blocklist needs no volume"


def test_good_days_lead_on_to_the_end():
    standing = after(Standing(), *[GOOD] * 15)
    assert (standing.state, standing.day) == (State.WARMING, 15)
    done = warmup.step(standing, FIRST + timedelta(days=15), GOOD, SCHEDULE, LINES)
    assert done.state is State.GRADUATED
    assert warmup.cap(done, SCHEDULE) is None


def test_back_is_one_step_and_never_below_the_first():
    bad = Record(sent=100, accepted=50, hard_bounces=50)
    assert after(Standing(day=5), bad).day == 4
    assert after(Standing(), bad, bad).day == 0


def test_a_hold_says_since_when_and_why_and_ends_with_the_next_good_day():
    first = after(Standing(day=3), Record(sent=100, accepted=80))
    assert (first.held, first.held_since) == (Reason.NOT_ACCEPTED, datetime(2026, 11, 3, tzinfo=UTC))
    second = after(Standing(day=3), Record(sent=100, accepted=80), Record())
    assert (second.held, second.held_since) == (Reason.NOTHING_SENT, first.held_since)
    third = after(Standing(day=3), Record(sent=100, accepted=80), Record(), GOOD)
    assert (third.held, third.held_since, third.day) == (None, None, 4)


@given(standing=STANDINGS, records=st.lists(RECORDS, max_size=20))
def test_a_day_moves_by_one_step_at_most_and_is_judged_once(standing, records):
    day = FIRST
    for record in records:
        moved = warmup.step(standing, day, record, SCHEDULE, LINES)
        assert abs(moved.day - standing.day) <= 1
        assert 0 <= moved.day <= SCHEDULE.last_day
        assert warmup.step(moved, day, GOOD, SCHEDULE, LINES) == moved
        if standing.paused or standing.state is State.GRADUATED:
            assert moved == replace(standing, judged=day)
        standing, day = moved, day + timedelta(days=1)


def test_a_pause_stops_the_steps_both_ways():
    paused = Standing(day=4, paused=True)
    assert after(paused, GOOD, Record(sent=100, blocklist_hits=1)).day == 4


@given(standing=STANDINGS)
def test_every_standing_can_be_told(standing):
    told = warmup.outlook(standing, SCHEDULE)
    assert 1 <= told.day <= told.of == 16
    assert told.next_step.endswith(".")
    assert (told.cap is None) == (standing.state is State.GRADUATED)


def test_what_a_tenant_is_told():
    told = warmup.outlook(Standing(day=1, held=Reason.BOUNCES), SCHEDULE)
    assert (told.day, told.cap, told.next_cap, told.held) == (2, 672, 940, "hard-bounces")
    assert told.reason == WORDS[Reason.BOUNCES]
    assert told.next_step.startswith("940 recipients a day after a day on which more than 90 %")
    assert warmup.outlook(Standing(day=15), SCHEDULE).next_step.startswith("The warm-up ends after")
    assert "paused" in warmup.outlook(Standing(paused=True), SCHEDULE).next_step
    by_hand = warmup.outlook(Standing(cap=7), SCHEDULE)
    assert (by_hand.cap, "by hand" in by_hand.next_step) == (7, True)


def test_every_reason_has_its_words():
    assert set(WORDS) == set(Reason)
