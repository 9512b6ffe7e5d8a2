"""The mail host of the world outside: takes a message for anybody and keeps it, byte for byte, as one file.

`NAME.eml` is the data exactly as it came (only the dots of RFC 5321 §4.5.2 taken out); `NAME.json` beside it is its
envelope. A sink for tests and demonstrations: nothing is delivered further, nobody is refused.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import ssl
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from smailor.log import event

MAX_MESSAGE_BYTES = 50 * 1024 * 1024
LONGEST_LINE = 1024 * 1024

_logger = logging.getLogger(__name__)


class MailServer(SMTP):
    """aiosmtpd's server, but longer lines than SMTP allows are kept: what was sent is the point here."""

    line_length_limit = LONGEST_LINE


class Keeper:
    """Keeps messages in a directory. The `.eml` appears last and whole, by renaming: whoever waits for it may read."""

    def __init__(self, maildir: Path, now: Callable[[], datetime]) -> None:
        """maildir: where to keep them. now: the current time."""
        self._maildir = maildir
        self._now = now
        self._numbers = itertools.count(1)

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep one message; called by aiosmtpd."""
        received_at = self._now()
        name = f"{received_at:%Y%m%dT%H%M%S.%f}-{os.getpid()}-{next(self._numbers):06d}"
        sender = "" if envelope.mail_from == "<>" else envelope.mail_from
        facts = {
            "mail_from": sender,
            "rcpt_to": envelope.rcpt_tos,
            "received_at": received_at.isoformat(),
            "helo": session.host_name,
            "tls": _tls(session),
        }
        content = envelope.original_content or b""
        try:
            self._keep(f"{name}.json", json.dumps(facts, indent=1).encode() + b"\n")
            self._keep(f"{name}.eml", content)
        except OSError as error:
            event(_logger, logging.ERROR, None, "cannot keep a message", error=error)
            return "452 4.3.1 Insufficient system storage"
        event(
            _logger, logging.INFO, None, "received", file=name, sender=sender,
            recipients=",".join(envelope.rcpt_tos), bytes=len(content), tls=_tls(session) is not None,
        )  # fmt: skip
        return f"250 2.0.0 kept as {name}"

    def _keep(self, name: str, content: bytes) -> None:
        temporary = self._maildir / f".{name}"
        temporary.write_bytes(content)
        temporary.replace(self._maildir / name)


def _tls(session: Session) -> dict[str, str] | None:
    if not session.ssl:
        return None
    cipher = session.ssl.get("cipher") or ("", "", 0)
    return {"version": cipher[1], "cipher": cipher[0]}


def server_factory(
    maildir: Path, hostname: str, certificate: Path, key: Path, now: Callable[[], datetime]
) -> Callable[[], MailServer]:
    """Make the factory that `loop.create_server` calls for each connection.

    Args:
        maildir: where messages are kept; made if it is not there.
        hostname: the name in the greeting.
        certificate: PEM chain offered at STARTTLS.
        key: its private key.
        now: the current time.

    Raises:
        OSError: directory or certificate cannot be used.
    """
    maildir.mkdir(parents=True, exist_ok=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    keeper = Keeper(maildir, now)

    def make() -> MailServer:
        return MailServer(
            keeper,
            hostname=hostname,
            ident="ESMTP the small internet",
            data_size_limit=MAX_MESSAGE_BYTES,
            enable_SMTPUTF8=True,
            tls_context=context,
            timeout=300,
        )

    return make
