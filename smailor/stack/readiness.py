"""Does a program answer yet? One small question for each kind; False for every way of not answering.

Each question takes no longer than its own short limit, so that a start can ask many in turn.
"""

import http.client
import socket
from collections.abc import Callable
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rcode

Check = Callable[[], bool]
_SECONDS = 0.5


def greets(at: str, greeting: bytes) -> Check:
    """Ask whether a server at `host:port` opens with this greeting (SMTP, IMAP, ManageSieve)."""

    def check() -> bool:
        host, _, port = at.rpartition(":")
        try:
            with socket.create_connection((host, int(port)), _SECONDS) as connection:
                return connection.recv(256).startswith(greeting)
        except OSError:
            return False

    return check


def accepts(path: Path) -> Check:
    """Ask whether somebody accepts connections on a unix socket."""

    def check() -> bool:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(_SECONDS)
                connection.connect(str(path))
        except OSError:
            return False
        return True

    return check


def pongs(path: Path) -> Check:
    """Ask whether a Redis on a unix socket answers PING: while it loads its data it accepts, but refuses."""

    def check() -> bool:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(_SECONDS)
                connection.connect(str(path))
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False

    return check


def resolves(at: str, name: str) -> Check:
    """Ask whether a DNS server at `host:port` knows the address of a name."""
    query = dns.message.make_query(name, "A")

    def check() -> bool:
        host, _, port = at.rpartition(":")
        try:
            answer = dns.query.udp(query, host, timeout=_SECONDS, port=int(port))
        except (OSError, dns.exception.DNSException):
            return False
        return answer.rcode() == dns.rcode.NOERROR and bool(answer.answer)

    return check


def serves(at: str) -> Check:
    """Ask whether a web server at `host:port` answers; an error of its own (5xx) does not count."""

    def check() -> bool:
        # The first request may load templates and open the database.
        connection = http.client.HTTPConnection(at, timeout=_SECONDS * 10)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return check


def all_of(*checks: Check) -> Check:
    """Ask several questions; all must be answered well."""
    return lambda: all(check() for check in checks)
