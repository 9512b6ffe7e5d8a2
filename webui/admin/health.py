"""Whether each process of the service answers: its socket takes a connection, its metrics page comes.

All are asked at the same time and each has half a second, so the page is as slow as the slowest, within a second.
"""

import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import monotonic

from smailor.config import Settings

SECONDS = 0.5
MAX_PAGE_BYTES = 256 * 1024
SHOWN = 8
"""Metrics of a process on the page."""


@dataclass(frozen=True, slots=True)
class Process:
    """Something to ask.

    Attributes:
        name: what it is called.
        address: `unix:/path` or `host:port`.
        metrics: whether it answers `GET /metrics`.
    """

    name: str
    address: str
    metrics: bool = False


@dataclass(frozen=True, slots=True)
class Health:
    """What was found.

    Attributes:
        problem: what is wrong; empty: nothing.
        milliseconds: how long it took.
        figures: a few of its metrics.
    """

    process: Process
    problem: str
    milliseconds: int
    figures: tuple[tuple[str, str], ...] = ()


def wanted(settings: Settings) -> tuple[Process, ...]:
    """Return the processes that the configuration names."""
    doveadm = settings.dovecot.doveadm_url.partition("://")[2].partition("/")[0]
    found = (
        Process("signing milter", settings.milter.signing_socket),
        Process("signing milter, metrics", settings.milter.signing_metrics, metrics=True),
        Process("DMARC milter", settings.milter.dmarc_socket),
        Process("DMARC milter, metrics", settings.milter.dmarc_metrics, metrics=True),
        Process("policy daemon", settings.policyd.socket),
        Process("policy daemon, metrics", settings.policyd.metrics, metrics=True),
        Process("SRS lookup", settings.policyd.srs_socket),
        Process("Postfix, submission", settings.web.submission),
        Process("Dovecot, IMAP", settings.web.imap),
        Process("Dovecot, administration", doveadm),
    )
    return tuple(process for process in found if process.address)


def check_all(processes: Sequence[Process]) -> tuple[Health, ...]:
    """Ask all of them at the same time."""
    if not processes:
        return ()
    with ThreadPoolExecutor(max_workers=len(processes)) as pool:
        return tuple(pool.map(check, processes))


def check(process: Process) -> Health:
    """Ask one; what goes wrong is part of the answer."""
    began = monotonic()
    problem = ""
    figures: tuple[tuple[str, str], ...] = ()
    try:
        with _connect(process.address) as connection:
            if process.metrics:
                figures = _figures(_page(connection))
    except (OSError, ValueError) as error:
        problem = str(error) or type(error).__name__
    return Health(process, problem, round((monotonic() - began) * 1000), figures)


def _connect(address: str) -> socket.socket:
    kind, _, where = address.partition(":")
    if kind == "unix":
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(SECONDS)
        try:
            sock.connect(where)
        except BaseException:
            sock.close()
            raise
        return sock
    host, _, port = address.rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), SECONDS)


def _page(connection: socket.socket) -> str:
    ends = monotonic() + SECONDS
    connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    answer = b""
    while len(answer) < MAX_PAGE_BYTES:
        connection.settimeout(max(0.001, ends - monotonic()))
        part = connection.recv(16384)
        if not part:
            break
        answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    if b" 200 " not in head.partition(b"\r\n")[0]:
        raise ValueError("the metrics page does not come")
    return body.decode("utf-8", "replace")


def _figures(page: str) -> tuple[tuple[str, str], ...]:
    lines = (line.rpartition(" ") for line in page.splitlines() if line and not line.startswith("#"))
    return tuple((name[:200], value[:40]) for name, _, value in lines if "bucket" not in name)[:SHOWN]
