"""The letter to an account that was paused."""

from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default

from smailor.sending import notices


def test_the_letter_says_what_was_seen_and_what_to_do():
    raw = notices.paused(
        account="ada@acme.test",
        reason="412 recipients within an hour, usually at most 31",
        service="Smailor",
        contact="postmaster@smailor.test",
        confirm_at="https://mail.smailor.test/settings/ada@acme.test/sending",
        now=datetime(2026, 11, 23, 9, 30, tzinfo=UTC),
    )
    assert raw.count(b"\r\n") == raw.count(b"\n"), "IMAP wants CRLF"
    message = message_from_bytes(raw, policy=default)
    assert message["From"] == "Smailor <postmaster@smailor.test>"
    assert message["To"] == "ada@acme.test"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"].endswith("@smailor.test>")
    text = message.get_content()
    assert "412 recipients within an hour" in text
    assert "https://mail.smailor.test/settings/ada@acme.test/sending" in text
