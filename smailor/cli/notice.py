"""Putting a letter of the service into an inbox over IMAP, with a token of a minute: about that inbox itself.

It goes no way that could be limited, paused or filtered. (webui/mail/connection.py is webmail's; faces do not import
one another.)
"""

import imaplib
import logging
import socket
import ssl
from datetime import datetime, timedelta

from smailor import log
from smailor.accounts import app_passwords
from smailor.config import Web
from smailor.database.engine import Database

TIMEOUT_SECONDS = 10.0
TOKEN_LIFETIME = timedelta(minutes=1)

logger = logging.getLogger(__name__)


class _Imap(imaplib.IMAP4):
    """imaplib that connects to one address and expects a certificate for another name."""

    def __init__(self, server_name: str, endpoint: tuple[str, int]) -> None:
        self._endpoint = endpoint
        super().__init__(server_name, endpoint[1], timeout=TIMEOUT_SECONDS)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        return socket.create_connection(self._endpoint, timeout)


def put_into_inbox(database: Database, web: Web, *, login: str, message: bytes, now: datetime) -> bool:
    """Put a letter into an inbox.

    Args:
        database: where the token is kept.
        web: where IMAP is, as webmail reaches it.
        login: the inbox.
        message: header and body, CRLF line ends.
        now: the present moment.

    Returns:
        Whether it is there. What went wrong is logged: a letter is no reason for a job to fail.

    Raises:
        TemporaryFailure: the database does not answer.
    """
    host, _, port = web.imap.rpartition(":")
    secret = app_passwords.issue_web_token(database, login=login, now=now, lifetime=TOKEN_LIFETIME, service="imap")
    try:
        with _Imap(web.mail_hostname or host, (host.strip("[]"), int(port))) as imap:
            imap.starttls(ssl.create_default_context(cafile=web.tls_ca or None))
            imap.login(login, secret)
            status, answer = imap.append("INBOX", "", imaplib.Time2Internaldate(now), message)
    except (imaplib.IMAP4.error, OSError) as error:
        log.event(logger, logging.WARNING, None, "notice not delivered", login=login, reason=error)
        return False
    if status != "OK":
        log.event(logger, logging.WARNING, None, "notice not delivered", login=login, reason=answer)
    return status == "OK"
