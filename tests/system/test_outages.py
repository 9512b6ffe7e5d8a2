"""When a part is down: nothing is lost, nothing leaves unsigned, and all goes on when it is back.

Each database has a service of its own here. The supervisor would start a dead program again within a second, so it is
held (SIGSTOP) while something is to stay down.
"""

import json
import os
import re
import signal
import smtplib
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import postgresql
from tests.system.running import Inbox, Service, letter, token, until
from tests.system.test_submission import signed_by

# Postfix asks a PostgreSQL host that has failed again after 60 s (DICT_PGSQL, RETRY_CONN_INTV).
RECOVERY_SECONDS = 90.0


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


@contextmanager
def held_down(service: Service, *names: str) -> Iterator[None]:
    """Kill programs and keep them dead; at the end they are started again and answer."""
    supervisor = facts(service)["pid"]
    os.kill(supervisor, signal.SIGSTOP)
    try:
        for name in names:
            kill(service, name)
        yield
    finally:
        os.kill(supervisor, signal.SIGCONT)
        revived(service, *names)


def kill(service: Service, name: str) -> None:
    """A program and what it has forked."""
    os.killpg(facts(service)["processes"][name]["pid"], signal.SIGKILL)


def revived(service: Service, *names: str) -> None:
    def all_up() -> bool:
        done = service.command("status", "--run-dir", str(service.run_dir), "--json")
        told = {entry["name"]: entry for entry in json.loads(done.stdout)["processes"]}
        return all(told[name]["answers"] for name in names)

    until(all_up, f"{', '.join(names)} after the restart")


def submit(service: Service, inbox: Inbox, recipient: str, word: str) -> tuple[int, str]:
    """The server's last word on a submission, wherever in the dialogue it comes."""
    try:
        with service.smtp(inbox) as client:
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
    """451, and nothing leaves unsigned; the same message leaves signed when the milter is back."""
    ada, word = fragile.inbox("ada@analytical.test"), token()
    with held_down(fragile, "signing"):
        code, text = submit(fragile, ada, "bob@stranger.test", word)
        assert code == 451, text
    assert fragile.all_outside(word) == []
    until(lambda: submit(fragile, ada, "bob@stranger.test", word)[0] == 250, "submission with the milter back")
    assert signed_by(fragile, fragile.outside(word).content) == "analytical.test"
    assert all("DKIM-Signature" in kept.message for kept in fragile.all_outside(word))


def test_without_the_policy_daemon_submission_waits_and_arrival_goes_on(fragile: Service) -> None:
    ada, word = fragile.inbox("ada@analytical.test"), token()
    with held_down(fragile, "policyd"):
        code, text = submit(fragile, ada, "bob@stranger.test", token())
        assert code == 451, text
        assert receive(fragile, ada.address, word)[0] == 250
        fragile.arrived(ada, word)
    until(lambda: submit(fragile, ada, "bob@stranger.test", token())[0] == 250, "submission with the daemon back")


def test_without_dovecot_mail_from_outside_waits_in_the_queue(fragile: Service) -> None:
    ada, word = fragile.inbox("ada@analytical.test"), token()
    with held_down(fragile, "dovecot"):
        assert receive(fragile, ada.address, word)[0] == 250
    fragile.arrived(ada, word, seconds=60)


def test_without_rspamd_mail_arrives_unscored(fragile: Service) -> None:
    ada, word = fragile.inbox("ada@analytical.test"), token()
    with held_down(fragile, "rspamd"):
        assert receive(fragile, ada.address, word)[0] == 250
        fragile.arrived(ada, word)


def test_without_the_resolver_outgoing_mail_waits_in_the_queue(fragile: Service) -> None:
    ada, word = fragile.inbox("ada@analytical.test"), token()
    with held_down(fragile, "unbound"):
        assert submit(fragile, ada, "bob@stranger.test", word)[0] == 250
        assert fragile.all_outside(word) == []
    assert signed_by(fragile, fragile.outside(word, 60).content) == "analytical.test"


def test_a_database_that_is_down_is_a_451_and_the_mail_comes_through_later(
    fragile: Service, own_cluster: postgresql.Cluster
) -> None:
    """At port 25 the stranger is told to come again, at submission the client; both get through afterwards."""
    ada, word = fragile.inbox("ada@analytical.test"), token()
    if fragile.database:
        own_cluster.stop()
    else:
        lock_away(fragile)
    try:
        code, text = receive(fragile, ada.address, word)
        assert code == 451, text
        code, text = submit(fragile, ada, "bob@stranger.test", word)
        assert code in {451, 454}, text
        assert fragile.all_outside(word) == []
    finally:
        if fragile.database:
            own_cluster.start()
        else:
            give_back(fragile)
    until(lambda: receive(fragile, ada.address, word)[0] == 250, "arrival with the database back", RECOVERY_SECONDS)
    fragile.arrived(ada, word)
    until(
        lambda: submit(fragile, ada, "bob@stranger.test", word)[0] == 250,
        "submission with the database back",
        RECOVERY_SECONDS,
    )
    assert signed_by(fragile, fragile.outside(word).content) == "analytical.test"


READERS = ("postfix", "dovecot", "policyd", "signing")


def database_directory(service: Service) -> Path:
    return Path(service.endpoints["database"].removeprefix("sqlite:///")).parent


def lock_away(service: Service) -> None:
    """Make the SQLite file unreadable. Who has it open could go on with it, so the readers begin anew."""
    directory = database_directory(service)
    directory.chmod(0)
    for name in READERS:
        kill(service, name)
    revived(service, *READERS)


def give_back(service: Service) -> None:
    database_directory(service).chmod(0o2770)
    for name in READERS:
        kill(service, name)
    revived(service, *READERS)


def test_a_database_that_is_locked_is_a_451(fragile: Service) -> None:
    """SQLite: somebody writes for too long. What cannot be counted does not leave; reading goes on."""
    if fragile.database:
        pytest.skip("PostgreSQL has no such lock")
    ada, word = fragile.inbox("ada@analytical.test"), token()
    connection = sqlite3.connect(fragile.endpoints["database"].removeprefix("sqlite:///"), isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        assert receive(fragile, ada.address, word)[0] == 250
        fragile.arrived(ada, word)
        code, text = submit(fragile, ada, "bob@stranger.test", token())
        assert code == 451, text
        connection.execute("ROLLBACK")
    finally:
        connection.close()
    until(lambda: submit(fragile, ada, "bob@stranger.test", token())[0] == 250, "submission after the lock")


def test_the_hourly_limit_answers_450_with_its_reason(fragile: Service) -> None:
    """One account at its limit, another one not."""
    grace, annabella = fragile.inbox("grace@lovelace.test"), fragile.inbox("annabella@lovelace.test")
    config = Path(fragile.endpoints["config"])
    text = config.read_text()
    config.write_text(re.sub(r"messages_per_hour = \d+", "messages_per_hour = 3", text))
    kill(fragile, "policyd")
    revived(fragile, "policyd")
    words = [token() for _ in range(4)]
    answers = [submit(fragile, grace, "bob@stranger.test", word) for word in words]
    assert [code for code, _ in answers] == [250, 250, 250, 450]
    assert re.search(r"\b3\b.*hour", answers[-1][1]), answers[-1]
    for word in words[:3]:
        fragile.outside(word)
    assert fragile.all_outside(words[3]) == []
    assert submit(fragile, annabella, "bob@stranger.test", token())[0] == 250


def test_a_milter_that_hangs_is_a_451_not_a_wait_for_ever(fragile: Service) -> None:
    ada, word = fragile.inbox("ada@analytical.test"), token()
    group = facts(fragile)["processes"]["signing"]["pid"]
    os.killpg(group, signal.SIGSTOP)
    try:
        started = time.monotonic()
        code, text = submit(fragile, ada, "bob@stranger.test", word)
        print(f"answered {code} after {time.monotonic() - started:.1f} s")
        assert code == 451, text
    finally:
        os.killpg(group, signal.SIGCONT)
    assert fragile.all_outside(word) == []
