"""A private PostgreSQL for tests: its own directory, a free loopback port, gone afterwards. The machine's is not touched."""

import os
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg

USER = "smailor"


def programs_there() -> bool:
    """Whether PostgreSQL's server programs are installed."""
    return _programs() is not None


def _programs() -> Path | None:
    """Return the folder of initdb and pg_ctl, of the newest version; Debian keeps it out of the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    if found:
        return found[-1].parent
    return Path(on_path).parent if on_path else None


def remove(directory: Path) -> None:
    """Delete a stopped cluster's directory."""
    shutil.rmtree(directory)


class Cluster:
    """One server; `create` once, then `start` and `stop` as often as a test likes.

    Args:
        directory: an empty one; its path has to be open to the user postgres where root runs the tests.
    """

    def __init__(self, directory: Path) -> None:
        # PostgreSQL refuses to run as root; as anybody else it runs as whoever runs the tests.
        self._identity: Mapping[str, Any] = (
            {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        )
        self._directory = directory
        self._databases = 0
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = int(probe.getsockname()[1])

    def create(self) -> None:
        """Make the cluster's files."""
        if self._identity:
            shutil.chown(self._directory, "postgres", "postgres")
        self._run("initdb", "--auth=trust", f"--username={USER}", "--encoding=UTF8", "--no-locale", "--no-sync")

    def _run(self, program: str, *arguments: str) -> None:
        folder = _programs()
        assert folder is not None
        command = [str(folder / program), "-D", str(self._directory / "data"), *arguments]
        # To a file, as a server that inherits a pipe would keep it open.
        with (self._directory / "log").open("ab") as log:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                check=False,
                timeout=60,
                **self._identity,
            )
        if done.returncode:
            raise RuntimeError(f"{program} failed:\n{(self._directory / 'log').read_text()}")

    def start(self) -> None:
        """Start the server and wait until it takes connections."""
        options = (
            f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories={self._directory} "
            "-c fsync=off -c max_connections=100 -c shared_buffers=32MB"
        )
        self._run("pg_ctl", "start", "-w", "-o", options)

    def stop(self) -> None:
        """Stop the server at once, as a crash would."""
        self._run("pg_ctl", "stop", "-w", "-m", "immediate")

    def url(self, database: str = "postgres") -> str:
        """Return the URL of one of its databases."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def new_database(self, template: str = "template1") -> str:
        """Create a database, empty or as a copy of another one, and return its URL."""
        self._databases += 1
        name = f"test_{os.getpid()}_{self._databases}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)
