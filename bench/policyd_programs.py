"""The policy daemons that are compared: each with eight limits a request that nobody reaches, started as ours."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bench.policy_load import connect
from smailor.database import schema
from smailor.database.engine import Database
from tests.daemon.policyd_process import free_port
from tests.postgresql import Cluster

PROJECT = Path(__file__).parents[1]
PEER = PROJECT / ".cache/policyd-rate-limit/bin/policyd-rate-limit"
START_SECONDS = 30
PLENTY = 1_000_000_000
SMAILOR = """
[service]
hostname = "mx.smailor.test"
domain = "smailor.test"
[database]
url = "{url}"
[secrets]
session_key = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
sealing_keys = ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]
[policyd]
socket = "127.0.0.1:{port}"
[sending]
messages_per_hour = 10000000
"""
POSTFWD = "".join(
    f"id={unit}{item}{seconds}; sasl_username=~.; action={unit}({item}/{PLENTY}/{seconds}/450 4.7.1 limit reached)\n"
    for item in ("sasl_username", "sender_domain")
    for unit in ("rate", "rcpt")
    for seconds in (3600, 86400)
)
# It knows one count of recipients for each user; its eight limits are eight spans of that.
RATE_LIMIT = """
debug: False
user: "root"
group: "root"
pidfile: "{directory}/pid"
pgsql_config:
    database: "{database}"
    user: "smailor"
    password: ""
    host: "127.0.0.1"
    port: {server}
backend: 2
SOCKET: ["127.0.0.1", {port}]
limits: {limits}
limits_by_id: {{}}
count_mode: 1
sql_limits_by_id: ""
"""


@dataclass(frozen=True, slots=True)
class Program:
    """One that was started.

    Attributes:
        name: in the table.
        address: `host:port`.
        pid: of its first process.
        state: at which it wants to be asked.
        ours: whether it is Smailor.
    """

    name: str
    address: str
    pid: int
    state: str = "END-OF-MESSAGE"
    ours: bool = False

    def stop(self) -> None:
        """End it."""
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGTERM)
            os.waitpid(self.pid, 0)

    def runs(self) -> bool:
        """Whether it has not ended."""
        return Path(f"/proc/{self.pid}").exists()


class DurableCluster(Cluster):
    """A PostgreSQL that writes each commit to the disk, as it does where mail is counted for real."""

    def start(self) -> None:
        """Start it."""
        options = (
            f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories={self._directory}"
            " -c max_connections=100 -c shared_buffers=128MB"
        )
        self._run("pg_ctl", "start", "-w", "-o", options)


def smailor(directory: Path, url: str, name: str) -> Program:
    """Start ours."""
    directory.mkdir()
    database = Database(url)
    schema.upgrade(database)
    database.dispose()
    port = free_port()
    config = directory / "smailor.toml"
    config.write_text(SMAILOR.format(url=url, port=port), encoding="utf-8")
    command = [sys.executable, "-m", "policyd", "--config", str(config)]
    return _start(Program(name, f"127.0.0.1:{port}", _run(command, directory).pid, ours=True))


def postfwd(directory: Path) -> Program:
    """Start postfwd, version 1 of its two: the one process that serves all connections is the faster one."""
    directory.mkdir()
    rules = directory / "rules"
    rules.write_text(POSTFWD, encoding="utf-8")
    port = free_port()
    command = ["postfwd1", "--daemon", "--file", str(rules), "--interface", "127.0.0.1", "--port", str(port)]
    command += ["--user", "root", "--group", "root", "--pidfile", str(directory / "pid"), "--nodns", "--cache", "0"]
    _run(command, directory).wait(START_SECONDS)
    pid = int((directory / "pid").read_text(encoding="ascii"))
    return _start(Program("postfwd", f"127.0.0.1:{port}", pid))


def rate_limit(directory: Path, cluster: Cluster) -> Program:
    """Start policyd-rate-limit on PostgreSQL."""
    directory.mkdir()
    database = cluster.new_database().rpartition("/")[2]
    port = free_port()
    spans: Sequence[Sequence[int]] = [[PLENTY, 3600 * hours] for hours in (1, 2, 4, 6, 8, 12, 18, 24)]
    config = directory / "config.yaml"
    values: Mapping[str, object] = {
        "directory": directory,
        "database": database,
        "server": cluster.port,
        "port": port,
        "limits": spans,
    }
    config.write_text(RATE_LIMIT.format(**values), encoding="utf-8")
    process = _run([str(PEER), "--file", str(config)], directory)
    return _start(Program("policyd-rate-limit", f"127.0.0.1:{port}", process.pid, state="DATA"))


def _run(command: Sequence[str], directory: Path) -> "subprocess.Popen[bytes]":
    with (directory / "log").open("wb") as log:
        return subprocess.Popen(
            command, cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )


def _start(program: Program) -> Program:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            connect(program.address).close()
        except OSError:
            if not program.runs() or time.monotonic() > until:
                program.stop()
                raise
            time.sleep(0.05)
        else:
            return program


def postgres_pid(cluster: Cluster) -> int:
    """Return the server's first process, whose descendants work for all its clients."""
    with psycopg.connect(cluster.url()) as connection:
        (directory,) = connection.execute("SHOW data_directory").fetchone() or ("",)
    return int((Path(directory) / "postmaster.pid").read_text(encoding="ascii").split()[0])
