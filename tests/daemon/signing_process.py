"""The real `smailor-milter signing` on a database of its own, for the daemon tests."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import dkim
import psutil
from cryptography.fernet import Fernet

from smailor.domains import service as domains
from smailor.domains.records import ServiceNames
from tests.daemon.milter_client import MilterClient

SEALING_KEY = Fernet.generate_key().decode()
CONFIG = """
[service]
hostname = "mx.smailor.test"
domain = "smailor.test"
[database]
url = "{url}"
[secrets]
session_key = "{session_key}"
sealing_keys = ["{sealing_key}"]
[milter]
signing_socket = "unix:{socket}"
signing_workers = {workers}
"""


def wait_for(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


class SigningProcess:
    """One running milter. Its socket is in a short directory: a unix socket's path ends at 107 octets."""

    def __init__(
        self, url: str, *, workers: int = 2, directory: Path | None = None, socket: Path | None = None
    ) -> None:
        self.directory = directory or Path(tempfile.mkdtemp(prefix="signing-"))
        self.socket = socket or self.directory / "signing.sock"
        self.log_path = self.directory / "log"
        config = self.directory / "smailor.toml"
        config.write_text(
            CONFIG.format(url=url, session_key="x" * 40, sealing_key=SEALING_KEY, socket=self.socket, workers=workers)
        )
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "milters", "signing", "--config", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=Path(__file__).parents[2],
                env={key: value for key, value in os.environ.items() if not key.startswith("SMAILOR_")},
            )

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    def wait_until_ready(self) -> "SigningProcess":
        wait_for(lambda: "listening" in self.log or self.process.poll() is not None, 20)
        assert self.process.poll() is None, self.log
        return self

    def connect(self) -> MilterClient:
        return MilterClient(str(self.socket))

    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    def tell(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def stop(self) -> float:
        """End it as systemd would; return how long it took."""
        started = time.monotonic()
        self.process.terminate()
        assert self.process.wait(10) == 0, self.log
        return time.monotonic() - started

    def clean_up(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)


def verified_by(database, workspace: str, domain: str) -> Callable[[bytes], bool]:
    """Return a check of signatures by dkimpy with the records that the domain's owner was told to publish."""
    names = ServiceNames(hostname="mx.smailor.test", spf_include="", postmaster="")
    records = domains.wanted_records(database, workspace=workspace, name=domain, service=names)
    published = {record.name: record.value for record in records}

    def verify(message: bytes) -> bool:
        return bool(dkim.verify(message, dnsfunc=lambda name, timeout=5: published.get(name.decode().rstrip("."))))

    return verify
