"""A running service as a test sees it: started and stopped by its own commands, known by its endpoints.json only.

Waiting is always for a condition with a deadline; nothing here sleeps for a fixed time.
"""

import json
import os
import shutil
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import default
from email.utils import formatdate
from pathlib import Path
from typing import Any, TypeVar

import dns.resolver
from imapclient import IMAPClient

from smailor.dns.resolver import Resolver
from smailor.stack.internet_send import Delivery, internet_send

MAIL_NAME = "mail.smailor.test"
SMAILOR = Path(sys.executable).with_name("smailor")
UP_SECONDS = 180
DEADLINE_SECONDS = 30.0

T = TypeVar("T")


def until(condition: Callable[[], T], what: str, seconds: float = DEADLINE_SECONDS) -> T:
    """Wait until the condition gives something true, and return that."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"in {seconds} s there was no {what}")
        time.sleep(0.05)
    return found


def free_base_port() -> int:
    """A base port above which nobody listens; below the ports that the kernel gives to outgoing connections.

    Test runs side by side (pytest-xdist) look in ranges of their own: what one has found it will use only later.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = 11000 + 7000 * (worker % 3)
    for base in range(first, first + 7000, 1000):
        if all(_free(base + offset) for offset in (25, 26, 53, 80, 143, 190, 280, 332, 465, 587, 901, 993)):
            return base
    raise AssertionError("no thousand ports are free")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def token() -> str:
    """A word that is in no other message."""
    return f"t{uuid.uuid4().hex}"


def letter(sender: str, recipient: str, subject: str, text: str = "Hello\n", **headers: str) -> EmailMessage:
    """A plain message as a mail client would write it."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = recipient
    message["Subject"] = subject
    message["Date"] = formatdate()
    message["Message-ID"] = f"<{uuid.uuid4().hex}@client.test>"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    return message


@dataclass(frozen=True)
class Kept:
    """A message that arrived in the world outside."""

    content: bytes
    envelope: dict[str, Any]

    @property
    def message(self) -> Message:
        return message_from_bytes(self.content, policy=default)


@dataclass(frozen=True)
class Inbox:
    address: str
    workspace: str
    password: str
    app_password: str


class Service:
    """One local service below a directory of its own."""

    def __init__(self, *, database: str = "", environment: Mapping[str, str] | None = None) -> None:
        # Short, because unix sockets below it have at most 107 bytes of path.
        parent = Path(tempfile.mkdtemp(prefix="sm-", dir="/tmp"))
        parent.chmod(0o755)  # Postfix's, Dovecot's and Rspamd's users pass through it
        self.run_dir = parent / "r"
        self.base_port = free_base_port()
        self.database = database
        self.environment = {**os.environ, **(environment or {})}
        self.demo = True

    def command(self, *arguments: str, seconds: float = 60, **given: Any) -> subprocess.CompletedProcess[str]:
        """Run `smailor …`."""
        return subprocess.run(
            [str(SMAILOR), *arguments],
            capture_output=True,
            text=True,
            timeout=seconds,
            env=self.environment,
            check=False,
            stdin=subprocess.DEVNULL,
            **given,
        )

    def try_up(self, *more: str) -> subprocess.CompletedProcess[str]:
        arguments = ["up", "--detach", "--run-dir", str(self.run_dir), "--base-port", str(self.base_port), *more]
        if self.database:
            arguments += ["--database", self.database]
        if not self.demo:
            arguments.append("--no-demo")
        return self.command(*arguments, seconds=UP_SECONDS)

    def up(self) -> None:
        started = time.monotonic()
        done = self.try_up()
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{self.logs()}"
        print(f"ready after {time.monotonic() - started:.1f} s in {self.run_dir}")

    def down(self) -> subprocess.CompletedProcess[str]:
        return self.command("down", "--run-dir", str(self.run_dir), seconds=60)

    def remove(self) -> None:
        """Bring it down if it is up and delete what is left; for the end of a fixture."""
        if self.run_dir.exists():
            self.down()
        shutil.rmtree(self.run_dir.parent, ignore_errors=True)

    def logs(self, lines: int = 20) -> str:
        """The ends of all logs, for a failure's message."""
        ends = []
        for log in sorted(self.run_dir.glob("log/*")):
            if log.is_file():
                ends += [f"== {log.name}", *log.read_text(errors="replace").splitlines()[-lines:]]
        return "\n".join(ends)

    # --- what is where

    @property
    def endpoints(self) -> dict[str, Any]:
        return json.loads((self.run_dir / "endpoints.json").read_text())

    def port(self, name: str) -> int:
        return int(self.endpoints[name].rpartition(":")[2])

    def inbox(self, address: str) -> Inbox:
        (found,) = [entry for entry in self.endpoints["inboxes"] if entry["address"] == address]
        return Inbox(**found)

    def operate(self, *arguments: str) -> Any:
        """An operator's command; its answer."""
        done = self.command("--config", self.endpoints["config"], *arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    def new_inbox(self, name: str, *, domain: str = "analytical.test", workspace: str = "analytical") -> Inbox:
        """An inbox of the test's own, so that tests do not meet each other's mail."""
        address = f"{name}-{uuid.uuid4().hex[:8]}@{domain}"
        self.operate("inbox", "add", address, "--workspace", workspace, "--name", name.title())
        return Inbox(address, workspace, "", self.new_app_password(address, workspace)["secret"])

    def new_app_password(self, address: str, workspace: str = "analytical", label: str = "test") -> dict[str, Any]:
        return self.operate("app-password", "add", address, "--workspace", workspace, "--label", label)

    @property
    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.endpoints["tls_ca"])

    # --- mail

    @contextmanager
    def smtp(self, inbox: Inbox | None = None) -> Iterator[smtplib.SMTP]:
        """Submission on 587 after STARTTLS, logged in if an inbox is given."""
        with smtplib.SMTP("127.0.0.1", self.port("submission"), local_hostname="client.test", timeout=60) as client:
            client._host = MAIL_NAME  # the name in the certificate
            client.starttls(context=self.tls)
            client.ehlo()
            if inbox is not None:
                client.login(inbox.address, inbox.app_password)
            yield client

    @contextmanager
    def smtps(self, inbox: Inbox) -> Iterator[smtplib.SMTP]:
        """Submission on 465."""
        with _NamedSmtps("127.0.0.1", self.port("submissions"), "client.test", context=self.tls, timeout=60) as client:
            client.login(inbox.address, inbox.app_password)
            yield client

    @contextmanager
    def port_25(self) -> Iterator[smtplib.SMTP]:
        with smtplib.SMTP("127.0.0.1", self.port("smtp"), local_hostname="client.test", timeout=60) as client:
            client.ehlo()
            yield client

    @contextmanager
    def imap(self, inbox: Inbox, password: str = "") -> Iterator[IMAPClient]:
        """IMAP after STARTTLS, logged in."""
        host, port = self.endpoints["imap"].split(":")
        client = IMAPClient(host, int(port), ssl=False, timeout=30)
        try:
            client.host = MAIL_NAME
            client.starttls(self.tls)
            client.login(inbox.address, password or inbox.app_password)
            yield client
        finally:
            client.shutdown()

    def arrived(self, inbox: Inbox, word: str, folder: str = "INBOX", seconds: float = DEADLINE_SECONDS) -> bytes:
        """Wait for the message with this subject word in an inbox, and return it."""
        with self.imap(inbox) as client:
            client.select_folder(folder, readonly=True)

            def find() -> bytes | None:
                client.noop()
                found = client.search(["SUBJECT", word])
                return client.fetch(found, ["BODY.PEEK[]"])[found[0]][b"BODY[]"] if found else None

            return until(find, f"message {word} in {folder} of {inbox.address}", seconds)

    def outside(self, word: str, seconds: float = DEADLINE_SECONDS) -> Kept:
        """Wait for the message with this word in the world outside."""
        (kept,) = until(lambda: self.all_outside(word), f"message {word} outside", seconds)
        return kept

    def all_outside(self, word: str) -> list[Kept]:
        found = []
        for file in sorted(Path(self.endpoints["internet"]["maildir"]).glob("[!.]*.eml")):
            content = file.read_bytes()
            if word.encode() in content:
                found.append(Kept(content, json.loads(file.with_suffix(".json").read_text())))
        return found

    def from_outside(
        self, message: EmailMessage | bytes, *, sender: str, recipient: str, ip: str = "192.0.2.10"
    ) -> Delivery:
        """Deliver a message to port 25 as a stranger does, from an address of the documentation's."""
        return internet_send(
            message if isinstance(message, bytes) else message.as_bytes(),
            server=self.endpoints["smtp"],
            mail_from=sender,
            rcpt_to=(recipient,),
            ip=ip,
            dns=Resolver([self.endpoints["resolver"]]),
        )

    # --- DNS

    def ask(self, name: str, kind: str) -> list[str]:
        """Records from the service's resolver, asked by dnspython directly."""
        stub = dns.resolver.Resolver(configure=False)
        host, port = self.endpoints["resolver"].split(":")
        stub.nameservers, stub.port = [host], int(port)
        try:
            return [record.to_text() for record in stub.resolve(name, kind, search=False)]
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []

    def txt(self, name: bytes, timeout: int = 5) -> bytes | None:
        """A TXT record for dkimpy's verifier."""
        del timeout
        stub = dns.resolver.Resolver(configure=False)
        host, port = self.endpoints["resolver"].split(":")
        stub.nameservers, stub.port = [host], int(port)
        try:
            answer = stub.resolve(name.decode(), "TXT", search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return None
        return b"".join(answer[0].strings)

    def drop_zone(self, domain: str, text: str) -> None:
        """Put a zone file into the small internet and wait until it is answered."""
        zones = Path(self.endpoints["internet"]["zones"])
        (zones / f"{domain}.zone").write_text(text)
        until(lambda: self.ask(domain, "SOA"), f"answer for {domain}", 10)


class _NamedSmtps(smtplib.SMTP_SSL):
    """TLS with the name of the certificate instead of the loopback address."""

    def _get_socket(self, host: str, port: int, timeout: float) -> ssl.SSLSocket:
        return self.context.wrap_socket(socket.create_connection((host, port), timeout), server_hostname=MAIL_NAME)
