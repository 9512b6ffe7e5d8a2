"""The letters that the service writes to people about their account, in English and German. Plain text. Pure.

Nothing that a stranger typed stands in a letter to an address that has not been verified: a sign-up form must not be a
way to send somebody else's words. `letter` puts a text of any part of the service under the same head.
"""

from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address as HeaderAddress
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from hashlib import sha256

LANGUAGES = ("en", "de")


@dataclass(frozen=True, slots=True)
class Letterhead:
    """Who writes.

    Attributes:
        service: what the service is called.
        sender: the address that letters come from, an inbox of the service.
        contact: whom people write to.
        public_url: how people reach the service, without a final slash.
    """

    service: str
    sender: str
    contact: str
    public_url: str


def letter(head: Letterhead, *, recipient: str, subject: str, text: str, language: str, now: datetime) -> bytes:
    """Return a letter as a message with CRLF line ends.

    Args:
        head: who writes.
        recipient: to whom, in normal form.
        subject: one line.
        text: the text, with the salutation and without the end, which is the same in all letters.
        language: `en` or `de`; anything else is English.
        now: the message's date.
    """
    message = EmailMessage(policy=SMTP)
    message["From"] = HeaderAddress(head.service, addr_spec=head.sender)
    message["To"] = HeaderAddress(addr_spec=recipient)
    message["Subject"] = " ".join(subject.split())
    message["Date"] = format_datetime(now)
    mark = sha256(f"{recipient} {now.isoformat()} {text}".encode()).hexdigest()[:32]
    message["Message-ID"] = f"<{mark}@{head.sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message["Content-Language"] = language if language in LANGUAGES else LANGUAGES[0]
    message.set_content(f"{text.strip()}\n\n{_end(head, language)}\n", charset="utf-8", cte="quoted-printable")
    return message.as_bytes()


def _end(head: Letterhead, language: str) -> str:
    if language == "de":
        return f"-- \n{head.service} · {head.public_url}\nFragen? Schreiben Sie an {head.contact}."
    return f"-- \n{head.service} · {head.public_url}\nQuestions? Write to {head.contact}."
