"""The signing milter as Postfix meets it: the real process on a real socket, signatures checked by dkimpy."""

import shutil
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from smailor.accounts import workspaces
from smailor.database.engine import Database
from smailor.domains import service as domains
from smailor.domains.dkim_keys import generate_key_pair
from smailor.mailboxes import service as mailboxes
from smailor.sealing import Sealer
from tests.daemon.milter_client import LEADING_SPACE, OFFERED_PROTOCOL, Lost, MilterClient
from tests.daemon.milter_process import wait_for
from tests.daemon.signing_process import SEALING_KEY, SigningProcess, verified_by
from tests.postgresql import Cluster

ADA = "ada@acme.test"
HEADERS = [
    ("From", b" Ada <ada@acme.test>"),
    ("To", b" Bob <bob@example.net>"),
    ("Subject", b" a subject\n that is  folded\t"),
    ("Content-Type", b" text/plain; charset=utf-8"),
]
BODY = b"Hello  Bob \r\n\r\n\tall is well. \r\n.\r\n\xc3\xa4\x00\r\n\r\n\r\n"


def fill(database: Database, now: datetime) -> None:
    """Put one verified domain with two inboxes into the database."""
    workspaces.create_workspace(database, slug="acme", name="Acme", now=now)
    domains.add_domain(database, workspace="acme", name="acme.test", sealer=Sealer([SEALING_KEY]), now=now)
    with database.transaction() as session:
        session.execute(text("UPDATE domains SET verified_at = created_at"))
    for name in ("ada", "eve"):
        mailboxes.create_inbox(database, workspace="acme", address=f"{name}@acme.test", name=name, now=now)


def url_of(database: Database) -> str:
    return database.engine.url.render_as_string(hide_password=False).replace("+psycopg", "")


@pytest.fixture
def acme(database: Database, now: datetime) -> Database:
    fill(database, now)
    return database


@pytest.fixture(scope="module")
def lone(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One SQLite database that nobody changes, for what has nothing to do with the kind of database."""
    path = tmp_path_factory.mktemp("lone") / "smailor.db"
    shutil.copy(sqlite_template, path)
    database = Database(f"sqlite:///{path}")
    fill(database, datetime(2026, 11, 23, tzinfo=UTC))
    yield database
    database.dispose()


@pytest.fixture(scope="module")
def running(lone: Database) -> Iterator[SigningProcess]:
    """A milter that several tests talk to, one after the other."""
    milter = SigningProcess(url_of(lone)).wait_until_ready()
    yield milter
    milter.clean_up()
    shutil.rmtree(milter.directory)


@pytest.fixture
def start() -> Iterator[type]:
    """Start milters that are gone after the test."""
    started: list[SigningProcess] = []

    def start(url: str, **options) -> SigningProcess:
        started.append(SigningProcess(url, **options))
        return started[-1]

    yield start
    for process in started:
        process.clean_up()
        shutil.rmtree(process.directory, ignore_errors=True)


def send(milter: SigningProcess, headers=HEADERS, body=BODY, **options):
    with milter.connect() as client:
        return client.send(headers, body, **({"login": ADA, "sender": ADA} | options))


def test_a_submission_leaves_signed_by_the_domain_of_its_from(start, acme):
    milter = start(url_of(acme)).wait_until_ready()
    verify = verified_by(acme, "acme", "acme.test")
    with milter.connect() as client:
        for chunk in (1, 7, 65535):
            outcome = client.send([*HEADERS, ("Bcc", b" secret@example.net")], BODY, login=ADA, sender=ADA, chunk=chunk)
            assert outcome.accepted
            assert verify(outcome.message(BODY))
            assert len(outcome.values("Date")) == len(outcome.values("Message-ID")) == 1
            assert outcome.values("Bcc") == []
            assert outcome.headers[0][0] == "DKIM-Signature"
            assert not verify(outcome.message(BODY.replace(b"well", b"lost")))
    assert "4XbTest: signed domain=acme.test" in milter.log
    assert milter.stop() < 5
    assert not milter.socket.exists()


def test_others_addresses_are_refused_by_name(start, acme):
    milter = start(url_of(acme)).wait_until_ready()
    refused = send(milter, [("From", b" Eve <eve@acme.test>"), *HEADERS[1:]])
    assert refused.reply == "550 5.7.1 <eve@acme.test> may not be used as From by ada@acme.test"
    two = send(milter, [*HEADERS, ("From ", b" eve@acme.test")])
    assert two.reply.startswith("550 5.7.1 From may not be used by ada@acme.test: there are 2")
    assert two.values("DKIM-Signature") == []


def test_a_new_key_signs_within_two_seconds(start, acme, now):
    milter = start(url_of(acme), workers=1).wait_until_ready()
    assert b"s=s20261123;" in send(milter).values("DKIM-Signature")[0]
    keys = generate_key_pair()
    with acme.transaction() as session:
        session.execute(
            text("UPDATE dkim_keys SET selector = 's2', private_key_sealed = :private, public_key = :public"),
            {"private": Sealer([SEALING_KEY]).seal(keys.private_key_pem), "public": keys.public_key},
        )
    wait_for(lambda: b"s=s2;" in send(milter).values("DKIM-Signature")[0], seconds=2)
    assert verified_by(acme, "acme", "acme.test")(send(milter).message(BODY))


def test_a_key_that_does_not_open_means_451_and_an_alert(start, acme):
    with acme.transaction() as session:
        session.execute(text("UPDATE dkim_keys SET private_key_sealed = 'gAAAA'"))
    milter = start(url_of(acme)).wait_until_ready()
    outcome = send(milter)
    assert outcome.reply.startswith("451 4.3.0 ")
    assert outcome.headers == HEADERS
    assert "ERROR key-unreadable domain=acme.test" in milter.log


def test_without_a_database_file_mail_waits_until_it_is_back(start, lone, tmp_path):
    milter = start(f"sqlite:///{tmp_path}/gone/smailor.db").wait_until_ready()
    assert send(milter).reply.startswith("451 4.3.0 ")
    assert send(milter, login=None, sender="").reply.startswith("451 4.3.0 ")
    (tmp_path / "gone").mkdir()
    lone.dispose()  # so that all of it is in the one file
    shutil.copy(lone.engine.url.database, tmp_path / "gone/smailor.db")
    assert verified_by(lone, "acme", "acme.test")(send(milter).message(BODY))


def test_without_postgresql_mail_waits_until_it_is_back(start, postgresql_cluster: Cluster, postgresql_template, now):
    url = postgresql_cluster.new_database(template=postgresql_template)
    database = Database(url)
    fill(database, now)
    milter = start(url, workers=1).wait_until_ready()
    assert send(milter).accepted
    postgresql_cluster.stop()
    try:
        wait_for(lambda: not send(milter).accepted)
        assert send(milter).reply.startswith("451 4.3.0 ")
    finally:
        postgresql_cluster.start()
    database.dispose()
    wait_for(lambda: send(milter).accepted)
    assert "Traceback" not in milter.log


def test_a_message_in_hand_is_finished_before_the_process_leaves(start, lone):
    milter = start(url_of(lone)).wait_until_ready()
    with milter.connect() as client, milter.connect():  # the second one is idle and holds nobody up
        client.begin(HEADERS, login=ADA, sender=ADA)
        client.body(BODY[:10])
        client.wait_until_taken()
        started = time.monotonic()
        milter.tell(signal.SIGTERM)
        wait_for(lambda: not milter.socket.exists())
        with pytest.raises(FileNotFoundError):
            milter.connect()
        wait_for(lambda: len(milter.workers()) == 1)
        client.body(BODY[10:])
        outcome = client.end()
    assert verified_by(lone, "acme", "acme.test")(outcome.message(BODY))
    assert milter.process.wait(5) == 0
    assert time.monotonic() - started < 3
    assert "worker-killed" not in milter.log


def test_a_message_that_never_ends_does_not_keep_the_process(start, lone):
    milter = start(url_of(lone)).wait_until_ready()
    with milter.connect() as client:
        client.begin(HEADERS, login=ADA, sender=ADA)
        assert milter.stop() < 5
        with pytest.raises(Lost):
            client.end()


def test_an_idle_process_leaves_at_once(start, lone):
    milter = start(url_of(lone)).wait_until_ready()
    with milter.connect():
        assert milter.stop() < 1.5


def test_sighup_replaces_the_workers_without_refusing_anybody(start, lone):
    milter = start(url_of(lone)).wait_until_ready()
    wait_for(lambda: len(milter.workers()) == 2)
    before = {worker.pid for worker in milter.workers()}
    with milter.connect() as client:
        client.begin(HEADERS, login=ADA, sender=ADA)
        client.wait_until_taken()
        milter.tell(signal.SIGHUP)
        wait_for(lambda: "stopping reason=SIGHUP" in milter.log)
        assert send(milter).accepted
        client.body(BODY)
        assert client.end().accepted
    wait_for(lambda: len(milter.workers()) == 2 and not before & {worker.pid for worker in milter.workers()})
    assert send(milter).accepted
    assert milter.stop() < 5


def test_a_worker_that_dies_is_replaced(start, lone):
    milter = start(url_of(lone), workers=1).wait_until_ready()
    wait_for(milter.workers)
    [worker] = milter.workers()
    with milter.connect() as client:
        client.begin(HEADERS, login=ADA, sender=ADA)
        worker.send_signal(signal.SIGKILL)
        with pytest.raises(Lost):
            client.end()
    assert send(milter).accepted
    assert f"worker-died pid={worker.pid} status=-9" in milter.log


def test_workers_leave_when_their_parent_is_killed(start, lone):
    milter = start(url_of(lone)).wait_until_ready()
    wait_for(lambda: len(milter.workers()) == 2)
    workers = milter.workers()
    milter.process.kill()
    milter.process.wait(5)
    wait_for(lambda: not any(worker.is_running() and worker.status() != "zombie" for worker in workers), seconds=5)


def test_a_signal_straight_to_a_worker_costs_at_most_one_connection(start, lone):
    """Libmilter may cut what is open, which is 451 to Postfix's client; the next worker signs the next message."""
    milter = start(url_of(lone), workers=1).wait_until_ready()
    wait_for(milter.workers)
    [worker] = milter.workers()
    with milter.connect() as client:
        client.begin(HEADERS, login=ADA, sender=ADA)
        client.wait_until_taken()
        worker.send_signal(signal.SIGTERM)
        with socket.socket(socket.AF_UNIX) as caller:  # libmilter looks for its signal when somebody calls
            caller.connect(str(milter.socket))
        wait_for(lambda: milter.workers() and worker not in milter.workers())
    assert send(milter).accepted


def test_many_at_once_are_all_signed(running, lone):
    verify = verified_by(lone, "acme", "acme.test")

    def talk(_) -> list[bool]:
        with running.connect() as client:
            return [verify(client.send(HEADERS, BODY, login=ADA, sender=ADA).message(BODY)) for _ in range(10)]

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(talk, range(8))) == [[True] * 10] * 8


def test_an_aborted_message_leaves_nothing_to_the_next_one(running, lone):
    with running.connect() as client:
        client.begin([("From", b" eve@acme.test")], login=ADA, sender=ADA)
        client.body(b"half of it")
        client.abort()
        outcome = client.send(HEADERS, BODY, login=ADA, sender=ADA)
    assert verified_by(lone, "acme", "acme.test")(outcome.message(BODY))


def test_an_mta_that_keeps_no_leading_space_gets_valid_signatures(running, lone):
    with MilterClient(str(running.socket), protocol=OFFERED_PROTOCOL & ~LEADING_SPACE) as client:
        outcome = client.send(HEADERS, BODY, login=ADA, sender=ADA)
    assert verified_by(lone, "acme", "acme.test")(outcome.message(BODY))


def test_what_nobody_expects_is_a_temporary_failure(running):
    """Octets outside UTF-8 where libmilter's binding wants text."""
    outcome = send(running, login="\udcff@acme.test")
    assert outcome.reply.startswith("451 4.3.0 ")
    assert outcome.values("DKIM-Signature") == []
    assert 'failed step="end of message" trace=' in running.log
    assert send(running).accepted


def test_a_socket_left_by_a_dead_process_is_taken_over_but_not_one_that_is_served(start, lone):
    first = start(url_of(lone)).wait_until_ready()
    second = start(url_of(lone), directory=first.directory)
    assert second.process.wait(10) == 1
    assert "another process listens there already" in second.log
    assert send(first).accepted
    first.stop()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(first.socket))
    first.log_path.unlink()
    third = start(url_of(lone), directory=first.directory).wait_until_ready()
    assert send(third).accepted
    assert third.socket.stat().st_mode & 0o777 == 0o660


def test_a_socket_that_cannot_be_made_is_one_clear_line(start, lone):
    milter = start(url_of(lone), socket=Path("/proc/nowhere/signing.sock"))
    assert milter.process.wait(20) == 1
    assert milter.log.count("\n") == 1
    assert "milter socket /proc/nowhere/signing.sock: cannot be made" in milter.log
