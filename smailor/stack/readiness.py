"""Does a program answer yet? One small question for each kind; False for every way of not answering.

A server that does not listen yet says so at once; one that listens but is slow is waited for a moment, because asking
again would put it back to the start of its work.
"""

import http.client
import socket
import struct
from collections.abc import Callable
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rcode

Check = Callable[[], bool]
_SECONDS = 5.0
_LOST_QUESTION_SECONDS = 0.5
"""UDP does not say that nobody listens."""
_MILTER_OFFER = struct.pack("!IcIII", 13, b"O", 6, 0x1FF, 0x1FFFFF)
"""SMFIC_OPTNEG of milter protocol 6: every action, every step."""
_MILTER_QUIT = struct.pack("!Ic", 1, b"Q")


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


def negotiates(path: Path) -> Check:
    """Ask whether a milter on a unix socket negotiates: some accept connections long before they answer them."""

    def check() -> bool:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(_SECONDS)
                connection.connect(str(path))
                connection.sendall(_MILTER_OFFER)
                answer = connection.recv(64)
                connection.sendall(_MILTER_QUIT)
        except OSError:
            return False
        return answer[4:5] == b"O"

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
            answer = dns.query.udp(query, host, timeout=_LOST_QUESTION_SECONDS, port=int(port))
        except (OSError, dns.exception.DNSException):
            return False
        return answer.rcode() == dns.rcode.NOERROR and bool(answer.answer)

    return check


def serves(at: str) -> Check:
    """Ask whether a web server at `host:port` answers; an error of its own (5xx) does not count."""

    def check() -> bool:
        # The first request may load templates and open the database.
        connection = http.client.HTTPConnection(at, timeout=_SECONDS)
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
