"""Handing a message to our own submission server on behalf of a logged-in person (RFC 6409).

All recipients are accepted before the message is sent; if one is refused nothing goes to the others, so that a person
corrects the address and sends once.
"""

import smtplib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from webui.mail.composing import Outgoing

TIMEOUT_SECONDS = 30.0
MAX_REASONS = 5


@dataclass(frozen=True, slots=True)
class Accepted:
    """The server has taken the message and will deliver it."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The server has not taken the message.

    Attributes:
        reasons: the server's own words, each with the address it is about where there is one.
        temporary: trying again later can help.
    """

    reasons: tuple[str, ...]
    temporary: bool


@dataclass(frozen=True, slots=True)
class Unreachable:
    """The server did not answer. `uncertain`: it may have taken the message all the same."""

    uncertain: bool = False


Result = Accepted | Refused | Unreachable


class _Smtp(smtplib.SMTP):
    """smtplib that connects to one address and expects a certificate for another name."""

    def __init__(self, server_name: str, endpoint: tuple[str, int]) -> None:
        self._endpoint = endpoint
        # smtplib connects here, and takes the name for TLS from its host argument alone.
        super().__init__(server_name, endpoint[1], local_hostname="localhost", timeout=TIMEOUT_SECONDS)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        del host, port
        return socket.create_connection(self._endpoint, timeout)


def submit(
    outgoing: Outgoing,
    *,
    address: tuple[str, int],
    server_name: str,
    tls: Callable[[], ssl.SSLContext],
    login: str,
    token: Callable[[], str],
) -> Result:
    """Send a message.

    Args:
        outgoing: from `compose`.
        address: host and port of the submission server.
        server_name: the name that its certificate must have.
        tls: makes the TLS context.
        login: the inbox's address.
        token: draws the secret; called once the connection is encrypted.
    """
    sending = False
    smtp: smtplib.SMTP | None = None
    try:
        smtp = _Smtp(server_name, address)
        smtp.starttls(context=tls())
        smtp.login(login, token())
        _expect(smtp.mail(outgoing.sender, [f"SIZE={len(outgoing.message)}"]))
        refused = [
            (recipient, answer) for recipient in outgoing.recipients if (answer := smtp.rcpt(recipient))[0] >= 300
        ]
        if refused:
            reasons = tuple(f"{recipient}: {_words(*answer)}" for recipient, answer in refused[:MAX_REASONS])
            return Refused(reasons, temporary=all(answer[0] < 500 for _, answer in refused))
        sending = True
        _expect(smtp.data(outgoing.message))
        sending = False
    except smtplib.SMTPResponseException as error:
        return Refused((_words(error.smtp_code, error.smtp_error),), temporary=error.smtp_code < 500)
    except (smtplib.SMTPException, OSError):
        return Unreachable(uncertain=sending)
    finally:
        if smtp is not None:
            _leave(smtp)
    return Accepted()


def _expect(answer: tuple[int, bytes]) -> None:
    if answer[0] >= 300:
        raise smtplib.SMTPResponseException(*answer)


def _leave(smtp: smtplib.SMTP) -> None:
    try:
        smtp.quit()
    except (smtplib.SMTPException, OSError):
        smtp.close()


def _words(code: int, text: bytes | str) -> str:
    """The server's answer as one line: `550 5.1.1 no such user`."""
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"{code} {' '.join(said.split())}"[:500]
