"""Handing a message of the service itself to our own submission server, as an inbox of ours and by its rules.

It logs in with a token of a minute, as webmail does for people: so the message is limited, checked and signed like any
other. Jobs and the web application use it for letters and reports; what people write goes by webui/mail/submission.py.
"""

import logging
import smtplib
import socket
import ssl
from datetime import timedelta

from smailor import clock, log
from smailor.accounts import app_passwords
from smailor.config import Settings, Web
from smailor.database.engine import Database
from smailor.delivery import Deliver, Delivery

TIMEOUT_SECONDS = 30.0
TOKEN_LIFETIME = timedelta(minutes=1)

logger = logging.getLogger(__name__)


class _Smtp(smtplib.SMTP):
    """smtplib that connects to one address and expects a certificate for another name."""

    def __init__(self, server_name: str, endpoint: tuple[str, int]) -> None:
        self._endpoint = endpoint
        super().__init__(server_name, endpoint[1], local_hostname="localhost", timeout=TIMEOUT_SECONDS)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        del host, port
        return socket.create_connection(self._endpoint, timeout)


def hand_over(database: Database, web: Web, login: str, recipient: str, message: bytes) -> Delivery:
    """Submit a message.

    Args:
        database: where the token is kept.
        web: where the submission server is, as webmail reaches it.
        login: the inbox that sends it; its envelope sender, too.
        recipient: to whom.
        message: header and body, CRLF line ends.

    Raises:
        TemporaryFailure: the database does not answer.
    """
    host, _, port = web.submission.rpartition(":")
    secret = app_passwords.issue_web_token(
        database, login=login, now=clock.now(), lifetime=TOKEN_LIFETIME, service="smtp"
    )
    given = False
    try:
        with _Smtp(web.mail_hostname or host, (host.strip("[]"), int(port))) as smtp:
            smtp.starttls(context=ssl.create_default_context(cafile=web.tls_ca or None))
            smtp.login(login, secret)
            _expect(smtp.mail(login, [f"SIZE={len(message)}"]))
            code, text = smtp.rcpt(recipient)
            if code < 300:
                given = True
                code, text = smtp.data(message)
                given = False
            if code < 300:
                return Delivery.SENT
            _tell(f"{code} {text.decode('utf-8', 'replace')}")
            return Delivery.REFUSED if code >= 500 else Delivery.LATER
    except (smtplib.SMTPException, OSError) as error:
        # Also our own server's refusal of the login or sender, which no other message would fare better with.
        _tell(f"{type(error).__name__}: {error}")
        return Delivery.UNKNOWN if given else Delivery.LATER


def letter_carrier(database: Database, settings: Settings) -> Deliver | None:
    """Return what hands over the letters of this service about accounts; None: it writes none."""
    sender = settings.login.letters_from
    if not sender:
        return None
    return lambda recipient, message: hand_over(database, settings.web, sender, recipient, message)


def _expect(answer: tuple[int, bytes]) -> None:
    if answer[0] >= 300:
        raise smtplib.SMTPResponseException(*answer)


def _tell(reason: str) -> None:
    log.event(logger, logging.WARNING, None, "not handed over", reason=reason)
