"""When a part is down: nothing is lost, nothing leaves unsigned, and all goes on when it is back.

Each database has a service of its own here. The supervisor would start a dead program again within a second, so it is
held (SIGSTOP) while something is to stay down.
"""

import json
import os
import re
import signal
import smtplib
import socket
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests import postgresql
from tests.system.running import Inbox, Service, letter, token, until
from tests.system.test_submission import signed_by

# Before 3.9, Postfix leaves a PostgreSQL host that has failed alone for 60 s, each of its look-up processes for itself,
# and its rewriting service waits another 30: after this, only a service's last test may take the database away.
RECOVERY_SECONDS = 120.0

# What does not depend on the kind of database is tried on one.
on_sqlite = pytest.mark.parametrize("fragile", ["sqlite"], indirect=True)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def fragile(request: pytest.FixtureRequest) -> Iterator[Service]:
    database = request.getfixturevalue("own_cluster").new_database() if request.param == "postgresql" else ""
    one = Service(database=database)
    try:
        one.up()
        yield one
    finally:
        one.remove()


def facts(service: Service) -> dict:
    return json.loads((service.run_dir / "run.json").read_text())


def pid(service: Service, name: str) -> int:
    return facts(service)["processes"][name]["pid"]


def signal_all(pids: Iterable[int], number: signal.Signals) -> None:
    """To programs and all that they have started."""
    for process in map(psutil.Process, pids):
        for member in [process, *process.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                member.send_signal(number)


@contextmanager
def held_down(service: Service, *names: str) -> Iterator[None]:
    """Kill programs and keep them dead; at the end they are started again and answer."""
    supervisor = facts(service)["pid"]
    before = {name: pid(service, name) for name in names}
    os.kill(supervisor, signal.SIGSTOP)
    try:
        signal_all(before.values(), signal.SIGKILL)
        yield
    finally:
        os.kill(supervisor, signal.SIGCONT)
        started_again(service, before)


def start_again(service: Service, *names: str) -> None:
    before = {name: pid(service, name) for name in names}
    signal_all(before.values(), signal.SIGKILL)
    started_again(service, before)


def started_again(service: Service, before: dict[str, int]) -> None:
    until(lambda: all(pid(service, name) != old for name, old in before.items()), f"new {', '.join(before)}")
    until(lambda: all_listen(service), f"answer of {', '.join(before)}")


def all_listen(service: Service) -> bool:
    endpoints = service.endpoints
    places = [endpoints[name] for name in ("smtp", "submission", "imap", "lmtp", "policyd", "web", "resolver")]
    places += endpoints["milters"].values()
    return all(listens(place.removeprefix("http://")) for place in places)


def listens(place: str) -> bool:
    family = socket.AF_UNIX if place.startswith("unix:") else socket.AF_INET
    host, _, port = place.rpartition(":")
    address = port if family == socket.AF_UNIX else (host, int(port))
    with socket.socket(family) as probe:
        return probe.connect_ex(address) == 0


def submit(service: Service, inbox: Inbox, recipient: str, word: str, port: str = "submission") -> tuple[int, str]:
    """The server's last word on a submission, wherever in the dialogue it comes."""
    connect = service.smtp if port == "submission" else service.smtps
    try:
        with connect(inbox) as client:
            client.send_message(letter(inbox.address, recipient, word))
    except smtplib.SMTPRecipientsRefused as error:
        ((code, text),) = error.recipients.values()
        return code, text.decode()
    except smtplib.SMTPResponseException as error:
        return error.smtp_code, error.smtp_error.decode() if isinstance(error.smtp_error, bytes) else error.smtp_error
    return 250, ""


def receive(service: Service, recipient: str, word: str) -> tuple[int, str]:
    message = letter("bob@stranger.test", recipient, word)
    delivery = service.from_outside(message, sender="bob@stranger.test", recipient=recipient)
    return delivery.replies[-1].code, delivery.replies[-1].text


def test_without_the_signing_milter_mail_waits_at_the_client(fragile: Service) -> None:
    """Nothing leaves unsigned; the same message leaves signed when the milter is back."""
    ada, word = fragile.inbox("ada@analytical.test"), token()
    with fragile.smtp(ada) as connected, held_down(fragile, "signing"):
        # Whoever has logged in before is told so with 451 ...
        with pytest.raises(smtplib.SMTPResponseException) as refused:
            connected.send_message(letter(ada.address, "bob@stranger.test", word))
        assert refused.value.smtp_code == 451
        # ... and who comes later with 454, at the first command that Postfix would have shown to the milter.
        for port in ("submission", "submissions"):
            code, text = submit(fragile, ada, "bob@stranger.test", word, port)
            assert code in {451, 454}, text
    assert fragile.all_outside(word) == []
    until(lambda: submit(fragile, ada, "bob@stranger.test", word)[0] == 250, "submission with the milter back")
    assert signed_by(fragile, fragile.outside(word).content) == "analytical.test"


def test_without_the_policy_daemon_submission_waits_and_arrival_goes_on(fragile: Service) -> None:
    ada, word = fragile.inbox("ada@analytical.test"), token()
    with held_down(fragile, "policyd"):
        code, text = submit(fragile, ada, "bob@stranger.test", token())
        assert code == 451, text
        assert receive(fragile, ada.address, word)[0] == 250
        fragile.arrived(ada, word)
    until(lambda: submit(fragile, ada, "bob@stranger.test", token())[0] == 250, "submission with the daemon back")


@on_sqlite
def test_without_dovecot_mail_from_outside_waits_in_the_queue(fragile: Service) -> None:
    ada, word = fragile.inbox("ada@analytical.test"), token()
    with held_down(fragile, "dovecot"):
        assert receive(fragile, ada.address, word)[0] == 250
    fragile.arrived(ada, word, seconds=60)


@on_sqlite
def test_without_rspamd_mail_arrives_unscored(fragile: Service) -> None:
    ada, word = fragile.inbox("ada@analytical.test"), token()
    with held_down(fragile, "rspamd"):
        assert receive(fragile, ada.address, word)[0] == 250
        fragile.arrived(ada, word)


@on_sqlite
def test_without_the_resolver_outgoing_mail_waits_in_the_queue(fragile: Service) -> None:
    ada, word = fragile.inbox("ada@analytical.test"), token()
    with held_down(fragile, "unbound"):
        assert submit(fragile, ada, "bob@stranger.test", word)[0] == 250
        assert fragile.all_outside(word) == []
    assert signed_by(fragile, fragile.outside(word, 60).content) == "analytical.test"


def test_the_hourly_limit_answers_450_with_its_reason(fragile: Service) -> None:
    """One account at its limit, another one not."""
    grace, annabella = fragile.inbox("grace@lovelace.test"), fragile.inbox("annabella@lovelace.test")
    config = Path(fragile.endpoints["config"])
    text = config.read_text()
    config.write_text(re.sub(r"messages_per_hour = \d+", "messages_per_hour = 3", text))
    try:
        start_again(fragile, "policyd")
        words = [token() for _ in range(4)]
        answers = [submit(fragile, grace, "bob@stranger.test", word) for word in words]
        assert [code for code, _ in answers] == [250, 250, 250, 450], answers
        assert re.search(r"\b3\b.*hour", answers[-1][1]), answers[-1]
        for word in words[:3]:
            fragile.outside(word)
        assert fragile.all_outside(words[3]) == []
        assert submit(fragile, annabella, "bob@stranger.test", token())[0] == 250
    finally:
        config.write_text(text)
        start_again(fragile, "policyd")


@contextmanager
def database_down(service: Service, cluster: postgresql.Cluster) -> Iterator[None]:
    """PostgreSQL stops; SQLite's directory is not where it was, so that who opens the file anew fails."""
    if service.database:
        cluster.stop()
        try:
            yield
        finally:
            cluster.start()
        return
    directory = Path(service.endpoints["database"].removeprefix("sqlite:///")).parent
    askers = ("policyd", "signing")
    away = directory.with_name("away")
    directory.rename(away)
    try:
        start_again(service, *askers)
        yield
    finally:
        away.rename(directory)
        start_again(service, *askers)


@pytest.mark.timeout(300)
def test_a_database_that_is_down_is_a_451_and_the_mail_comes_through_later(
    fragile: Service, own_cluster: postgresql.Cluster
) -> None:
    """Strangers and clients are told to come again, nobody that his password is wrong; then all get through."""
    ada, word = fragile.inbox("ada@analytical.test"), token()
    # Postfix opens SQLite's file at the first look-up of each kind; if it is gone then, clients wait for its return.
    for port in ("submission", "submissions"):
        assert submit(fragile, ada, "bob@stranger.test", token(), port)[0] == 250
    with database_down(fragile, own_cluster):
        if fragile.database:
            code, text = receive(fragile, ada.address, word)
            assert code == 451, text
        for port in ("submission", "submissions"):
            code, text = submit(fragile, ada, "bob@stranger.test", word, port)
            assert code == 451, text
        assert fragile.all_outside(word) == []

    def leaves() -> bool:
        return submit(fragile, ada, "bob@stranger.test", word)[0] == 250

    def arrives() -> bool:
        return receive(fragile, ada.address, word)[0] == 250

    until(leaves, "submission with the database back", RECOVERY_SECONDS)
    until(arrives, "arrival with the database back", RECOVERY_SECONDS)
    fragile.arrived(ada, word)
    assert signed_by(fragile, fragile.outside(word).content) == "analytical.test"


@on_sqlite
def test_a_database_that_is_locked_is_a_451(fragile: Service) -> None:
    """SQLite: somebody writes for too long. What cannot be counted does not leave; reading goes on."""
    ada, word = fragile.inbox("ada@analytical.test"), token()
    # One who has not sent yet: for others the policy daemon may hold a few messages that are counted already.
    young = fragile.new_inbox("locked")
    connection = sqlite3.connect(fragile.endpoints["database"].removeprefix("sqlite:///"), isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        assert receive(fragile, ada.address, word)[0] == 250
        fragile.arrived(ada, word)
        code, text = submit(fragile, young, "bob@stranger.test", token())
        assert code == 451, text
        connection.execute("ROLLBACK")
    finally:
        connection.close()
    until(lambda: submit(fragile, young, "bob@stranger.test", token())[0] == 250, "submission after the lock")


@on_sqlite
def test_a_milter_that_hangs_is_a_451_not_a_wait_for_ever(fragile: Service) -> None:
    ada, word = fragile.inbox("ada@analytical.test"), token()
    signal_all([pid(fragile, "signing")], signal.SIGSTOP)
    try:
        started = time.monotonic()
        code, text = submit(fragile, ada, "bob@stranger.test", word)
        print(f"answered {code} after {time.monotonic() - started:.1f} s")
        assert code in {451, 454}, text
    finally:
        signal_all([pid(fragile, "signing")], signal.SIGCONT)
    assert fragile.all_outside(word) == []
