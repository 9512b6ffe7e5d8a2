"""The web's way to an inbox: pooled IMAP, submission, and the short-lived tokens that open both."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from smailor.accounts.app_passwords import issue_web_token
from smailor.config import Web
from smailor.database.engine import Database
from webui.mail import submission
from webui.mail.composing import Outgoing
from webui.mail.connection import endpoint, open_client, tls_context
from webui.mail.mailbox import Inbox
from webui.mail.pool import Pool

TOKEN_LIFETIME = timedelta(seconds=60)
"""Long enough to log in once on a slow day; the connection outlives it."""


class PostOffice:
    """Opens inboxes and sends messages. Who may do so is decided before: see `webui.mail.gate`."""

    def __init__(self, web: Web, database: Database, *, clock: Callable[[], datetime]) -> None:
        """Make one; nothing is connected yet.

        Args:
            web: addresses of the servers, and what their certificates must say.
            database: where tokens are issued.
            clock: gives the present moment.
        """
        self._web = web
        self._database = database
        self._clock = clock
        self._pool: Pool[Inbox] = Pool(alive=Inbox.alive, close=Inbox.close)

    @contextmanager
    def inbox(self, session: str, address: str) -> Iterator[Inbox]:
        """Lend an inbox for the block.

        Args:
            session: the web session that asks; its connections are its own.
            address: the inbox, which the person may open.

        Raises:
            TemporaryFailure: the mail server does not answer.
        """
        with self._pool.lend((session, address), lambda: self._open(address)) as inbox:
            yield inbox

    def leave(self, session: str) -> None:
        """Close a session's connections."""
        self._pool.drop(session)

    def send(self, outgoing: Outgoing, *, login: str) -> submission.Result:
        """Hand a message to the submission server.

        Args:
            outgoing: from `composing.compose`.
            login: the inbox on whose behalf; the server checks that it may use the sender's address.
        """
        return submission.submit(
            outgoing,
            address=endpoint(self._web.submission),
            server_name=self._server_name(self._web.submission),
            tls=self._tls,
            login=login,
            token=lambda: self._token(login, "smtp"),
        )

    def _open(self, address: str) -> Inbox:
        client = open_client(
            address=endpoint(self._web.imap),
            server_name=self._server_name(self._web.imap),
            tls=self._tls,
            login=address,
            token=lambda: self._token(address, "imap"),
        )
        return Inbox(client)

    def _tls(self) -> ssl.SSLContext:
        return tls_context(self._web.tls_ca)

    def _server_name(self, at: str) -> str:
        return self._web.mail_hostname or endpoint(at)[0]

    def _token(self, login: str, service: str) -> str:
        return issue_web_token(self._database, login=login, now=self._clock(), lifetime=TOKEN_LIFETIME, service=service)
