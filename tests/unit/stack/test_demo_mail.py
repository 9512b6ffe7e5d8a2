from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default

from smailor.stack.demo_mail import conversations

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
PARSED = [(message, message_from_bytes(message.content, policy=default)) for message in conversations(NOW)]


def test_every_message_is_of_the_last_week_and_whole() -> None:
    for message, parsed in PARSED:
        assert NOW - timedelta(days=7) < message.received_at < NOW
        assert parsed["Date"].datetime == message.received_at
        assert parsed["From"].addresses
        assert not parsed.defects
        assert b"\n" not in message.content.replace(b"\r\n", b"")
        assert max(map(len, message.content.split(b"\r\n"))) <= 998


def test_replies_name_a_message_that_is_there() -> None:
    known = {parsed["Message-ID"] for _, parsed in PARSED}
    answers = [parsed for _, parsed in PARSED if parsed["In-Reply-To"]]
    assert answers
    for answer in answers:
        assert {answer["In-Reply-To"], *answer["References"].split()} <= known


def test_there_is_something_of_each_kind_to_look_at() -> None:
    kinds = {part.get_content_type() for _, parsed in PARSED for part in parsed.walk()}
    assert {"text/plain", "text/html", "text/calendar", "text/csv"} <= kinds
    assert any(parsed["List-Unsubscribe"] for _, parsed in PARSED)
