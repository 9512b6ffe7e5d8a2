"""What people are told about their sending, as messages that can be put into their inbox. Pure."""

from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from hashlib import sha256


def paused(*, account: str, reason: str, service: str, contact: str, confirm_at: str, now: datetime) -> bytes:
    """Return the letter to an account that was paused.

    Args:
        account: the inbox.
        reason: what was seen, in words.
        service: what the service is called.
        contact: whom to write to.
        confirm_at: where to say that it was meant.
        now: the present moment.
    """
    message = EmailMessage(policy=SMTP)
    message["From"] = f"{service} <{contact}>"
    message["To"] = account
    message["Subject"] = "Sending is paused: was that you?"
    message["Date"] = format_datetime(now)
    mark = sha256(f"{account} {now.isoformat()}".encode()).hexdigest()[:32]
    message["Message-ID"] = f"<{mark}@{contact.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(
        f"""Sending from {account} is paused, because it looked unlike you:
{reason}.

It was you? Say so here, and go on at once:
{confirm_at}

It was not you? Then somebody knows one of your passwords. Revoke your app
passwords on the page "Devices", choose a new password, and write to
{contact}.

Nothing is lost: your mail programs keep what they could not send.
"""
    )
    return message.as_bytes()
