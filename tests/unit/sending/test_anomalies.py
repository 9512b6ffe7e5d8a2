"""When an account looks unlike itself, and when it does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smailor.sending.anomalies import Activity, Kind, Thresholds, look

LINES = Thresholds()


def kind(**facts):
    found = look(Activity(**{"recipients": 0, "usual": 20.0, **facts}), LINES)
    return found.kind if found else None


def test_more_than_ten_times_the_usual_hour():
    assert kind(recipients=201) is Kind.VOLUME
    assert kind(recipients=200) is None


def test_little_is_never_too_much():
    assert kind(recipients=99, usual=1.0) is None
    assert kind(recipients=100, usual=1.0) is Kind.VOLUME
    assert kind(recipients=100, usual=0.0) is Kind.VOLUME


def test_mostly_new_recipients():
    assert kind(different=150, new=121) is Kind.NEW_RECIPIENTS
    assert kind(different=150, new=120) is None
    assert kind(different=99, new=99) is None


def test_a_young_account_has_no_usual_to_be_unlike():
    assert kind(recipients=5000, usual=None, different=5000, new=5000) is None


def test_many_networks_at_once():
    assert kind(networks=9) is Kind.NETWORKS
    assert kind(networks=8) is None
    assert kind(networks=9, usual=None) is Kind.NETWORKS


def test_the_words_say_what_was_seen():
    assert look(Activity(201, 20.0), LINES).words == "201 recipients within an hour, usually at most 20"


@given(
    recipients=st.integers(0, 10**6),
    usual=st.none() | st.floats(0, 10**6),
    new=st.floats(0, 1),
    networks=st.integers(0, 1000),
)
def test_more_of_everything_is_never_less_suspicious(recipients, usual, new, networks):
    fresh = int(recipients * new)
    first = look(Activity(recipients, usual, recipients, fresh, networks), LINES)
    if first is not None:
        assert look(Activity(recipients + 10, usual, recipients + 10, fresh + 10, networks + 1), LINES) is not None


@pytest.mark.parametrize("usual", [None, 0.0, 50.0])
def test_nothing_is_no_anomaly(usual):
    assert look(Activity(0, usual, 0, 0, 0), LINES) is None
