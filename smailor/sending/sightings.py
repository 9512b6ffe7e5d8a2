"""Noting in the background from which networks accounts send: for `watch_service`, which looks for too many at once.

A message never waits for this and never fails by it. A network is noted once in five minutes for each account; what is
noted is bounded, and written every few seconds in one transaction. The thread begins with the first note.
"""

import logging
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from smailor import log
from smailor.database import plain
from smailor.errors import TemporaryFailure
from smailor.sending.tally import SLOT_SECONDS

FLUSH_SECONDS: Final = 3.0
MAX_NOTED: Final = 100_000
IPV4_BITS: Final = 24
IPV6_BITS: Final = 48

logger = logging.getLogger(__name__)


@lru_cache(4096)
def network_of(address: str) -> str | None:
    """Return the network that a client's address stands for: IPv4 /24, IPv6 /48; None: this machine, or no address."""
    try:
        found = ip_address(address)
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    if found.is_loopback:
        return None
    return str(ip_network((found, IPV6_BITS if isinstance(found, IPv6Address) else IPV4_BITS), strict=False))


class Sightings:
    """Notes networks. Used by any thread.

    Args:
        url: of the database, as in the configuration.
        seconds: from a note to its being written, at most.
        clock: seconds since 1970.

    Attributes:
        dropped: notes that found no room, or no database when the process ended.
    """

    def __init__(self, url: str, *, seconds: float = FLUSH_SECONDS, clock: Callable[[], float] = time.time) -> None:
        self.dropped = 0
        self._connection = plain.connect(url)
        self._seconds = seconds
        self._clock = clock
        self._guard = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._slot = 0
        self._seen: set[int] = set()
        self._noted: list[tuple[str, str, int]] = []

    def note(self, account: str, address: str) -> None:
        """Note that an account sends from an address; returns at once.

        Args:
            account: the login, in normal form.
            address: of the SMTP client.
        """
        network = network_of(address)
        if network is None:
            return
        slot = int(self._clock()) // SLOT_SECONDS
        with self._guard:
            if slot != self._slot:
                self._slot = slot
                self._seen.clear()
            mark = hash((account, network))
            if mark in self._seen:
                return
            if len(self._noted) >= MAX_NOTED:
                self.dropped += 1
                return
            self._seen.add(mark)
            self._noted.append((account, network, slot))
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(target=self._run, name="sightings", daemon=True)
                self._thread.start()

    def flush(self) -> None:
        """Write what is noted; where the database does not answer it stays noted."""
        with self._guard:
            batch, self._noted = self._noted, []
        if not batch:
            return
        try:
            self._write(batch)
        except TemporaryFailure as error:
            log.event(logger, logging.WARNING, None, "sightings wait", count=len(batch), error=error)
            with self._guard:
                self._noted[:0] = batch

    def close(self, timeout: float | None = None) -> None:
        """Write what is noted, once, and end the thread.

        Args:
            timeout: seconds to wait for that; None: as long as it takes.
        """
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def _write(self, batch: list[tuple[str, str, int]]) -> None:
        # In order, so that two processes with the same accounts never wait for each other in a circle.
        self._connection.rows("BEGIN IMMEDIATE" if self._connection.dialect == "sqlite" else "BEGIN")
        for entry in sorted(batch):
            self._connection.rows(
                "INSERT INTO account_networks (account, network, slot) VALUES (?, ?, ?)"
                " ON CONFLICT (account, network) DO UPDATE SET slot = excluded.slot",
                entry,
            )
        self._connection.rows("COMMIT")

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            self.flush()
        self.flush()
        self.dropped += len(self._noted)
        self._connection.close()
