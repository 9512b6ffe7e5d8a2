"""Sockets of the look-up server that Postfix asks by socketmap, and its one table: `srs`.

`srs` answers whom a bounce goes to that comes back to the rewritten sender of a forwarded message. It needs no
database: the address itself says it, and its hash shows that we made it. What we did not make, or too long ago, is not
there, and Postfix says 550 5.1.1.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import cast

from policyd import socketmap
from policyd.metrics import Metrics
from policyd.socketmap import Lookup, LookupReader, SocketmapError
from smailor import log
from smailor.authentication import srs
from smailor.errors import InvalidInput
from smailor.listening import bind

MAX_CONNECTIONS = 1_000
MAX_REQUEST_SECONDS = 10
"""From the first byte of a request to its last."""
_READ_BYTES = 4096

logger = logging.getLogger(__name__)


class SrsTable:
    """Finds the original sender of a rewritten one.

    Args:
        domain: of the rewritten senders.
        secrets: what their hashes are keyed with, all that count.
        now: the present moment.
        metrics: counts.
    """

    def __init__(self, *, domain: str, secrets: Sequence[bytes], now: Callable[[], datetime], metrics: Metrics) -> None:
        self._domain = domain.lower()
        self._secrets = tuple(secrets)
        self._now = now
        self._metrics = metrics

    def __call__(self, lookup: Lookup) -> bytes:
        """Answer one question."""
        if lookup.map_name != "srs":
            self._metrics.lookups.add("unknown_map")
            return socketmap.permanent_failure("there is no such table")
        if lookup.key.rpartition("@")[2].lower() != self._domain:
            self._metrics.lookups.add("other_domain")
            return socketmap.not_found()
        try:
            sender = srs.reverse(lookup.key, secrets=self._secrets, now=self._now())
        except InvalidInput as error:
            self._metrics.lookups.add("refused")
            log.event(logger, logging.INFO, None, "not a sender of ours", address=lookup.key, reason=error.message)
            return socketmap.not_found()
        self._metrics.lookups.add("found")
        return socketmap.found(sender)


class LookupServer:
    """Listens, and hands every question to `answer`.

    Args:
        answer: answers one question at once.
        metrics: counts.
    """

    def __init__(self, answer: Callable[[Lookup], bytes], metrics: Metrics) -> None:
        self._answer = answer
        self._metrics = metrics
        self._conversations: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, listen_on: str) -> None:
        """Begin to listen.

        Args:
            listen_on: `unix:/path` or `host:port`.

        Raises:
            ConfigError: the address cannot be used; the text names it.
        """
        self._server = await asyncio.start_server(self._handle, sock=bind(listen_on))

    async def stop(self) -> None:
        """Stop listening and close every connection: each answer is given at once, so none is open."""
        if self._server is not None:
            self._server.close()
        for conversation in self._conversations:
            conversation.cancel()
        await asyncio.gather(*self._conversations)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._conversations.add(task)
        try:
            if len(self._conversations) > MAX_CONNECTIONS:
                self._complain("too_many_connections", f"more than {MAX_CONNECTIONS}")
            else:
                await _converse(reader, writer, self._answer)
        except SocketmapError as error:
            self._complain("bad_lookup", error)
        except TimeoutError:
            self._complain("too_slow", "half a request, and then nothing")
        except (OSError, asyncio.CancelledError):
            pass  # Postfix's process is gone, or we are going
        finally:
            self._conversations.discard(task)
            writer.close()

    def _complain(self, kind: str, reason: object) -> None:
        self._metrics.closed.add(kind)
        log.event(logger, logging.WARNING, None, "connection closed", kind=kind, reason=reason)


async def _converse(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Callable[[Lookup], bytes]
) -> None:
    """Answer a connection's questions until it ends. Raises SocketmapError, TimeoutError, OSError."""
    lookups = LookupReader()
    while True:
        # Postfix keeps a connection open between questions; only half a question has to be completed soon.
        async with asyncio.timeout(MAX_REQUEST_SECONDS if lookups.partial else None):
            data = await reader.read(_READ_BYTES)
        if not data:
            return
        for lookup in lookups.feed(data):
            writer.write(answer(lookup))
        await writer.drain()
