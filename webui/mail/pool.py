"""Warm connections, one set for each web session and inbox: logging in costs ten times what listing a page does.

A connection is lent to one request at a time. It is asked whether it is alive before it is lent again, so a server
that was restarted is noticed here and nowhere else. No IMAP in this file: what a connection is, it is told.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from smailor.errors import TemporaryFailure

Connection = TypeVar("Connection")
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much the pool keeps.

    Attributes:
        idle_seconds: a connection unused for longer is closed.
        each: connections of one session to one inbox at a time.
        kept: idle connections in all; beyond it the one unused for longest goes.
        wait_seconds: how long a request waits for one of `each`.
    """

    idle_seconds: float = 120.0
    each: int = 4
    kept: int = 200
    wait_seconds: float = 15.0


class Pool(Generic[Connection]):
    """Lends connections."""

    def __init__(
        self,
        *,
        alive: Callable[[Connection], bool],
        close: Callable[[Connection], None],
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make an empty pool.

        Args:
            alive: asks a connection whether it can still be used.
            close: closes one, never raising.
            limits: see `Limits`.
            clock: monotonic seconds.
        """
        self._alive = alive
        self._close = close
        self._limits = limits or Limits()
        self._clock = clock
        self._changed = threading.Condition()
        self._idle: OrderedDict[int, tuple[Key, Connection, float]] = OrderedDict()
        self._lent: dict[Key, int] = {}
        self._dropped: set[str] = set()

    @contextmanager
    def lend(self, key: Key, connect: Callable[[], Connection]) -> Iterator[Connection]:
        """Lend a connection for the block; one that raises TemporaryFailure there is not used again.

        Args:
            key: (session, inbox): nobody else gets this connection.
            connect: opens a new one where none is idle.

        Raises:
            TemporaryFailure: from `connect`, or all that the session may have are busy for too long.
        """
        self.sweep()
        self._take_place(key)
        connection: Connection | None = None
        healthy = False
        try:
            connection = self._warm(key) or connect()
            try:
                yield connection
                healthy = True
            except TemporaryFailure:
                raise
            except Exception:
                # The request failed for a reason of its own; whether an answer is still under way is unknown.
                healthy = self._alive(connection)
                raise
        finally:
            self._give_back(key, connection, healthy)

    def drop(self, session: str) -> None:
        """Close a session's connections, because the person logged out; those lent are closed when they come back."""
        with self._changed:
            if any(key[0] == session for key in self._lent):
                self._dropped.add(session)
            doomed = [number for number, (key, _, _) in self._idle.items() if key[0] == session]
            gone = [self._idle.pop(number)[1] for number in doomed]
        for connection in gone:
            self._close(connection)

    def sweep(self) -> None:
        """Close what has been idle for too long."""
        oldest = self._clock() - self._limits.idle_seconds
        gone: list[Connection] = []
        with self._changed:
            while self._idle:
                number, (_, connection, since) = next(iter(self._idle.items()))
                if since > oldest and len(self._idle) <= self._limits.kept:
                    break
                del self._idle[number]
                gone.append(connection)
        for connection in gone:
            self._close(connection)

    def _take_place(self, key: Key) -> None:
        with self._changed:
            free = self._changed.wait_for(
                lambda: self._lent.get(key, 0) < self._limits.each, timeout=self._limits.wait_seconds
            )
            if not free:
                raise TemporaryFailure("too much is going on in this inbox at once; try again in a moment")
            self._lent[key] = self._lent.get(key, 0) + 1

    def _warm(self, key: Key) -> Connection | None:
        while True:
            with self._changed:
                number = next((number for number, entry in reversed(self._idle.items()) if entry[0] == key), None)
                if number is None:
                    return None
                connection = self._idle.pop(number)[1]
            if self._alive(connection):
                return connection
            self._close(connection)

    def _give_back(self, key: Key, connection: Connection | None, healthy: bool) -> None:
        with self._changed:
            left = self._lent[key] - 1
            if left:
                self._lent[key] = left
            else:
                del self._lent[key]
            keep = connection is not None and healthy and key[0] not in self._dropped
            if keep and connection is not None:
                self._idle[id(connection)] = (key, connection, self._clock())
            if not any(lent[0] == key[0] for lent in self._lent):
                self._dropped.discard(key[0])
            self._changed.notify_all()
        if connection is not None and not keep:
            self._close(connection)
