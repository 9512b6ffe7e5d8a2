"""The page that Prometheus reads: HTTP/1.1 with one path, `/metrics`. One connection at a time, one request each,
everything bounded: nobody but a monitor has business here.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Callable

from smailor.listening import bind
from smailor.metrics import CONTENT_TYPE

MAX_HEAD_BYTES = 8192
MAX_SECONDS = 2.0
"""For one request, from its connection on; the next one waits for so long at most."""
BACKLOG = 16


def listen(address: str) -> socket.socket:
    """Return a socket on which monitors can connect from now on.

    Args:
        address: `host:port`.

    Raises:
        ConfigError: it cannot be used; the text names it.
    """
    sock = bind(address)
    sock.listen(BACKLOG)
    return sock


def serve(sock: socket.socket, page: Callable[[], str]) -> None:
    """Serve the page for as long as the process lives, in a thread of its own; returns at once.

    Args:
        sock: from `listen`; several processes may share it.
        page: makes the page anew for each request, in that thread.
    """

    def serve_all() -> None:
        while True:
            # A peer that is gone, slow or sends too much is no event.
            with contextlib.suppress(OSError), sock.accept()[0] as connection:
                answer(connection, page)

    threading.Thread(target=serve_all, name="metrics", daemon=True).start()


def answer(connection: socket.socket, page: Callable[[], str]) -> None:
    """Read one request and answer it, if it comes in time and is not too long; raises OSError."""
    deadline = time.monotonic() + MAX_SECONDS
    head = b""
    while b"\r\n\r\n" not in head and len(head) < MAX_HEAD_BYTES:
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        part = connection.recv(MAX_HEAD_BYTES)
        if not part:
            return
        head += part
    if b"\r\n\r\n" in head:
        connection.sendall(respond(head, page))


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
