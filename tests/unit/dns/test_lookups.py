"""The questions of one message: bounded, side by side, each one once."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from smailor.dns.answer import Answer, DnsClient, Outcome
from smailor.dns.fake import FakeResolver
from smailor.dns.lookups import MessageLookups
from smailor.errors import TemporaryFailure


class Gate:
    """A client that answers when it is let."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.asked: list[tuple[str, str]] = []
        self.waiting = threading.Semaphore(0)

    def query(self, name: str, kind: str) -> Answer:
        self.asked.append((name, kind))
        self.waiting.release()
        assert self.open.wait(30)
        return Answer(name, kind, Outcome.NO_DATA)


class Remembers(FakeResolver):
    """A client that knows some answers without asking."""

    def __init__(self) -> None:
        super().__init__({("other.example", "TXT"): ["asked"]})

    def cached(self, name: str, kind: str) -> Answer | None:
        return Answer(name, kind, Outcome.OK, ("known",)) if name == "known.example" else None


def test_asks_each_question_once() -> None:
    client = FakeResolver({("a.example", "TXT"): ["x"]})
    with MessageLookups(client) as lookups:
        lookups.announce([("a.example", "TXT"), ("A.example.", "TXT")])
        assert lookups.query("a.example", "TXT").records == ("x",)
        assert lookups.query("A.EXAMPLE.", "TXT").records == ("x",)
        assert lookups.asked == 1
    assert client.asked == [("a.example", "TXT")]


def test_what_is_announced_is_asked_side_by_side() -> None:
    gate = Gate()
    with MessageLookups(gate) as lookups:
        lookups.announce([(f"{number}.example", "A") for number in range(8)])
        for _ in range(8):
            assert gate.waiting.acquire(timeout=30)
        gate.open.set()
        assert lookups.query("3.example", "A").outcome is Outcome.NO_DATA
    assert len(gate.asked) == 8


def test_waits_no_longer_than_the_message_may_take() -> None:
    """A silent DNS costs one message its deadline once, however much it asks."""
    gate = Gate()
    try:
        with MessageLookups(gate, seconds=0.05) as lookups:
            for name in ("a.example", "a.example", "b.example", "c.example"):
                with pytest.raises(TemporaryFailure):
                    lookups.query(name, "A")
            assert lookups.asked == 1
    finally:
        gate.open.set()


def test_asks_no_more_than_allowed() -> None:
    with MessageLookups(FakeResolver(), limit=2) as lookups:
        lookups.announce([("a.example", "A"), ("b.example", "A"), ("c.example", "A")])
        lookups.query("a.example", "A")
        lookups.query("b.example", "A")
        with pytest.raises(TemporaryFailure, match="more than 2"):
            lookups.query("c.example", "A")


def test_a_failure_is_remembered_for_the_message() -> None:
    client = FakeResolver(failing=["a.example"])
    with MessageLookups(client) as lookups:
        for _ in range(2):
            with pytest.raises(TemporaryFailure):
                lookups.query("a.example", "A")
    assert len(client.asked) == 1


def test_a_cached_answer_wakes_no_thread() -> None:
    client = Remembers()
    with MessageLookups(client) as lookups:
        lookups.announce([("known.example", "TXT")])
        assert lookups.query("known.example", "TXT").records == ("known",)
        assert lookups.asked == 0
        assert lookups.query("other.example", "TXT").records == ("asked",)
    assert client.asked == [("other.example", "TXT")]


@pytest.mark.parametrize("make", [FakeResolver, Gate])
def test_a_shared_pool_outlives_the_message(make: Callable[[], DnsClient]) -> None:
    client = make()
    if isinstance(client, Gate):
        client.open.set()
    with ThreadPoolExecutor(2) as pool:
        with MessageLookups(client, executor=pool) as lookups:
            lookups.announce([("a.example", "A")])
        with MessageLookups(client, executor=pool) as lookups:
            assert lookups.query("b.example", "A").records == ()
