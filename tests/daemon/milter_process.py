"""A real `smailor-milter …` with a configuration of its own, for the daemon tests."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import psutil

from tests.daemon.milter_client import MilterClient


def wait_for(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


class MilterProcess:
    """One running milter. Its socket is in a short directory: a unix socket's path ends at 107 octets.

    Args:
        name: which one.
        config: the configuration, `{socket}` in the socket's place.
        directory: where it works; None: a new one.
        socket: where it listens; None: in that directory.
    """

    def __init__(self, name: str, config: str, *, directory: Path | None = None, socket: Path | None = None) -> None:
        self.directory = directory or Path(tempfile.mkdtemp(prefix=f"{name}-"))
        self.socket = socket or self.directory / f"{name}.sock"
        self.log_path = self.directory / "log"
        path = self.directory / "smailor.toml"
        path.write_text(config.replace("{socket}", str(self.socket)))
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "milters", name, "--config", str(path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=Path(__file__).parents[2],
                env={key: value for key, value in os.environ.items() if not key.startswith("SMAILOR_")},
            )

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    def wait_until_ready(self) -> Self:
        wait_for(lambda: "listening" in self.log or self.process.poll() is not None, 20)
        assert self.process.poll() is None, self.log
        return self

    def connect(self, **given) -> MilterClient:
        return MilterClient(str(self.socket), **given)

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
        if self.log_path.exists():
            print(self.log[-5000:])  # which pytest shows beside a failure
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
