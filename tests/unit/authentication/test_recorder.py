"""Counting in the background never delays a message, loses nothing in a short outage, and is bounded."""

import threading
from datetime import UTC, datetime

import pytest

from smailor.authentication.dmarc_record import Policy
from smailor.authentication.recorder import EvaluationRecorder
from smailor.errors import TemporaryFailure
from tests.unit.authentication.test_reports import result

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


class Store:
    """Keeps what it is given, unless it is told to be away."""

    def __init__(self):
        self.written = []
        self.away = False
        self.error = TemporaryFailure("away")
        self.came = threading.Event()

    def write(self, counts):
        if self.away:
            raise self.error
        self.written.append(dict(counts))
        self.came.set()
        return 0

    @property
    def messages(self):
        return sum(sum(batch.values()) for batch in self.written)


@pytest.fixture
def store():
    return Store()


def note(recorder, ip="192.0.2.7", **facts):
    recorder.note(result(**facts), source_ip=ip, mail_from="<a@example.org>", applied=Policy.NONE, now=NOW)


def test_equal_messages_are_one_row(store):
    recorder = EvaluationRecorder(store.write, seconds=3600)
    for _ in range(5):
        note(recorder)
    note(recorder, "192.0.2.8")
    recorder.close()
    (batch,) = store.written
    assert sorted(batch.values()) == [1, 5]
    assert {counted.day.isoformat() for counted in batch} == {"2026-11-23"}
    assert recorder.dropped == 0


def test_what_is_noted_is_written_soon(store):
    recorder = EvaluationRecorder(store.write, seconds=0.01)
    note(recorder)
    assert store.came.wait(10)
    recorder.close()
    assert store.messages == 1


def test_a_message_without_a_policy_is_not_noted(store):
    recorder = EvaluationRecorder(store.write, seconds=3600)
    note(recorder, record=None)
    recorder.close()
    assert store.written == []


def test_notes_wait_for_the_database(store):
    recorder = EvaluationRecorder(store.write, seconds=3600)
    store.away = True
    note(recorder)
    recorder.flush()
    note(recorder)
    store.away = False
    recorder.flush()
    assert store.messages == 2
    recorder.close()


def test_what_does_not_fit_is_dropped_and_counted(store, caplog):
    recorder = EvaluationRecorder(store.write, seconds=3600, limit=2)
    for number in range(5):
        note(recorder, f"192.0.2.{number}")
    note(recorder, "192.0.2.0")
    recorder.close()
    assert store.messages == 3
    assert recorder.dropped == 3
    assert "evaluations dropped" in caplog.text


def test_at_the_end_nothing_waits_for_a_database_that_is_away(store, caplog):
    recorder = EvaluationRecorder(store.write, seconds=3600)
    store.away = True
    note(recorder)
    recorder.close()
    assert recorder.dropped == 1
    assert "the process ends" in caplog.text


def test_a_batch_that_cannot_be_written_does_not_stop_the_next(store, caplog):
    recorder = EvaluationRecorder(store.write, seconds=3600)
    store.away, store.error = True, ValueError("odd")
    note(recorder)
    recorder.flush()
    store.away = False
    note(recorder)
    recorder.close()
    assert (store.messages, recorder.dropped) == (1, 1)
