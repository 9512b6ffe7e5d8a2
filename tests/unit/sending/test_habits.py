"""What is usual for an account."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from smailor.sending.habits import BYTES, KEPT_DAYS, LEAST_DAYS, Habits


def digest(name):
    return hashlib.sha256(str(name).encode()).digest()[:16]


def test_too_few_days_are_no_habit():
    habits = Habits()
    for day in range(LEAST_DAYS):
        assert habits.usual(100) is None
        habits = habits.with_hour(10 + day + 80, 5 + day)
    assert habits.usual(100) == 5 + LEAST_DAYS - 1


def test_today_is_not_usual_yet():
    habits = Habits(((97, 10), (98, 10), (99, 10), (100, 5000)))
    assert habits.usual(100) == 10
    assert habits.usual(101) == 5000


@given(hours=st.lists(st.tuples(st.integers(0, 200), st.integers(1, 1000)), max_size=100))
def test_a_day_keeps_its_busiest_hour_and_old_days_go(hours):
    habits = Habits()
    for day, recipients in sorted(hours):
        habits = habits.with_hour(day, recipients)
    days = [day for day, _ in habits.hours]
    assert days == sorted(set(days))
    if days:
        last = max(day for day, _ in hours)
        assert dict(habits.hours)[last] == max(most for day, most in hours if day == last)
        assert len(days) <= KEPT_DAYS + 1


@given(known=st.sets(st.integers(0, 10**6), max_size=300))
def test_whom_it_knows_it_never_forgets(known):
    habits = Habits().with_recipients(map(digest, known), 5)
    assert all(habits.knows(digest(name)) for name in known)
    assert (len(habits.known), habits.learnt) == (BYTES, 5)


def test_few_strangers_are_taken_for_known():
    habits = Habits().with_recipients((digest(number) for number in range(1000)), 1)
    taken = sum(habits.knows(digest(f"stranger {number}")) for number in range(10_000))
    assert taken < 200
    assert not any(Habits().knows(digest(number)) for number in range(100))
