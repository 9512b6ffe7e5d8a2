"""The milters that are compared, each configured to sign for the same domains and started as a process of ours."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.fernet import Fernet

from smailor.accounts import workspaces
from smailor.database.engine import Database
from smailor.database.schema import upgrade
from smailor.dns.fake import FakeResolver
from smailor.domains import service as domains
from smailor.domains.records import ServiceNames
from smailor.domains.signing_keys import signing_key
from smailor.mailboxes import service as mailboxes
from smailor.sealing import Sealer

PROJECT = Path(__file__).parents[1]
START_SECONDS = 30
SMAILOR = """
[service]
hostname = "mx.smailor.test"
domain = "smailor.test"
[database]
url = "{url}"
[secrets]
session_key = "{session_key}"
sealing_keys = ["{sealing_key}"]
[dns]
servers = ["{dns}"]
[milter]
{name}_socket = "unix:{socket}"
{name}_workers = {workers}
{name}_metrics = "127.0.0.1:{port}"
"""
OPENDKIM = """
Mode s
Canonicalization relaxed/relaxed
Socket local:{socket}
UMask 000
Background no
Syslog yes
RequireSafeKeys no
SignHeaders From,To,Cc,Subject,Date,Message-ID,Reply-To,MIME-Version,Content-Type,Content-Transfer-Encoding
OversignHeaders From
KeyTable file:{directory}/keys
SigningTable refile:{directory}/signing
"""
# Nothing but the DKIM module and its signing plugin: no other rule, no statistics, no Redis.
RSPAMD = """
options {{
  filters = "dkim"; pidfile = "{directory}/pid"; tempdir = "{directory}"; dns {{ nameserver = ["127.0.0.1"]; }}
}}
logging {{ type = "file"; filename = "{directory}/log"; level = "error"; }}
worker "rspamd_proxy" {{
  bind_socket = "{socket} mode=0666"; milter = yes; timeout = 120s; count = {workers};
  upstream "local" {{ default = yes; self_scan = yes; }}
}}
lua = "/usr/share/rspamd/rules/rspamd.lua"
modules {{ path = "/usr/share/rspamd/plugins/dkim_signing.lua"; }}
dkim {{ }}
dkim_signing {{
  sign_authenticated = true; use_esld = false; allow_username_mismatch = true; use_domain = "header";
  path = "{keys}/$domain.pem"; selector = "{selector}";
}}
metric {{ name = "default"; actions {{ reject = 999; add_header = 998; greylist = 997; }} }}
"""


@dataclass(frozen=True, slots=True)
class Domains:
    """The domains that are signed for.

    Attributes:
        names: of the domains.
        selector: of all their keys.
        keys: directory with NAME.pem.
        dns: their public keys' records by name.
        url: of the database that has them and a mailbox for each sender.
        sealing_key: opens the keys in it.
    """

    names: tuple[str, ...]
    selector: str
    keys: Path
    dns: Mapping[str, str]
    url: str
    sealing_key: str


def make_domains(directory: Path, names: Sequence[str]) -> Domains:
    """Make domains as the service does, with a mailbox user<i>@ in the i-th, and their keys as files for the others."""
    url = f"sqlite:///{directory}/smailor.db"
    sealing_key = Fernet.generate_key().decode()
    sealer = Sealer([sealing_key])
    database = Database(url)
    upgrade(database)
    now = datetime.now(UTC)
    workspaces.create_workspace(database, slug="bench", name="Bench", now=now)
    keys = directory / "keys"
    keys.mkdir()
    dns: dict[str, str] = {}
    service = ServiceNames(hostname="mx.smailor.test", spf_include="", postmaster="")
    selectors = set()
    for number, name in enumerate(names):
        domains.add_domain(database, workspace="bench", name=name, sealer=sealer, now=now)
        wanted = domains.wanted_records(database, workspace="bench", name=name, service=service)
        resolver = FakeResolver({(record.name, record.kind): [record.value] for record in wanted})
        domains.verify_domain(database, workspace="bench", name=name, resolver=resolver, now=now)
        mailboxes.create_inbox(database, workspace="bench", address=f"user{number}@{name}", name="User", now=now)
        key = signing_key(database, domain=name, sealer=sealer)
        assert key is not None
        (keys / f"{name}.pem").write_text(key.private_key_pem, encoding="ascii")
        selectors.add(key.selector)
        dns |= {record.name: record.value for record in wanted if "._domainkey." in record.name}
    database.dispose()
    [selector] = selectors
    return Domains(tuple(names), selector, keys, dns, url, sealing_key)


class Program:
    """A milter that runs until it is told to stop."""

    def __init__(self, name: str, directory: Path, command: Sequence[str], socket_path: Path) -> None:
        self.name = name
        self.socket = socket_path
        with (directory / "output").open("wb") as output:
            environment = {key: value for key, value in os.environ.items() if not key.startswith("SMAILOR_")}
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=PROJECT, env=environment
            )
        self._output = directory / "output"
        self._wait_until_ready()

    @property
    def pid(self) -> int:
        return self._process.pid

    def output(self) -> str:
        """Return what it has written, its log if it is ours."""
        return self._output.read_text(errors="replace")

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            with socket.socket(socket.AF_UNIX) as probe:
                if probe.connect_ex(str(self.socket)) == 0:
                    return
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise SystemExit(f"{self.name} did not start:\n{self.output()}")
            time.sleep(0.05)


def smailor(directory: Path, known: Domains, workers: int) -> Program:
    """Start our signing milter."""
    return _ours("signing", directory, known, workers, "127.0.0.1:9")


def smailor_dmarc(directory: Path, known: Domains, workers: int, *, dns: str) -> Program:
    """Start our DMARC milter, which asks the name server at `dns` (`host:port`)."""
    return _ours("dmarc", directory, known, workers, dns)


def _ours(name: str, directory: Path, known: Domains, workers: int, dns: str) -> Program:
    path = directory / f"{name}.sock"
    config = directory / "smailor.toml"
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    text = SMAILOR.format(
        name=name,
        url=known.url,
        session_key="x" * 40,
        sealing_key=known.sealing_key,
        socket=path,
        workers=workers,
        dns=dns,
        port=port,
    )
    config.write_text(text, encoding="utf-8")
    return Program("Smailor", directory, [sys.executable, "-m", "milters", name, "--config", str(config)], path)


def opendkim(directory: Path, known: Domains, workers: int) -> Program:
    """Start OpenDKIM as Debian has it: one process, a thread for each session."""
    del workers
    path = directory / "opendkim.sock"
    table = [f"{name} {name}:{known.selector}:{known.keys}/{name}.pem\n" for name in known.names]
    (directory / "keys").write_text("".join(table), encoding="ascii")
    (directory / "signing").write_text("".join(f"*@{name} {name}\n" for name in known.names), encoding="ascii")
    config = directory / "opendkim.conf"
    config.write_text(OPENDKIM.format(socket=path, directory=directory), encoding="ascii")
    return Program("OpenDKIM", directory, ["/usr/sbin/opendkim", "-f", "-x", str(config)], path)


def rspamd(directory: Path, known: Domains, workers: int) -> Program:
    """Start Rspamd doing nothing but signing."""
    path = directory / "rspamd.sock"
    config = directory / "rspamd.conf"
    text = RSPAMD.format(socket=path, directory=directory, keys=known.keys, selector=known.selector, workers=workers)
    config.write_text(text, encoding="ascii")
    return Program("Rspamd", directory, ["rspamd", "-f", "-i", "-c", str(config)], path)
