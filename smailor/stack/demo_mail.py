"""The conversations that a new local service starts with: what to look at, made up from the letters of 1842 and 1843.

Values only: messages with the folder, the date and the flags that they have in somebody's inbox. Delivering them is
demo.py's business.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

ADA = "Ada Lovelace <ada@analytical.test>"
CHARLES = "Charles Babbage <charles@analytical.test>"
GRACE = "Grace Hopper <grace@lovelace.test>"
ANNABELLA = "Annabella Byron <annabella@lovelace.test>"
MICHAEL = "Michael Faraday <michael@royalsociety.test>"
GAZETTE = "The Loom Gazette <news@loom-gazette.test>"

SEEN = "\\Seen"
ANSWERED = "\\Answered"
FLAGGED = "\\Flagged"


@dataclass(frozen=True, slots=True)
class DemoMessage:
    """One message in one inbox.

    Attributes:
        inbox: whose.
        folder: in which folder.
        received_at: when it came or was sent.
        flags: IMAP flags.
        content: the message with CRLF line ends.
    """

    inbox: str
    folder: str
    received_at: datetime
    flags: tuple[str, ...]
    content: bytes


def conversations(now: datetime) -> tuple[DemoMessage, ...]:
    """The messages of the last week, as they lie in the inboxes of both workspaces."""
    return tuple(_all(now))


def _all(now: datetime) -> Iterator[DemoMessage]:
    yield from _the_notes(now)
    yield from _the_design(now)
    yield from _the_newsletter(now)
    yield from _the_meeting(now)
    yield from _the_welcome(now)


def _the_notes(now: datetime) -> Iterator[DemoMessage]:
    """A thread of three between two workspaces and an answer that waits."""
    first = _message(
        now - timedelta(days=6, hours=3), "notes-1", GRACE, ADA, "Your notes on the engine",
        "Dear Ada,\n\nI have read your translation twice. Note G is the part that everybody will remember: you have "
        "the machine compute the Bernoulli numbers step by step, and nobody has written such a table before.\n\nWould "
        "you let me print the table for my students?\n\nGrace",
    )  # fmt: skip
    second = _message(
        now - timedelta(days=5, hours=20), "notes-2", ADA, GRACE, "Re: Your notes on the engine",
        "Dear Grace,\n\nGladly. Do mark the loop over the operations 13 to 23: it is what makes the table short.\n\n"
        "Ada\n\nOn Monday Grace Hopper wrote:\n> Would you let me print the table for my students?",
        answers=("notes-1",),
    )  # fmt: skip
    third = _message(
        now - timedelta(days=4, hours=22), "notes-3", GRACE, ADA, "Re: Your notes on the engine",
        "Thank you! One of them found something in the fourth operation: should it not be v5 / v4, where the table "
        "says v4 / v5? I believe we have found a bug, and it isn't even a moth this time.\n\nGrace",
        answers=("notes-1", "notes-2"),
    )  # fmt: skip
    yield from _sent_and_received(first, "grace@lovelace.test", "ada@analytical.test", (SEEN, ANSWERED))
    yield from _sent_and_received(second, "ada@analytical.test", "grace@lovelace.test", (SEEN, ANSWERED))
    yield from _sent_and_received(third, "grace@lovelace.test", "ada@analytical.test", (FLAGGED,))


def _the_design(now: datetime) -> Iterator[DemoMessage]:
    """A message with an attachment, and what a stranger answers."""
    table = "operation,variables,result\n1,v2 x v3,v4 v5 v6\n2,v4 - v1,v4\n3,v5 + v1,v5\n4,v5 / v4,v11\n"
    drawing = _message(
        now - timedelta(days=3, hours=5), "design-1", CHARLES, ADA, "Table of operations, second draft",
        "Ada,\n\nattached is the table as I would have it engraved. The mill needs 50 digits; the store, a thousand "
        "numbers. The Treasury has not answered.\n\nC.B.",
    )  # fmt: skip
    drawing.add_attachment(table.encode(), maintype="text", subtype="csv", filename="opérations, draft 2.csv")
    yield from _sent_and_received(drawing, "charles@analytical.test", "ada@analytical.test", (SEEN,))
    question = _message(
        now - timedelta(days=2, hours=1), "faraday-1", MICHAEL, CHARLES, "A lecture on Friday?",
        "Dear Mr Babbage,\n\nwould you show the engine, or a part of it, at a Friday evening discourse? The theatre "
        "holds a thousand, and the children sit in front.\n\nYours, M. Faraday",
    )  # fmt: skip
    yield _received(question, "charles@analytical.test", ())


def _the_newsletter(now: datetime) -> Iterator[DemoMessage]:
    """HTML with a picture that lies elsewhere: it is not fetched until the reader asks for it."""
    news = _message(
        now - timedelta(days=1, hours=7), "gazette-117", GAZETTE, ANNABELLA, "The Loom Gazette, no. 117",
        "This week: cards that weave. Read it at https://loom-gazette.test/117",
    )  # fmt: skip
    news["List-Id"] = "The Loom Gazette <news.loom-gazette.test>"
    news["List-Unsubscribe"] = "<https://loom-gazette.test/unsubscribe?r=annabella>"
    news["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    news.add_alternative(
        """\
<html><body style="font-family: Georgia, serif; color: #333">
<img src="https://loom-gazette.test/pixel.gif?r=annabella" width="1" height="1" alt="">
<h1 style="color: #7a1f3d">The Loom Gazette</h1>
<p><b>This week: cards that weave.</b> In Lyon they have strung twenty-four thousand of them together, and the portrait
that the loom made of its inventor is so fine that visitors take it for an engraving.</p>
<table cellpadding="8"><tr><td style="background: #f4ecd8">No. 117</td><td>Two pence</td></tr></table>
<p><a href="https://loom-gazette.test/117">Read on</a></p>
</body></html>
""",
        subtype="html",
    )
    yield _received(news, "annabella@lovelace.test", ())


def _the_meeting(now: datetime) -> Iterator[DemoMessage]:
    """An invitation that a calendar understands."""
    start = (now + timedelta(days=2)).replace(hour=10, minute=0, second=0, microsecond=0)
    subject = "Reading of the notes"
    invitation = _message(
        now - timedelta(hours=9), "reading-1", ANNABELLA, GRACE, f"Invitation: {subject}",
        f"You are invited: {subject}, {start:%A %d %B}, 10:00 UTC, in the library.\n",
    )  # fmt: skip
    event = [
        "BEGIN:VCALENDAR", "PRODID:-//Smailor//Demo//EN", "VERSION:2.0", "METHOD:REQUEST", "BEGIN:VEVENT",
        "UID:reading-1@lovelace.test", f"DTSTAMP:{now:%Y%m%dT%H%M%SZ}", f"DTSTART:{start:%Y%m%dT%H%M%SZ}",
        f"DTEND:{start + timedelta(hours=1):%Y%m%dT%H%M%SZ}", f"SUMMARY:{subject}", "LOCATION:The library",
        "ORGANIZER;CN=Annabella Byron:mailto:annabella@lovelace.test",
        "ATTENDEE;CN=Grace Hopper;RSVP=TRUE:mailto:grace@lovelace.test", "END:VEVENT", "END:VCALENDAR", "",
    ]  # fmt: skip
    invitation.add_alternative("\r\n".join(event), subtype="calendar", params={"method": "REQUEST"})
    yield from _sent_and_received(invitation, "annabella@lovelace.test", "grace@lovelace.test", ())


def _the_welcome(now: datetime) -> Iterator[DemoMessage]:
    """The newest message: what to try."""
    welcome = _message(
        now - timedelta(minutes=4), "welcome-1", "Smailor <operator@smailor.test>", ADA, "Welcome to Smailor",
        "Hello Ada,\n\nthis is your inbox. Answer Grace, who has found something in the fourth operation; write to "
        "anybody@stranger.test, and the message arrives in the small internet beside this service; or point a mail "
        "client at it with an app password.\n\nThe operator",
    )  # fmt: skip
    yield _received(welcome, "ada@analytical.test", ())


def _message(
    date: datetime, name: str, sender: str, recipient: str, subject: str, text: str, *, answers: tuple[str, ...] = ()
) -> EmailMessage:
    message = EmailMessage(policy=SMTP.clone(max_line_length=78))
    message["Date"] = format_datetime(date)
    message["From"] = sender
    message["To"] = recipient
    message["Subject"] = subject
    message["Message-ID"] = _identifier(name)
    if answers:
        message["In-Reply-To"] = _identifier(answers[-1])
        message["References"] = " ".join(_identifier(answer) for answer in answers)
    message.set_content(text + "\n")
    return message


def _identifier(name: str) -> str:
    return f"<{name}@demo.smailor.test>"


def _received(message: EmailMessage, inbox: str, flags: tuple[str, ...]) -> DemoMessage:
    date = message["Date"].datetime
    return DemoMessage(inbox, "INBOX", date, flags, message.as_bytes())


def _sent_and_received(
    message: EmailMessage, sender: str, recipient: str, flags: tuple[str, ...]
) -> Iterator[DemoMessage]:
    yield DemoMessage(sender, "Sent", message["Date"].datetime, (SEEN,), message.as_bytes())
    yield _received(message, recipient, flags)
