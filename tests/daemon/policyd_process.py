"""The policy daemon as a process of its own, and a Postfix that talks to it, for tests."""

import os
import signal
import socket
import subprocess
import sys
import time
from itertools import count
from pathlib import Path
from typing import Self

import pytest

REPOSITORY = Path(__file__).parents[2]
SECONDS = 15
"""For anything that a test waits for."""

_numbers = count()

REQUEST = (
    "request=smtpd_access_policy\nprotocol_state={state}\nprotocol_name=ESMTP\nclient_address=192.0.2.7\n"
    "helo_name=client.example.net\nsender={account}\nrecipient=\nrecipient_count=1\nqueue_id=4Zb7Qx2mC9z1D\n"
    "instance={instance}\nsize=4096\nsasl_method=PLAIN\nsasl_username={account}\nencryption_protocol=TLSv1.3\n\n"
)


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class Daemon:
    """One `smailor-policyd` with its configuration, socket and log under a directory."""

    def __init__(
        self, directory: Path, database_url: str, limit: int, listen_on: str | None = None, plan: str = ""
    ) -> None:
        directory.mkdir(exist_ok=True)
        self.socket = listen_on or f"unix:{directory}/policyd.sock"
        self.metrics_port = free_port()
        self._log = directory / "log"
        config = directory / "smailor.toml"
        config.write_text(
            f"""
            [service]
            hostname = "mx.smailor.test"
            domain = "smailor.test"
            [database]
            url = "{database_url}"
            [secrets]
            session_key = "{"x" * 32}"
            sealing_keys = ["{"A" * 43}="]
            [policyd]
            socket = "{self.socket}"
            srs_socket = "unix:{directory}/srs.sock"
            metrics = "127.0.0.1:{self.metrics_port}"
            [sending]
            messages_per_hour = {limit}
            [plans.standard]
            {plan}
            """
        )
        self._log.touch()
        self._known = len(self.log())
        environment = {"PATH": os.environ["PATH"]}
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "error", "-m", "policyd", "--config", str(config)],
                cwd=REPOSITORY,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def log(self) -> str:
        """Return what it has logged."""
        return self._log.read_text()

    def wait_for_log(self, words: str, times: int = 1) -> str:
        """Return the log as soon as this process has written the words so many times."""
        until = time.monotonic() + SECONDS
        while (text := self.log()[self._known :]).count(words) < times:
            if self.process.poll() is not None or time.monotonic() > until:
                pytest.fail(f"no {words!r} in the daemon's log:\n{self.log()}")
            time.sleep(0.01)
        return text

    def ready(self) -> "Daemon":
        """Return it once it listens."""
        self.wait_for_log("listening")
        return self

    def connect(self) -> "Client":
        """Connect as one Postfix process does."""
        return Client(self.socket)

    def ended(self) -> int:
        """Return its exit status as soon as it has ended."""
        return self.process.wait(SECONDS)

    def kill(self) -> None:
        """End it without warning."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(SECONDS)


class Client:
    """One persistent connection; an empty answer means that the daemon has closed it."""

    def __init__(self, address: str) -> None:
        kind, _, where = address.partition(":")
        self.socket = socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET)
        try:
            # Without a timeout: with one, a unix socket whose backlog is full fails at once instead of waiting.
            self.socket.connect(where if kind == "unix" else (kind, int(where)))
        except OSError:
            self.socket.close()
            raise
        self.socket.settimeout(SECONDS)

    def ask(
        self, account: str = "ada@analytical.test", state: str = "END-OF-MESSAGE", instance: str | None = None
    ) -> str:
        """Ask about a message, a new one unless its instance is given, and return the action."""
        self.send(account, state, instance)
        return self.answer()

    def send(
        self, account: str = "ada@analytical.test", state: str = "END-OF-MESSAGE", instance: str | None = None
    ) -> None:
        """Ask, and do not wait."""
        instance = instance or f"{os.getpid():x}.{next(_numbers):x}"
        request = REQUEST.format(account=account, state=state, instance=instance)
        try:
            self.socket.sendall(request.encode())
        except (BrokenPipeError, ConnectionResetError):
            return  # answer() will tell

    def answer(self) -> str:
        """Return the next answer's action."""
        received = b""
        try:
            while not received.endswith(b"\n\n"):
                data = self.socket.recv(4096)
                if not data:
                    break
                received += data
        except ConnectionResetError:
            pass
        assert not received or received.startswith(b"action=")
        return received.decode().removeprefix("action=").strip()

    def close(self) -> None:
        """Hang up."""
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
