"""Sockets of the policy daemon: thousands of persistent connections, one question at a time on each. No rules here.

Whatever goes wrong on a connection ends that connection, with a log line and without an answer: Postfix then asks once
more and falls back to its `default_action` (SMTPD_POLICY_README: "In case of trouble the policy server must not send a
reply"). The others notice nothing.
"""

import asyncio
import logging
import socket
import time
from collections import deque
from collections.abc import Callable
from typing import TypeAlias, cast

from policyd.metrics import Metrics
from policyd.protocol import PolicyRequest, ProtocolError, RequestReader
from smailor import log
from smailor.listening import bind

MAX_CONNECTIONS = 10_000
"""Ten times what a large Postfix host holds (default_process_limit, one connection each)."""
MAX_REQUEST_SECONDS = 10
"""From the first byte of a request to its last; Postfix sends it in one piece."""
BACKLOG = 1024

Answer: TypeAlias = "Callable[[PolicyRequest], bytes | asyncio.Future[bytes]]"
"""Answers a request at once, or later; a future that fails or is cancelled closes the connection."""

logger = logging.getLogger(__name__)


class Connection(asyncio.Protocol):
    """One Postfix process. Reading pauses while a question is open, so that nobody can pile up questions."""

    def __init__(self, server: "PolicyServer") -> None:
        self._server = server
        self._reader = RequestReader()
        self._waiting: deque[PolicyRequest] = deque()
        self._problem: ProtocolError | None = None
        self._open: asyncio.Future[bytes] | None = None
        self._asked_at = 0.0
        self._deadline: asyncio.TimerHandle | None = None
        self._stopping = False
        self._writable = True
        self._paused = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection in, or turn it away when there are too many."""
        self._transport = cast("asyncio.Transport", transport)
        if not self._server.add(self):
            self._close("too many connections", kind="too_many_connections")

    def data_received(self, data: bytes) -> None:
        """Take in what arrived and answer what is complete."""
        if self._problem is not None or self._stopping:
            return
        if not self._paused and not self._waiting and (request := self._reader.whole(data)) is not None:
            self._ask(request)
            return
        try:
            self._waiting.extend(self._reader.feed(data))
        except ProtocolError as error:
            self._problem = error.with_traceback(None)  # which would keep what arrived
        self._watch_the_time()
        self._answer_next()

    def eof_received(self) -> bool:
        """Answer what is open, then close; half a request is an error."""
        if self._problem is None:
            try:
                self._reader.end()
            except ProtocolError as error:
                self._problem = error.with_traceback(None)  # which would keep what arrived
        self._stopping = True
        self._answer_next()
        return True  # _answer_next closes, as soon as nothing is open

    def connection_lost(self, error: Exception | None) -> None:
        """Give up what is open: nobody is there to be told, so it should not be charged either."""
        del error
        self._server.remove(self)
        self._reader, self._waiting = RequestReader(), deque()  # its transport and this may live until the next look
        if self._deadline is not None:
            self._deadline.cancel()
        if self._open is not None:
            self._open.cancel()

    def pause_writing(self) -> None:
        """Ask nothing more for a peer that does not read its answers."""
        self._writable = False
        self._pause()

    def resume_writing(self) -> None:
        """Go on."""
        self._writable = True
        self._answer_next()

    def stop(self) -> None:
        """Close as soon as the open question is answered; at once if there is none."""
        self._stopping = True
        self._waiting.clear()
        self._answer_next()

    def abort(self) -> None:
        """Close now."""
        self._transport.abort()

    def _answer_next(self) -> None:
        while self._open is None and self._writable and self._waiting and not self._transport.is_closing():
            self._ask(self._waiting.popleft())
        if self._open is not None or not self._writable or self._transport.is_closing():
            return
        if self._problem is not None:
            self._close(str(self._problem), kind=self._problem.kind)
        elif self._stopping:
            self._transport.close()
        elif self._paused:
            self._paused = False
            self._transport.resume_reading()

    def _ask(self, request: PolicyRequest) -> None:
        self._asked_at = time.perf_counter()
        answer = self._server.answer(request)
        if isinstance(answer, bytes):
            self._send(answer)
        else:
            self._open = answer
            self._pause()
            answer.add_done_callback(self._answered)

    def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def _answered(self, answer: "asyncio.Future[bytes]") -> None:
        self._open = None
        if self._transport.is_closing():
            if not answer.cancelled():
                answer.exception()
            return
        if answer.cancelled():
            self._close("no answer", kind="no_answer")
        elif error := answer.exception():
            self._close(str(error), kind="no_answer")
        else:
            self._send(answer.result())
            self._answer_next()

    def _send(self, answer: bytes) -> None:
        self._server.metrics.answer_seconds.observe(time.perf_counter() - self._asked_at)
        self._transport.write(answer)

    def _watch_the_time(self) -> None:
        if not self._reader.partial:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None
        elif self._deadline is None:
            loop = asyncio.get_running_loop()
            self._deadline = loop.call_later(self._server.max_request_seconds, self._too_slow)

    def _too_slow(self) -> None:
        self._close("half a request, and then nothing", kind="too_slow")

    def _close(self, reason: str, *, kind: str) -> None:
        self._server.metrics.closed.add(kind)
        peer = self._transport.get_extra_info("peername") or "unix"
        log.event(logger, logging.WARNING, None, "connection closed", kind=kind, reason=reason, peer=peer)
        self._transport.close()


class PolicyServer:
    """Listens, and hands every request to `answer`.

    Args:
        answer: decides.
        metrics: counts.
        max_connections: more are turned away.
        max_request_seconds: see `MAX_REQUEST_SECONDS`.
    """

    def __init__(
        self,
        answer: Answer,
        metrics: Metrics,
        *,
        max_connections: int = MAX_CONNECTIONS,
        max_request_seconds: float = MAX_REQUEST_SECONDS,
    ) -> None:
        self.answer = answer
        self.metrics = metrics
        self.max_request_seconds = max_request_seconds
        self._max_connections = max_connections
        self._connections: set[Connection] = set()
        self._drained = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def start(self, listen_on: str) -> None:
        """Begin to listen.

        Args:
            listen_on: `unix:/path` or `host:port`.

        Raises:
            ConfigError: it is neither, or the path or port is taken.
        """
        loop = asyncio.get_running_loop()
        sock = bind(listen_on)
        if sock.family == socket.AF_UNIX:
            self._server = await loop.create_unix_server(lambda: Connection(self), sock=sock, backlog=BACKLOG)
        else:
            self._server = await loop.create_server(lambda: Connection(self), sock=sock, backlog=BACKLOG)

    async def stop(self, seconds: float) -> None:
        """Stop listening, answer what is open, close every connection.

        Args:
            seconds: after which what is still open is closed without an answer.
        """
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.stop()
        if self._connections:
            self._drained.clear()
            try:
                await asyncio.wait_for(self._drained.wait(), seconds)
            except TimeoutError:
                log.event(logger, logging.WARNING, None, "stopping without an answer", connections=self.connections)
        for connection in list(self._connections):
            connection.abort()

    @property
    def connections(self) -> int:
        """How many are connected."""
        return len(self._connections)

    def add(self, connection: Connection) -> bool:
        """Count a connection in; False: there are too many already."""
        if len(self._connections) >= self._max_connections:
            return False
        self._connections.add(connection)
        return True

    def remove(self, connection: Connection) -> None:
        """Count a connection out."""
        self._connections.discard(connection)
        if not self._connections:
            self._drained.set()
