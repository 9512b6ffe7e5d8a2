"""Warm connections: lent to one at a time, noticed when dead, closed when idle or when the session ends."""

import threading

import pytest

from smailor.errors import TemporaryFailure
from webui.mail.pool import Limits, Pool

KEY = ("session", "ada@analytical.test")


class Wire:
    """A connection that can die."""

    made: list["Wire"]

    def __init__(self):
        self.living = True
        self.closed = False


class Bench:
    def __init__(self, **limits):
        self.now = 1000.0
        self.made = []
        self.pool = Pool(
            alive=lambda wire: wire.living, close=self.close, limits=Limits(**limits), clock=lambda: self.now
        )

    def connect(self):
        self.made.append(Wire())
        return self.made[-1]

    @staticmethod
    def close(wire):
        wire.closed = True

    def lend(self, key=KEY):
        return self.pool.lend(key, self.connect)


def test_a_connection_is_used_again():
    bench = Bench()
    with bench.lend() as first:
        pass
    with bench.lend() as second:
        pass
    assert first is second
    assert len(bench.made) == 1


def test_two_at_once_get_two_and_never_the_same():
    bench = Bench()
    with bench.lend() as first, bench.lend() as second:
        assert first is not second


def test_another_session_never_gets_it():
    bench = Bench()
    with bench.lend() as mine:
        pass
    with bench.lend(("other", KEY[1])) as theirs:
        assert theirs is not mine


def test_a_dead_connection_is_replaced_unnoticed():
    bench = Bench()
    with bench.lend() as wire:
        pass
    wire.living = False
    with bench.lend() as fresh:
        assert fresh is not wire
    assert wire.closed


def test_a_connection_that_failed_is_not_used_again():
    bench = Bench()
    with pytest.raises(TemporaryFailure), bench.lend() as wire:
        raise TemporaryFailure("away")
    assert wire.closed


def test_a_request_that_failed_for_its_own_reason_keeps_a_live_connection():
    bench = Bench()
    with pytest.raises(ZeroDivisionError), bench.lend() as wire:
        raise ZeroDivisionError
    with bench.lend() as again:
        assert again is wire


def test_idle_connections_are_closed_after_their_time():
    bench = Bench(idle_seconds=60)
    with bench.lend() as wire:
        pass
    bench.now += 61
    bench.pool.sweep()
    assert wire.closed


def test_the_least_used_goes_when_too_many_are_kept():
    bench = Bench(kept=1)
    with bench.lend(("a", "x")) as first, bench.lend(("b", "x")):
        pass
    bench.pool.sweep()
    assert [wire.closed for wire in bench.made] == [False, True]
    assert not first.closed


def test_logging_out_closes_idle_and_lent_connections():
    bench = Bench()
    with bench.lend() as idle:
        pass
    with bench.lend() as lent:
        bench.pool.drop(KEY[0])
        assert lent is idle
        assert not lent.closed
    assert lent.closed


def test_whoever_comes_when_all_are_lent_waits_for_one():
    bench = Bench(each=1, wait_seconds=10)
    entered = threading.Event()
    with bench.lend() as first:

        def ask():
            with bench.lend() as wire:
                assert wire is first
                entered.set()

        thread = threading.Thread(target=ask)
        thread.start()
        assert not entered.is_set()
    thread.join(10)
    assert entered.is_set()


def test_waiting_ends_with_a_clear_word():
    bench = Bench(each=1, wait_seconds=0)
    with bench.lend(), pytest.raises(TemporaryFailure, match="too much"), bench.lend():
        pass


def test_a_connection_that_cannot_be_made_leaves_no_place_taken():
    bench = Bench(each=1, wait_seconds=0)

    def fail():
        raise TemporaryFailure("away")

    for _ in range(3):
        with pytest.raises(TemporaryFailure, match="away"), bench.pool.lend(KEY, fail):
            pass
