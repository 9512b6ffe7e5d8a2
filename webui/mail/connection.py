"""Opening an IMAP connection on behalf of a logged-in person. The only file that knows IMAPClient's sockets and errors.

The connection is encrypted (STARTTLS) and the server's certificate checked before any secret is sent; the secret is a
token of one minute, drawn for this one log-in.
"""

import imaplib
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientAbortError, LoginError

from smailor.errors import NotFound, TemporaryFailure

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0


class _Imap4(imaplib.IMAP4):
    """imaplib that connects to one address and expects a certificate for another name."""

    def __init__(self, name: str, endpoint: tuple[str, int], timeout: float) -> None:
        self._endpoint = endpoint
        super().__init__(name, endpoint[1], timeout=timeout)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        return socket.create_connection(self._endpoint, timeout)


class Client(IMAPClient):
    """IMAPClient over that."""

    def __init__(self, name: str, endpoint: tuple[str, int]) -> None:
        self._endpoint = endpoint
        super().__init__(name, endpoint[1], ssl=False, timeout=SocketTimeout(CONNECT_SECONDS, READ_SECONDS))  # type: ignore[arg-type] # annotated too narrowly
        self.normalise_times = False  # aware times, not the server's wall clock

    def _create_IMAP4(self) -> imaplib.IMAP4:  # noqa: N802 - IMAPClient's name
        return _Imap4(self.host, self._endpoint, CONNECT_SECONDS)


def endpoint(text: str) -> tuple[str, int]:
    """Return host and port of `host:port` (`[::1]:143` for IPv6)."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def tls_context(ca_file: str) -> ssl.SSLContext:
    """Return a context that trusts one authority, or the system's where `ca_file` is empty."""
    context = ssl.create_default_context(cafile=ca_file or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def open_client(
    *,
    address: tuple[str, int],
    server_name: str,
    tls: Callable[[], ssl.SSLContext],
    login: str,
    token: Callable[[], str],
) -> Client:
    """Connect, encrypt, log in.

    Args:
        address: host and port of the IMAP server.
        server_name: the name that its certificate must have.
        tls: makes the context, read at each connection, so that a new authority counts at once.
        login: the inbox's address.
        token: draws the secret; called once the connection is encrypted.

    Raises:
        TemporaryFailure: the server does not answer, or not as it should.
    """
    with mail_errors():
        client = Client(server_name, address)
        try:
            client.starttls(tls())
            client.login(login, token())
        except BaseException:
            close(client)
            raise
        return client


def close(client: IMAPClient) -> None:
    """Close a connection, whatever state it is in, without waiting for the server."""
    with suppress(OSError, imaplib.IMAP4.error):
        client.shutdown()


@contextmanager
def mail_errors() -> Iterator[None]:
    """Turn IMAP's and the network's errors into ours.

    Raises:
        TemporaryFailure: the server is away, slow or refuses the token.
        NotFound: the server says that what was asked for does not exist (RFC 5530), or answers NO.
    """
    try:
        yield
    except LoginError as error:
        raise TemporaryFailure("the mail server did not accept the log-in; try again in a moment") from error
    except (OSError, IMAPClientAbortError) as error:
        raise TemporaryFailure("the mail server does not answer; try again in a moment") from error
    except imaplib.IMAP4.error as error:
        raise NotFound("the mail server does not know that folder or message") from error
