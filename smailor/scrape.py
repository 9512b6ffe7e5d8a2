"""The page that Prometheus reads: HTTP/1.1 with one path, `/metrics`. One request a connection, everything bounded."""

import asyncio
import contextlib
import socket
from collections.abc import Callable

from smailor.metrics import CONTENT_TYPE

MAX_HEAD_BYTES = 8192
MAX_SECONDS = 5


async def serve_metrics(sock: socket.socket, page: Callable[[], str]) -> asyncio.Server:
    """Begin to serve the page.

    Args:
        sock: bound to `host:port` (`smailor.listening.bind`).
        page: makes the page anew for each request.
    """

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A peer that is gone, slow or sends too much is no event: nobody but a monitor has business here.
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(MAX_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(respond(head, page))
                await writer.drain()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    return await asyncio.start_server(handle, sock=sock, limit=MAX_HEAD_BYTES)


def respond(head: bytes, page: Callable[[], str]) -> bytes:
    """Return the response to a request's head: the page for `GET /metrics`, 404 or 405 for all else."""
    method, _, rest = head.partition(b" ")
    path = rest.partition(b" ")[0].partition(b"?")[0]
    if path != b"/metrics":
        return _response("404 Not Found", "The metrics are at /metrics.\n", "text/plain; charset=utf-8")
    if method != b"GET":
        return _response("405 Method Not Allowed", "Only GET.\n", "text/plain; charset=utf-8")
    return _response("200 OK", page(), CONTENT_TYPE)


def _response(status: str, body: str, content_type: str) -> bytes:
    content = body.encode("utf-8")
    head = (
        f"HTTP/1.1 {status}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(content)}",
        "Connection: close",
        "\r\n",
    )
    return "\r\n".join(head).encode("ascii") + content
