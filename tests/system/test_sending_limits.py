"""How much may leave: limits, warm-up, suppression and suspension on the real Postfix, Dovecot and policy daemon."""

import re
import smtplib
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from imapclient.exceptions import IMAPClientError
from sqlalchemy import text as sql

from smailor.config import load_settings
from smailor.database.engine import Database
from tests.system.running import Inbox, Service, letter, token, until

STRANGER = "bob@stranger.test"


def refusal(client: smtplib.SMTP, sender: str, recipient: str = STRANGER) -> tuple[int, str]:
    """Send a message; what is said at the recipient or after the message. (250, …) where it is taken."""
    client.rset()
    client.mail(sender)
    code, text = client.rcpt(recipient)
    if code == 250:
        code, text = client.data(letter(sender, recipient, token()).as_bytes())
    return code, text.decode()


@pytest.fixture
def inbox(service: Service) -> Inbox:
    return service.new_inbox("limited")


def test_an_account_past_its_hour_is_told_until_when(service: Service, inbox: Inbox) -> None:
    service.operate("limits", "set", inbox.address, "messages/hour", "3", "--reason", "test")
    with service.smtp(inbox) as client:
        assert [refusal(client, inbox.address)[0] for _ in range(3)] == [250] * 3
        code, text = refusal(client, inbox.address)
        assert code == 450
        assert re.search(
            rf"4\.7\.1 .*Sending limit reached: 3 messages per hour for {inbox.address}; try again after \d\d:\d\d UTC",
            text,
        )
        shown = {row["measure"]: row for row in service.operate("limits", "show", inbox.address)}
        assert (shown["messages/hour"]["used"], shown["messages/hour"]["maximum"]) == (3, 3)
        service.operate("limits", "set", inbox.address, "messages/hour", "4", "--reason", "one more")
        until(lambda: refusal(client, inbox.address)[0] == 250, "message under the raised limit", 2)


def test_bcc_counts_and_too_many_recipients_are_told(service: Service, inbox: Inbox) -> None:
    service.operate("limits", "set", inbox.address, "recipients/message", "2", "--reason", "test")
    recipients = [f"r{number}@stranger.test" for number in range(3)]
    with service.smtp(inbox) as client, pytest.raises(smtplib.SMTPDataError) as refused:
        client.sendmail(inbox.address, recipients, letter(inbox.address, recipients[0], token()).as_bytes())
    assert refused.value.smtp_code == 550
    assert b"Message has 3 recipients, the limit is 2" in refused.value.smtp_error


def test_a_fresh_domain_past_its_cap_is_told_so(service: Service) -> None:
    """young.test is new; its cap is put down from 480, so that the test need not send as many."""
    shown = service.operate("domain", "warmup", "show", "young.test")
    assert (shown["state"], shown["day"], shown["cap"], shown["next_cap"]) == ("warming", 1, 480, 672)
    past = service.operate("domain", "warmup", "show", "analytical.test")
    assert (past["state"], past["cap"]) == ("graduated", None)
    young = service.inbox("hello@young.test")
    cap = shown["used"] + 2
    service.operate("domain", "warmup", "set", "young.test", "--cap", str(cap), "--reason", "test")
    try:
        with service.smtp(young) as client:
            answers = [refusal(client, young.address) for _ in range(3)]
        assert [code for code, _ in answers] == [250, 250, 450]
        assert f"Warm-up limit of young.test reached today ({cap}); resumes 00:00 UTC" in answers[2][1]
    finally:
        service.operate("domain", "warmup", "set", "young.test", "--clear-cap", "--reason", "test is over")


def test_a_suppressed_recipient_is_refused_with_date_and_reason(service: Service, inbox: Inbox) -> None:
    gone = f"gone-{token()}@stranger.test"
    here = ("--workspace", inbox.workspace)
    service.operate("suppression", "add", gone, *here, "--reason", "mailbox does not exist")
    today = datetime.now(UTC).date().isoformat()
    with service.smtp(inbox) as client:
        client.mail(inbox.address)
        code, text = client.rcpt(gone.upper())
        assert code == 550
        assert f"is on your suppression list since {today} (mailbox does not exist)" in text.decode()
        assert client.rcpt(STRANGER)[0] == 250
    grace = service.inbox("grace@lovelace.test")
    with service.smtp(grace) as client:
        client.mail(grace.address)
        assert client.rcpt(gone)[0] == 250, "another workspace has its own list"
    service.operate("suppression", "remove", gone, *here)
    with service.smtp(inbox) as client:
        client.mail(inbox.address)
        assert client.rcpt(gone)[0] == 250


@pytest.mark.parametrize("scope", ["account", "domain", "workspace"])
def test_a_suspension_stops_a_logged_in_clients_next_message_within_a_second(service: Service, scope: str) -> None:
    inbox = service.new_inbox("suspended", domain="young.test", workspace="lovelace")
    subject = {"account": inbox.address, "domain": "young.test", "workspace": "lovelace"}[scope]
    with service.smtp(inbox) as client:
        assert refusal(client, inbox.address)[0] == 250
        service.operate("suspend", subject, "--sending", "--reason", "spam was seen")
        since = time.monotonic()
        try:
            until(lambda: refusal(client, inbox.address)[0] == 550, "refusal", 5)
            assert time.monotonic() - since < 1
            code, text = refusal(client, inbox.address)
            assert code == 550
            assert f"Sending is suspended for this {scope}; contact postmaster@smailor.test" in text
            with service.imap(inbox) as session:
                session.noop()
        finally:
            service.operate("unsuspend", subject, "--reason", "cleaned up")
        until(lambda: refusal(client, inbox.address)[0] == 250, "message after the suspension", 2)
    trail = service.operate("audit", "list", "--on", f"{scope}:{subject}")
    assert [entry["action"] for entry in trail[:2]] == ["suspension.lift", "suspension.add"]
    assert trail[1]["reason"] == "spam was seen"
    assert trail[1]["actor"].startswith("operator (")


def test_a_suspended_log_in_closes_everything_that_is_open(service: Service, inbox: Inbox) -> None:
    with service.imap(inbox) as session, service.smtp(inbox) as client:
        session.select_folder("INBOX")
        assert service.operate("suspend", inbox.address, "--login", "--reason", "stolen")["connections_ended"]

        def ended() -> bool:
            try:
                session.noop()
            except (IMAPClientError, OSError):
                return True
            return False

        until(ended, "end of the open IMAP connection", 1)
        until(lambda: refusal(client, inbox.address)[0] == 550, "end of sending", 1)
        with pytest.raises(IMAPClientError), service.imap(inbox):
            pass
        with service.smtp() as other, pytest.raises(smtplib.SMTPAuthenticationError):
            other.login(inbox.address, inbox.app_password)
    service.operate("unsuspend", inbox.address)
    with service.imap(inbox) as session:
        session.noop()


def test_mail_for_whoever_may_not_receive_waits_and_is_not_lost(service: Service, inbox: Inbox) -> None:
    """From outside with a 450; from a tenant in our queue, from where it arrives when the suspension is lifted."""
    service.operate("suspend", inbox.address, "--receiving", "--reason", "moving")
    outside, inside = token(), token()
    mail = {"sender": STRANGER, "recipient": inbox.address}
    first = service.from_outside(letter(STRANGER, inbox.address, outside), **mail)
    assert not first.accepted
    assert any(reply.code == 450 and "4.2.1" in reply.text for reply in first.replies)
    grace = service.inbox("grace@lovelace.test")
    with service.smtp(grace) as client:
        client.send_message(letter(grace.address, inbox.address, inside))
    with service.imap(inbox) as session:
        session.select_folder("INBOX")
        assert session.search() == []
    service.operate("unsuspend", inbox.address)
    assert service.from_outside(letter(STRANGER, inbox.address, outside), **mail).accepted
    service.arrived(inbox, outside)
    service.arrived(inbox, inside, seconds=90)


def test_whoever_sends_from_many_networks_is_paused_told_and_goes_on_when_it_was_meant(
    service: Service, inbox: Inbox
) -> None:
    """The job that a timer starts every minute sees it, and puts a letter into the inbox."""
    with service.smtp(inbox) as client:
        assert refusal(client, inbox.address)[0] == 250
        _note_networks(service, inbox.address, 9)
        assert service.operate("jobs", "run", "watch-sending")["told"] == 1
        letter_to_owner = service.arrived(inbox, "was that you")
        until(lambda: refusal(client, inbox.address)[0] == 450, "refusal", 2)
        said = refusal(client, inbox.address)[1]
        assert "Sending is paused for this account (mail from 9 networks within an hour); confirm at http" in said
        assert f"/settings/{inbox.address}/sending".encode() in letter_to_owner.replace(b"=\r\n", b"")
        service.operate("pause", "confirm", inbox.address)
        until(lambda: refusal(client, inbox.address)[0] == 250, "message after the confirmation", 2)
    assert service.operate("jobs", "run", "watch-sending")["paused"] == 0, "left alone for a day"


def _note_networks(service: Service, account: str, count: int) -> None:
    """Note networks that the account has sent from: the test itself has only one."""
    database = Database(load_settings(Path(service.endpoints["config"]), environ={}).database.url)
    slot = int(time.time()) // 300
    with database.transaction() as session:
        for number in range(count):
            session.execute(
                sql("INSERT INTO account_networks (account, network, slot) VALUES (:account, :network, :slot)"),
                {"account": account, "network": f"192.0.{number}.0/24", "slot": slot},
            )
    database.dispose()
