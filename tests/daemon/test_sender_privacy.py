"""The signing milter's process and database: a wish for privacy, and rights to send, that change while it runs."""

import shutil
import time
from collections.abc import Iterator
from datetime import datetime

import pytest
from sqlalchemy import text

from smailor.accounts import workspaces
from smailor.database.engine import Database
from smailor.domains import service as domains
from smailor.mailboxes import sender_rights
from smailor.mailboxes import service as mailboxes
from smailor.sealing import Sealer
from tests.daemon.milter_process import wait_for
from tests.daemon.signing_process import SEALING_KEY, SigningProcess, verified_by

ADA, BOSS = "ada@acme.test", "boss@acme.test"
BODY = b"Hello\r\n"


def fields(author: str) -> list[tuple[str, bytes]]:
    return [
        ("Received", b" from pc-17 (10.0.0.5) by office.acme.test with SMTP; Mon, 23 Nov 2026 09:29:58 +0000"),
        ("From", f" {author}".encode()),
        ("Date", b" Mon, 23 Nov 2026 09:30:00 +0000"),
        ("Message-ID", b" <1@acme.test>"),
    ]


@pytest.fixture
def acme(database: Database, now: datetime) -> Database:
    workspaces.create_workspace(database, slug="acme", name="Acme", now=now)
    domains.add_domain(database, workspace="acme", name="acme.test", sealer=Sealer([SEALING_KEY]), now=now)
    with database.transaction() as session:
        session.execute(text("UPDATE domains SET verified_at = created_at"))
    for address in (ADA, BOSS):
        mailboxes.create_inbox(database, workspace="acme", address=address, name="Somebody", now=now)
    return database


@pytest.fixture
def running(acme: Database) -> Iterator[SigningProcess]:
    url = acme.engine.url.render_as_string(hide_password=False).replace("+psycopg", "")
    # One worker: each remembers for itself, and whichever is free takes a connection.
    milter = SigningProcess(url, workers=1).wait_until_ready()
    yield milter
    milter.clean_up()
    shutil.rmtree(milter.directory)


def test_a_wish_is_in_force_within_two_seconds_and_every_message_verifies(running, acme):
    verifies = verified_by(acme, "acme", "acme.test")

    def told() -> bytes:
        with running.connect(ip="198.51.100.7") as client:
            outcome = client.send(fields(ADA), BODY, login=ADA, sender=ADA)
        assert outcome.accepted
        assert verifies(outcome.message(BODY))
        return b"\n".join(outcome.values("Received"))

    assert told() == b"", "hidden from the beginning"
    for on in (False, True):
        workspaces.set_sender_privacy(acme, workspace="acme", on=on)
        asked_at = time.monotonic()
        wait_for(lambda on=on: (b"[198.51.100.7]" in told()) is not on)
        assert time.monotonic() - asked_at < 2
    workspaces.set_sender_privacy(acme, workspace="acme", on=False)
    wait_for(lambda: b"10.0.0.5" in told())
    assert b" from [198.51.100.7] (client.example.org [198.51.100.7])" in told()


def test_a_right_counts_from_the_next_message_on_and_ends_with_it(running, acme, now):
    def outcome(author, sender):
        with running.connect() as client:
            return client.send(fields(author), BODY, login=ADA, sender=sender)

    for sender, others in ((BOSS, (BOSS,)), ("@acme.test", (BOSS, "any@acme.test"))):
        for other in others:
            refused = outcome(other, ADA)
            assert refused.reply == f"550 5.7.1 <{other}> may not be used as From by {ADA}"
            refused = outcome(ADA, other)
            assert refused.reply == f"550 5.7.1 <{other}> may not be used as envelope sender by {ADA}"
        sender_rights.allow(acme, workspace="acme", login=ADA, sender=sender, now=now)
        assert all(outcome(other, other).accepted for other in others)
        sender_rights.disallow(acme, workspace="acme", login=ADA, sender=sender)
        assert not any(outcome(other, other).accepted for other in others)
