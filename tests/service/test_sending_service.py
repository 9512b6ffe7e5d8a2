"""The first limit in the database: exact under threads and over two services, durable, the same answer when repeated."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from sqlalchemy import text

from smailor.address import Address
from smailor.database import plain, schema
from smailor.database.engine import Database
from smailor.errors import TemporaryFailure
from smailor.sending import counter
from smailor.sending.book import Stale
from smailor.sending.decision import Decision, Phase, SendingRequest
from smailor.sending.limits import HOUR, MESSAGES, TODAY, Limit
from smailor.sending.service import SendingService
from smailor.sending.store import Batch
from smailor.sending.stores import open_store
from smailor.sending.terms import FixedTerms

ADA = Address.parse("ada@analytical.test")
GRACE = Address.parse("grace@analytical.test")
NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)

instances = (f"1c39.6560b1f1.{number:x}.0" for number in count())


def message(account: Address = ADA, phase: Phase = Phase.CHARGE, instance: str | None = None) -> SendingRequest:
    """A new message, unless an instance is given."""
    return SendingRequest(account, phase, instance or next(instances), account.domain, recipient_count=1)


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.time = NOON

    def __call__(self) -> float:
        return self.time.timestamp()


@contextmanager
def serving(
    database: Database, limit: int, clock: Callable[[], float] | None = None, *, leasing: bool = False
) -> Iterator[SendingService]:
    """A service, closed at the end."""
    terms = FixedTerms((Limit(MESSAGES, HOUR, limit),))
    service = SendingService(database.url, terms, leasing=leasing, clock=clock)
    yield service
    service.close()


def test_messages_up_to_the_limit_leave_and_no_more(database: Database) -> None:
    """With the answer's text, and a peek that says the same beforehand."""
    with serving(database, 3, Clock()) as service:
        assert service.decide(message(phase=Phase.PEEK)).permitted
        assert [service.decide(message()).permitted for _ in range(4)] == [True, True, True, False]
        refused = service.decide(message(phase=Phase.PEEK))
        assert (refused.code, refused.enhanced_code) == (450, "4.7.1")
        assert refused.text == (
            "Sending limit reached: 3 messages per hour for ada@analytical.test; try again after 13:05 UTC"
        )
        assert service.decide(message(GRACE)).permitted


def test_the_promised_moment_is_kept(database: Database) -> None:
    """Whoever comes back then is let through, a second earlier not."""
    now = Clock()
    with serving(database, 1, now) as service:
        assert service.decide(message()).permitted
        now.time = NOON + timedelta(minutes=65, seconds=-1)
        assert not service.decide(message()).permitted
        now.time = NOON + timedelta(minutes=65)
        assert service.decide(message()).permitted


def test_the_same_message_is_charged_once_and_answered_the_same(database: Database) -> None:
    """A refusal stays one even when there is room again; for how long: see the book's own tests."""
    now = Clock()
    with serving(database, 2, now) as service:
        for instance in ("first", "first", "second", "first"):
            assert service.decide(message(instance=instance)).permitted
        assert not service.decide(message(instance="third")).permitted
        now.time = NOON + timedelta(hours=2)
        assert not service.decide(message(instance="third")).permitted
        assert service.decide(message(GRACE, instance="third")).permitted


def test_the_same_message_asked_about_many_times_at_once_is_charged_once(database: Database) -> None:
    """Also within one batch."""
    with serving(database, 2) as service:
        answers = [service.submit(message(instance="first")) for _ in range(50)]
        assert all(answer.result().permitted for answer in answers)
        assert [service.decide(message()).permitted for _ in range(2)] == [True, False]


@pytest.mark.parametrize("limit", [1, 100])
def test_exactly_the_limit_leaves_however_many_threads_and_services_ask(database_url: str, limit: int) -> None:
    """Two services with engines of their own, as two daemons have, sixteen threads, three times the limit."""
    first, second = Database(database_url), Database(database_url)
    schema.upgrade(first)
    with serving(first, limit) as one, serving(second, limit) as other, ThreadPoolExecutor(16) as threads:
        requests = [(service, message()) for _ in range(max(limit, 20)) for service in (one, other, one)]
        decisions = list(threads.map(lambda asked: asked[0].decide(asked[1]), requests))
    assert sum(decision.permitted for decision in decisions) == limit
    first.dispose()
    second.dispose()


def test_accounts_asked_about_together_do_not_block_one_another(database_url: str) -> None:
    """New rows and old ones, locked by two services in any order of arrival: no deadlock, exact for each account."""
    first, second = Database(database_url), Database(database_url)
    schema.upgrade(first)
    accounts = [Address.parse(f"user{number}@analytical.test") for number in range(20)]
    with serving(first, 5) as one, serving(second, 5) as other:
        asked = [
            (account, service.submit(message(account)))
            for turn in range(10)
            for account in (accounts if turn % 2 else reversed(accounts))
            for service in (one, other)
        ]
        for account in accounts:
            assert sum(answer.result(30).permitted for asker, answer in asked if asker == account) == 5
    first.dispose()
    second.dispose()


def test_waiting_requests_share_a_transaction(database: Database) -> None:
    """Group commit: far fewer transactions than messages."""
    with serving(database, 1000) as service:
        answers = [service.submit(message()) for _ in range(300)]
        assert all(answer.result().permitted for answer in answers)
        assert service.transactions <= 30


def test_what_was_permitted_is_remembered_by_the_database(database: Database) -> None:
    """A service that begins anew continues where the last one stopped."""
    with serving(database, 3) as service:
        for _ in range(2):
            assert service.decide(message()).permitted
    with serving(database, 3) as service:
        assert [service.decide(message()).permitted for _ in range(2)] == [True, False]


def test_a_clock_set_back_frees_nothing(database: Database) -> None:
    """Neither at once nor when it has caught up with itself."""
    now = Clock()
    with serving(database, 2, now) as service:
        for _ in range(2):
            assert service.decide(message()).permitted
        for minutes in (-60, -30, -5, 0, 59, 64):
            now.time = NOON + timedelta(minutes=minutes)
            assert not service.decide(message()).permitted
            assert not service.decide(message(phase=Phase.PEEK)).permitted
        now.time = NOON + timedelta(minutes=65)
        assert service.decide(message()).permitted


def test_a_clock_set_back_an_hour_frees_nothing_that_two_daemons_hold(database_url: str) -> None:
    """Set back while both answer from memory: the hour's limit, and no message more until it is over."""
    first, second = Database(database_url), Database(database_url)
    schema.upgrade(first)
    now = Clock()
    with serving(first, 600, now, leasing=True) as one, serving(second, 600, now, leasing=True) as other:
        permitted = from_memory = 0
        for minutes in (0, -60, -30, 4, 30, 64):
            now.time = NOON + timedelta(minutes=minutes)
            for turn in range(240):
                asked = message()
                words = f"{asked.account} {asked.sender_domain}"
                service = (one, other)[turn % 2]
                if (decision := service.answer(words, asked.instance, 1)) is None:
                    decision = service.submit(asked, words).result(30)
                else:
                    from_memory += decision.permitted
                permitted += decision.permitted
        assert 0 < from_memory < permitted <= 600
    first.dispose()
    second.dispose()
    with serving(database := Database(database_url), 600, now) as service:
        left = 0
        while service.decide(message()).permitted:
            left += 1
        assert permitted + left == 600
    database.dispose()


def test_all_counters_of_a_database_share_one_clock(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL's own, so that hosts whose clocks differ count alike; SQLite's machine has but one."""
    monkeypatch.setattr(time, "time", NOON.timestamp)
    store = open_store(database.url)
    assert (store.peek(()).now == NOON.timestamp()) is (database.dialect == "sqlite")
    store.close()


def test_a_cancelled_request_is_not_charged(database: Database) -> None:
    """Nobody waits for it any more."""
    in_a_batch, go_on = threading.Event(), threading.Event()

    def held_clock() -> float:
        in_a_batch.set()
        assert go_on.wait(10)
        return NOON.timestamp()

    with serving(database, 1, held_clock) as service:
        busy = service.submit(message(GRACE))
        assert in_a_batch.wait(10)
        given_up = service.submit(message())
        assert given_up.cancel()
        go_on.set()
        assert busy.result(10).permitted
        assert service.decide(message()).permitted


def test_a_request_that_waited_too_long_fails_and_is_not_charged(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Postfix has gone by then."""
    with serving(database, 1) as service:
        monkeypatch.setattr(counter, "MAX_WAIT_SECONDS", -1)
        with pytest.raises(TemporaryFailure):
            service.decide(message())
        monkeypatch.undo()
        assert service.decide(message()).permitted


def named(recipient: str, account: Address = ADA) -> SendingRequest:
    """A recipient of a new message."""
    return SendingRequest(account, Phase.PEEK, next(instances), account.domain, recipient=recipient)


def test_different_recipients_of_a_day_are_counted_exactly(database: Database) -> None:
    """Each once, by whichever service; anew at midnight; an account without such a limit is not counted."""
    now = Clock()
    terms = FixedTerms((), unique_recipients=Limit("unique recipients", TODAY, 20))
    services = [SendingService(database.url, terms, clock=now) for _ in range(2)]
    for _ in range(2):
        asked = [(n, services[n % 2].submit(named(f"R{n % 30}@else.test"))) for n in range(120)]
        permitted = {n % 30 for n, answer in asked if answer.result(10).permitted}
        assert len(permitted) == 20
        assert {n % 30 for n, answer in asked if not answer.result().permitted} == set(range(30)) - permitted
        assert services[0].decide(named("r1@else.test", GRACE)).permitted
        refused = services[0].decide(named("one-more@else.test"))
        assert refused.text == (
            "Sending limit reached: 20 unique recipients today for ada@analytical.test; try again after 00:00 UTC"
        )
        now.time += timedelta(days=1)
    for service in services:
        service.close()


def test_work_that_fails_leaves_nothing_and_the_store_goes_on(database: Database) -> None:
    """As when the terms turn out to have changed."""

    def charge(batch: Batch) -> list[str]:
        batch.tallies["account:a@x.test"].add(1, 1)
        return ["account:a@x.test"]

    def change_of_terms(batch: Batch) -> list[str]:
        charge(batch)
        raise Stale(batch.generation)

    store = open_store(database.url)
    for _ in range(3):
        with pytest.raises(Stale):
            store.transact(["account:a@x.test"], change_of_terms)
        store.transact(["account:a@x.test"], charge)
    assert store.peek(["account:a@x.test"]).tallies["account:a@x.test"].totals[0] == 3
    store.close()


def test_counts_of_days_ago_are_deleted(database: Database) -> None:
    """So that the table does not keep everybody who ever sent."""
    now = Clock()
    with serving(database, 1000, now) as service:
        service.decide(message())
        now.time += timedelta(days=4)
        service.decide(message(GRACE))
    store = open_store(database.url, now)
    store.prune(3)
    assert store.connection.rows("SELECT key FROM sending_counts") == [("account:grace@analytical.test",)]
    store.close()


def test_without_its_tables_every_request_fails_and_later_ones_do_not(database_url: str) -> None:
    """The database is not ready: nothing leaves; once it is, the same service goes on."""
    database = Database(database_url)
    with serving(database, 1) as service:
        for phase in Phase:
            with pytest.raises(TemporaryFailure):
                service.decide(message(phase=phase))
        schema.upgrade(database)
        time.sleep(counter.OUT_SECONDS)
        assert service.decide(message()).permitted
    database.dispose()


def test_a_closed_service_answers_what_it_was_asked_and_nothing_more(database: Database) -> None:
    """For a clean stop."""
    service = SendingService(database.url, FixedTerms((Limit(MESSAGES, HOUR, 1000),)))
    answers: list[Future[Decision]] = [service.submit(message()) for _ in range(100)]
    service.close()
    assert all(answer.done() and answer.result().permitted for answer in answers)
    with pytest.raises(TemporaryFailure):
        service.decide(message())


def test_sqlite_commits_reach_the_disk(database: Database) -> None:
    """synchronous=FULL (2): an answer that was given survives a power cut."""
    if database.dialect == "sqlite":
        connection = plain.connect(database.url)
        assert connection.rows("PRAGMA synchronous") == [(2,)]
        connection.close()


def test_the_hours_messages_are_taken_over_from_the_old_table(database_url: str) -> None:
    """Nobody sends twice as much in the hour of an upgrade."""
    database = Database(database_url)
    schema.upgrade(database, "0008")
    slot = int(NOON.timestamp()) // 300
    counts = json.dumps({"messages/hour": [slot, *[0] * 11, 1, 2]})
    with database.transaction() as session:
        session.execute(
            text("INSERT INTO sending_usage (key, counts) VALUES ('account:ada@analytical.test', :counts)"),
            {"counts": counts},
        )
    schema.upgrade(database)
    with serving(database, 4, Clock()) as service:
        assert [service.decide(message()).permitted for _ in range(2)] == [True, False]
    database.dispose()
