"""What follows from bounces and complaints."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smailor.sending.reputation import AT_LEAST, Outcomes, Reputation, judge


@pytest.mark.parametrize(
    ("bounces", "complaints", "factor"),
    [(200, 0, 1.0), (201, 0, 0.5), (501, 0, 0.25), (0, 10, 1.0), (0, 11, 0.5), (0, 31, 0.25), (201, 31, 0.25)],
)
def test_the_worse_of_both_decides(bounces, complaints, factor):
    found = judge(Outcomes(10_000, bounces, complaints))
    assert (found.factor, found.suspend) == (factor, False)
    assert bool(found.words) == (factor < 1)


def test_more_than_a_tenth_of_bounces_suspends():
    assert judge(Outcomes(1000, 101, 0)).suspend
    assert not judge(Outcomes(1000, 100, 0)).suspend


def test_nothing_follows_from_a_few_messages():
    assert judge(Outcomes(AT_LEAST - 1, AT_LEAST - 1, AT_LEAST - 1)) == Reputation()


@given(sent=st.integers(1, 10**6), one=st.integers(0, 10**5), more=st.integers(0, 10**5))
def test_worse_outcomes_never_give_more(sent, one, more):
    assert judge(Outcomes(sent, one + more, one)).factor <= judge(Outcomes(sent, one, one)).factor
    assert judge(Outcomes(sent, one, one + more)).factor <= judge(Outcomes(sent, one, one)).factor
