"""Postfix's socketmap protocol (socketmap_table(5)) as bytes in, look-ups out. No socket and no table here.

A request and its reply are one netstring each, `LENGTH:CONTENT,`; a request is the map's name, a blank and the key.
"""

from collections.abc import Iterator
from dataclasses import dataclass

MAX_REQUEST_BYTES = 4096
"""Of content: an address has at most 254 octets, and Postfix asks for one."""
MAX_REPLY_BYTES = 100_000
"""Postfix takes no longer ones."""
_MAX_DIGITS = len(str(MAX_REQUEST_BYTES))


class SocketmapError(ValueError):
    """Bytes that are no request; the connection cannot go on."""


class BadLength(SocketmapError):
    """The length is no number, or too large."""


class NoComma(SocketmapError):
    """The content does not end where its length says."""


class NoKey(SocketmapError):
    """There is no blank between the map's name and a key."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """One question.

    Attributes:
        map_name: which table.
        key: what is looked for; octets that are no UTF-8 stand as surrogate escapes.
    """

    map_name: str
    key: str


class LookupReader:
    """Makes look-ups of the bytes of one connection, however they are cut."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def partial(self) -> bool:
        """Whether a request has begun and is not complete."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> Iterator[Lookup]:
        """Take in bytes; yield what is complete.

        Raises:
            SocketmapError: one of its kinds.
        """
        self._buffer += data
        while (content := self._next()) is not None:
            name, blank, key = content.decode("utf-8", "surrogateescape").partition(" ")
            if not blank or not name:
                raise NoKey("a request without a key")
            yield Lookup(name, key)

    def _next(self) -> bytes | None:
        colon = self._buffer.find(b":", 0, _MAX_DIGITS + 1)
        digits = bytes(self._buffer[: colon if colon >= 0 else _MAX_DIGITS + 1])
        if (digits and not digits.isdigit()) or colon == 0 or (colon < 0 and len(digits) > _MAX_DIGITS):
            raise BadLength(f"no length: {digits[:20]!r}")
        if colon < 0:
            return None
        length = int(digits)
        if length > MAX_REQUEST_BYTES:
            raise BadLength(f"{length} bytes")
        end = colon + 1 + length
        if len(self._buffer) <= end:
            return None
        if self._buffer[end : end + 1] != b",":
            raise NoComma(f"no comma after {length} bytes")
        content = bytes(self._buffer[colon + 1 : end])
        del self._buffer[: end + 1]
        return content


def found(value: str) -> bytes:
    """Return the reply with what was found."""
    return _netstring(f"OK {value}")


def not_found() -> bytes:
    """Return the reply that there is no such key."""
    return _netstring("NOTFOUND ")


def permanent_failure(reason: str) -> bytes:
    """Return the reply that this question will never have an answer."""
    return _netstring(f"PERM {reason}")


def _netstring(text: str) -> bytes:
    content = text.encode("utf-8", "surrogateescape")[:MAX_REPLY_BYTES]
    return b"%d:%s," % (len(content), content)
