"""What people and other mail hosts do with the service, from outside and over either address family.

The programs connect to a server's address and hold its certificate against the name that they would have asked the DNS for.
"""

import asyncio
import smtplib
import socket
import ssl
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import EmailMessage

from imapclient import IMAPClient

from tests.provision.lab.laboratory import STRANGERS
from tests.provision.lab.service import Account, Service
from tests.system.running import until

STRANGER = f"stranger@{STRANGERS}"
BUSY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Outside:
    """The service over one address family.

    Args:
        service: whose servers are meant.
        family: 4 or 6.
        mx: full name of the MX host that is meant; empty: the first.
    """

    service: Service
    family: int
    mx: str = ""

    def address(self, group: str) -> str:
        """Of the first server of a group, or of the MX host that is meant."""
        host = self.service.machines[self.mx] if self.mx and group == "mx" else self.service.host(group)
        return host.ipv4 if self.family == 4 else host.ipv6

    @property
    def submission_name(self) -> str:
        """The name that mail programs send through."""
        return str(self.service.variables.get("service_submission_name", self.service.mail_name))

    @property
    def trust(self) -> ssl.SSLContext:
        """Trusts the authority alone, and checks names."""
        return ssl.create_default_context(cadata=self.service.laboratory.authority.root())

    # --- mail in

    def deliver(self, message: EmailMessage, recipient: str, *, sender: str = STRANGER, timeout: float = 60) -> None:
        """Deliver to port 25 as a stranger's mail host does: over TLS, and again a little later when told so."""
        deadline = time.monotonic() + BUSY_SECONDS
        name = self.mx or self.service.groups["mx"][0]
        while True:
            try:
                with self.port_25(timeout) as client:
                    client._host = name
                    client.starttls(context=self.trust)
                    client.ehlo()
                    client.send_message(message, sender, [recipient])
            except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused) as refused:
                later = all(400 <= code < 500 for code in _codes(refused))
                if not later or time.monotonic() > deadline:
                    raise
                time.sleep(1)
            else:
                return

    @contextmanager
    def port_25(self, timeout: float = 60) -> Iterator[smtplib.SMTP]:
        """A conversation with an MX host as a stranger, after EHLO."""
        with smtplib.SMTP(self.address("mx"), 25, local_hostname=f"mx.{STRANGERS}", timeout=timeout) as client:
            client.ehlo()
            yield client

    # --- people

    @contextmanager
    def submission(self, account: Account | None = None, port: int = 587) -> Iterator[smtplib.SMTP]:
        """Submission on 587 after STARTTLS, or on 465; logged in if an account is given."""
        if port == 465:
            with _NamedSmtps(self.address("mx"), self.submission_name, self.trust) as secured:
                if account:
                    secured.login(account.address, account.secret)
                yield secured
            return
        with smtplib.SMTP(self.address("mx"), port, local_hostname="client.test", timeout=60) as client:
            client._host = self.submission_name
            client.starttls(context=self.trust)
            client.ehlo()
            if account:
                client.login(account.address, account.secret)
            yield client

    @contextmanager
    def imap(self, account: Account) -> Iterator[IMAPClient]:
        """IMAP on 143 after STARTTLS, logged in."""
        client = IMAPClient(self.address("mailstore"), 143, ssl=False, timeout=30)
        try:
            # imaplib checks the certificate for the name that it was told to connect to.
            client._imap.host = self.service.mail_name
            client.starttls(self.trust)
            client.login(account.address, account.secret)
            yield client
        finally:
            with suppress(OSError):
                client.shutdown()

    def arrived(self, account: Account, word: str, folder: str = "INBOX") -> bytes:
        """Wait for the message with this word in its subject, and return it."""
        with self.imap(account) as client:
            client.select_folder(folder, readonly=True)

            def find() -> bytes | None:
                client.noop()
                found = client.search(["SUBJECT", word])
                return client.fetch(found, ["BODY.PEEK[]"])[found[0]][b"BODY[]"] if found else None

            return until(find, f"message {word} in {folder} of {account.address}", BUSY_SECONDS)

    def get(self, name: str, path: str) -> str:
        """A page by HTTPS, fetched by curl with the authority's root as its only one."""
        address = self.address("web")
        where = f"{name}:443:[{address}]" if self.family == 6 else f"{name}:443:{address}"
        command = ["curl", "--silent", "--show-error", "--fail", "--cacert", self.service.root, "--resolve", where]
        done = subprocess.run([*command, f"https://{name}{path}"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def tls(self, port: int, name: str) -> tuple[str | None, str]:
        """Shake hands on a port that speaks TLS from the first byte; the chain and the name are checked.

        Returns:
            The version of TLS, and the certificate's serial number.
        """
        group = {443: "web", 465: "mx", 993: "mailstore"}[port]
        with (
            socket.create_connection((self.address(group), port), timeout=20) as plain,
            self.trust.wrap_socket(plain, server_hostname=name) as secured,
        ):
            presented = secured.getpeercert() or {}
            return secured.version(), str(presented["serialNumber"])

    def open_ports(self, group: str, ports: Iterable[int]) -> set[int]:
        """Which of these TCP ports take a connection."""
        return asyncio.run(_scan(self.address(group), ports))


async def _scan(address: str, ports: Iterable[int]) -> set[int]:
    # A busy server answers late, a closed port never: patience, and many at once.
    gate = asyncio.Semaphore(400)
    found: set[int] = set()

    async def knock(port: int) -> None:
        async with gate:
            try:
                _, writer = await asyncio.wait_for(asyncio.open_connection(address, port), 4)
            except (OSError, TimeoutError):
                return
            found.add(port)
            writer.close()

    await asyncio.gather(*(knock(port) for port in ports))
    return found


def _codes(refused: Exception) -> list[int]:
    if isinstance(refused, smtplib.SMTPRecipientsRefused):
        return [code for code, _ in refused.recipients.values()]
    assert isinstance(refused, smtplib.SMTPResponseException)
    return [refused.smtp_code]


class _NamedSmtps(smtplib.SMTP_SSL):
    """TLS with the name of the certificate instead of the address."""

    def __init__(self, address: str, name: str, context: ssl.SSLContext) -> None:
        self._name = name
        super().__init__(address, 465, "client.test", context=context, timeout=60)

    def _get_socket(self, host: str, port: int, timeout: float) -> ssl.SSLSocket:
        return self.context.wrap_socket(socket.create_connection((host, port), timeout), server_hostname=self._name)
