"""The MTA's side of the milter protocol (version 6), as far as Postfix uses it: to drive a milter from a test.

Written after libmilter's mfdef.h and Postfix's milter8.c. It waits at most `TIMEOUT_SECONDS` for an answer and applies
the header edits that come back as Postfix would, so that a test sees the message as it would leave.
"""

import fcntl
import socket
import struct
import termios
import time
from dataclasses import dataclass, field
from typing import Self

TIMEOUT_SECONDS = 10.0
MAX_FRAME = 1024 * 1024
CHUNK = 65535

ADD_HEADERS, CHANGE_HEADERS, SET_MACROS = 0x1, 0x10, 0x100
NO_CONNECT, NO_HELO, NO_MAIL, NO_RCPT, NO_BODY, NO_HEADERS, NO_END_OF_HEADERS = (1 << bit for bit in range(7))
NO_REPLY_HEADER = 1 << 7
NO_UNKNOWN, NO_DATA, SKIP = 1 << 8, 1 << 9, 1 << 10
NO_REPLY_CONNECT, NO_REPLY_HELO, NO_REPLY_MAIL, NO_REPLY_RCPT, NO_REPLY_DATA = (1 << bit for bit in range(12, 17))
NO_REPLY_END_OF_HEADERS, NO_REPLY_BODY, LEADING_SPACE = 1 << 18, 1 << 19, 1 << 20
OFFERED_ACTIONS = 0x1FF
OFFERED_PROTOCOL = 0x1FFFFF & ~(1 << 11)

Header = tuple[str, bytes]


class Lost(Exception):
    """The milter has closed the connection."""


@dataclass
class Outcome:
    """What the milter decided: the last command's letter, its text, the header after its edits, another sender."""

    command: str
    reply: str = ""
    headers: list[Header] = field(default_factory=list)
    sender: str | None = None

    @property
    def accepted(self) -> bool:
        return self.command in "ac"

    def message(self, body: bytes) -> bytes:
        lines = [name.encode() + b":" + value.replace(b"\n", b"\r\n") + b"\r\n" for name, value in self.headers]
        return b"".join(lines) + b"\r\n" + body

    def values(self, name: str) -> list[bytes]:
        return [value for found, value in self.headers if found.lower() == name.lower()]


class MilterClient:
    """One connection to a milter."""

    def __init__(
        self,
        path: str,
        *,
        actions: int = OFFERED_ACTIONS,
        protocol: int = OFFERED_PROTOCOL,
        ip: str = "192.0.2.10",
        helo: str = "client.example.org",
    ) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(TIMEOUT_SECONDS)
        self._headers: list[Header] = []
        try:
            self._socket.connect(path)
            self._negotiate(actions, protocol)
            self._greet(ip, helo)
        except (OSError, Lost):
            self._socket.close()
            raise

    def _negotiate(self, actions: int, protocol: int) -> None:
        self._send("O", struct.pack(">III", 6, actions, protocol))
        command, data = self._receive()
        assert command == "O"
        self.version, self.actions, self.protocol = struct.unpack(">III", data[:12])

    def _greet(self, ip: str, helo: str) -> None:
        client = f"6\x9c\x40IPv6:{ip}" if ":" in ip else f"4\x9c\x40{ip}"
        connection = b"client.example.org\x00" + client.encode("latin-1") + b"\x00"
        macros = {"j": "mx", "{client_name}": "client.example.org", "{client_addr}": ip}
        self._step("C", connection, NO_CONNECT, NO_REPLY_CONNECT, macros)
        self._step("H", _text(helo), NO_HELO, NO_REPLY_HELO, {})

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def send(
        self,
        headers: list[Header],
        body: bytes,
        *,
        login: str | None = None,
        sender: str = "",
        recipient: str = "to@example.net",
        queue_id: str = "4XbTest",
        chunk: int = CHUNK,
    ) -> Outcome:
        """Send one whole message."""
        self.begin(headers, login=login, sender=sender, recipient=recipient, queue_id=queue_id)
        for at in range(0, len(body), chunk):
            self.body(body[at : at + chunk])
        return self.end(queue_id=queue_id)

    def begin(
        self,
        headers: list[Header],
        *,
        login: str | None,
        sender: str,
        recipient: str = "to@example.net",
        queue_id: str = "4XbTest",
    ) -> None:
        """Send envelope and header."""
        macros = {"i": queue_id, "{mail_addr}": sender}
        if login is not None:
            macros |= {"{auth_type}": "PLAIN", "{auth_authen}": login}
        self._step("M", _text(f"<{sender}>"), NO_MAIL, NO_REPLY_MAIL, macros)
        self._step("R", _text(f"<{recipient}>"), NO_RCPT, NO_REPLY_RCPT, {"i": queue_id})
        self._step("T", b"", NO_DATA, NO_REPLY_DATA, {"i": queue_id})
        self._headers = list(headers)
        for name, value in headers:
            shown = value if self.protocol & LEADING_SPACE else value.removeprefix(b" ")
            self._step("L", _text(name) + shown + b"\x00", NO_HEADERS, NO_REPLY_HEADER, {})
        self._step("N", b"", NO_END_OF_HEADERS, NO_REPLY_END_OF_HEADERS, {"i": queue_id})

    def body(self, chunk: bytes) -> None:
        """Send a part of the body."""
        self._step("B", chunk, NO_BODY, NO_REPLY_BODY, {})

    def wait_until_taken(self) -> None:
        """Wait until the milter has read all that was sent; what came before the last packet is then worked off."""
        deadline = time.monotonic() + 10
        while struct.unpack("i", fcntl.ioctl(self._socket, termios.TIOCOUTQ, b"\0" * 4))[0]:
            assert time.monotonic() < deadline, "the milter reads no more"
            time.sleep(0.005)

    def end(self, *, queue_id: str = "4XbTest") -> Outcome:
        """End the message and take the verdict."""
        self._macros("E", {"i": queue_id})
        self._send("E", b"")
        outcome = Outcome("", headers=list(self._headers))
        self._places = {}
        while True:
            command, data = self._receive()
            if command in "him":
                self._edit(outcome.headers, command, data)
            elif command == "e":
                outcome.sender = data.split(b"\x00")[0].decode()
            elif command == "y":
                return Outcome("y", data.rstrip(b"\x00").decode(), outcome.headers)
            elif command != "p":
                outcome.command = command
                return outcome

    def abort(self) -> None:
        """Give the message up."""
        self._send("A", b"")

    def _step(self, command: str, data: bytes, unwanted: int, silent: int, macros: dict[str, str]) -> None:
        if macros:
            self._macros(command, macros)
        if self.protocol & unwanted:
            return
        self._send(command, data)
        if not self.protocol & silent:
            answer, _ = self._receive()
            assert answer in "cs", answer

    def _macros(self, command: str, macros: dict[str, str]) -> None:
        pairs = b"".join(_text(name) + _text(value) for name, value in macros.items())
        self._send("D", command.encode() + pairs)

    def _edit(self, headers: list[Header], command: str, data: bytes) -> None:
        index = 0
        if command in "im":
            index, data = struct.unpack(">I", data[:4])[0], data[4:]
        name_bytes, value, _ = data.split(b"\x00", 2)
        name = name_bytes.decode()
        if not self.protocol & LEADING_SPACE:
            value = b" " + value
        if command == "h":
            self._places = {}
            headers.append((name, value))
        elif command == "i":
            self._places = {}
            headers.insert(index, (name, value))
        else:
            if name.lower() not in self._places:  # they stay true while the last one is removed first
                self._places[name.lower()] = [
                    at for at, (found, _) in enumerate(headers) if found.lower() == name.lower()
                ]
            places = self._places[name.lower()]
            at = places[index - 1]
            headers[at : at + 1] = [(name, value)] if value else []
            if value or index < len(places):
                self._places = {}
            else:
                places.pop()
                self._places = {name.lower(): places}

    def _send(self, command: str, data: bytes) -> None:
        try:
            self._socket.sendall(struct.pack(">I", len(data) + 1) + command.encode() + data)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Lost from error

    def _receive(self) -> tuple[str, bytes]:
        size = struct.unpack(">I", self._read(4))[0]
        assert 0 < size <= MAX_FRAME
        frame = self._read(size)
        return chr(frame[0]), frame[1:]

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            try:
                part = self._socket.recv(size - len(data))
            except ConnectionResetError as error:
                raise Lost from error
            if not part:
                raise Lost
            data += part
        return data


def _text(text: str) -> bytes:
    """Return the text as the protocol has it, NUL at its end; surrogates stand for octets outside UTF-8."""
    return text.encode("utf-8", "surrogateescape") + b"\x00"
