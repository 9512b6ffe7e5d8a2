"""The synthetic probe: one message from an inbox to itself, by submission and IMAP, as a person's mail program would.

It says whether the whole way works, from the login to the message in the inbox, whatever each part says of itself.
"""

import imaplib
import secrets
import socket
import ssl
import time
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime

from smailor.accounts import app_passwords
from smailor.config import Web
from smailor.database.engine import Database
from smailor.delivery import Delivery
from smailor.errors import TemporaryFailure
from smailor.mailboxes.submission import hand_over

WAIT_SECONDS = 90.0
"""From submission to the inbox. Milters, queue and delivery take less than a second when all is well."""
POLL_SECONDS = 1.0
TIMEOUT_SECONDS = 30.0
_FOLDERS = ("INBOX", "Junk")


class _Imap(imaplib.IMAP4):
    """imaplib that connects to one address and expects a certificate for another name."""

    def __init__(self, server_name: str, endpoint: tuple[str, int]) -> None:
        self._endpoint = endpoint
        super().__init__(server_name, endpoint[1], timeout=TIMEOUT_SECONDS)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        return socket.create_connection(self._endpoint, timeout)


def run(database: Database, web: Web, inbox: str, *, now: datetime) -> int:
    """Send a message from an inbox to itself, wait for it, and delete it.

    Args:
        database: where the logins' short-lived tokens are kept.
        web: where submission and IMAP are, as webmail reaches them.
        inbox: the address.
        now: the message's date.

    Returns:
        Milliseconds until it was there.

    Raises:
        TemporaryFailure: it was not taken, or did not come; the text says which.
    """
    mark = secrets.token_hex(16)
    started = time.monotonic()
    sent = hand_over(database, web, inbox, inbox, _message(inbox, mark, now))
    if sent is not Delivery.SENT:
        raise TemporaryFailure(f"the probe was not taken by submission: {sent.value}")
    lifetime = timedelta(seconds=2 * WAIT_SECONDS)
    token = app_passwords.issue_web_token(database, login=inbox, now=now, lifetime=lifetime, service="imap")
    host, _, port = web.imap.rpartition(":")
    try:
        with _Imap(web.mail_hostname or host, (host.strip("[]"), int(port))) as imap:
            imap.starttls(ssl.create_default_context(cafile=web.tls_ca or None))
            imap.login(inbox, token)
            while not _found_and_deleted(imap, mark):
                if time.monotonic() - started > WAIT_SECONDS:
                    raise TemporaryFailure(f"the probe was taken, but is not in the inbox after {WAIT_SECONDS:.0f} s")
                time.sleep(POLL_SECONDS)
    except (imaplib.IMAP4.error, OSError) as error:
        raise TemporaryFailure(f"the probe's inbox cannot be read: {type(error).__name__}: {error}") from error
    return round(1000 * (time.monotonic() - started))


def _message(inbox: str, mark: str, now: datetime) -> bytes:
    message = EmailMessage()
    message["From"] = message["To"] = inbox
    message["Date"] = format_datetime(now)
    message["Subject"] = f"Probe {mark}"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content("Sent by the service to itself, to see that mail comes through.\n")
    return message.as_bytes().replace(b"\n", b"\r\n")


def _found_and_deleted(imap: _Imap, mark: str) -> bool:
    """Look for this probe and delete it, wherever it was filed; whether it was there."""
    for folder in _FOLDERS:
        status, _ = imap.select(folder)
        if status != "OK":
            continue
        _, data = imap.search(None, "HEADER", "Subject", mark)
        numbers = (data[0] or b"").split() if data else []
        if numbers:
            imap.store(b",".join(numbers).decode("ascii"), "+FLAGS.SILENT", r"(\Deleted)")
            imap.expunge()
            return True
    return False
