"""The canonicalisations of DKIM (RFC 6376 section 3.4), as data arrives.

The body is taken chunk by chunk in constant memory: any cut of the same octets gives the same form. Lines end in CRLF;
a carriage return or line feed that stands alone is an octet like any other.
"""

import hashlib
import re
from collections.abc import Callable

_UNUSUAL = re.compile(rb"[\x0b\x0c]|\r(?!\n[ \t])|\n(?![ \t])")
"""What `bytes.split` would take for white space although DKIM does not: then the slow, exact way is taken."""
_FOLD = re.compile(rb"\r?\n(?=[ \t])")
_BLANKS = re.compile(rb"[ \t]+")

_MAX_PIECES = 1000
"""Of a chunk; where it has more runs of blanks, the slower way that does not mind how many is taken."""
_EMPTY_LINES = b"\r\n" * 4096

Write = Callable[[bytes | memoryview], object]
"""Where canonical octets go."""


def relax_header(value: bytes) -> bytes:
    """Return a header field's value relaxed: unfolded, runs of blanks as one space, none at either end.

    Args:
        value: all after the colon, without the line end that closes the field; folds by CRLF or by a line feed alone,
            as milters see them.

    Source: RFC 6376 section 3.4.2, steps 2 to 5.
    """
    if _UNUSUAL.search(value) is None:
        return b" ".join(value.split())
    return _BLANKS.sub(b" ", _FOLD.sub(b"", value)).strip(b" \t")


def relax_name(name: str) -> bytes:
    """Return a header field's name relaxed: lower case, without blanks before the colon (step 1 and 5)."""
    return name.rstrip(" \t").lower().encode("utf-8", "surrogateescape")


class SimpleBody:
    """A body in simple canonical form (section 3.4.3): as it is, with one CRLF at its end, fed in chunks of any size.

    Args:
        write: takes the canonical octets as they become known.
    """

    __slots__ = ("_empty_lines", "_unfinished", "_write")

    def __init__(self, write: Write) -> None:
        self._write = write
        self._empty_lines = 0
        self._unfinished = b""

    def update(self, chunk: bytes) -> None:
        """Take the next octets of the body."""
        data = self._unfinished + chunk if self._unfinished else chunk
        end = len(data) - data.endswith(b"\r")
        self._unfinished = data[end:]
        content = _end_of_content(data, end)
        if content:
            _write_empty_lines(self._write, self._empty_lines)
            self._empty_lines = 0
            self._write(memoryview(data)[:content])
        self._empty_lines += (end - content) // 2

    def finish(self) -> None:
        """End the body, an empty one too, with CRLF; the object is not to be fed afterwards."""
        if self._unfinished:
            _write_empty_lines(self._write, self._empty_lines)
            self._write(self._unfinished)
        self._write(b"\r\n")


class RelaxedBody:
    """A body in relaxed canonical form (section 3.4.4), fed in chunks of any size.

    Two things are held back between chunks, because what follows decides about them: how many empty lines were just
    seen (at the end of the body they do not count), and an unfinished end: a blank, a carriage return, or both.

    Args:
        write: takes the canonical octets as they become known.
    """

    __slots__ = ("_empty_lines", "_seen", "_unfinished", "_write")

    def __init__(self, write: Write) -> None:
        self._write = write
        self._seen = False
        self._empty_lines = 0
        self._unfinished = b""

    def update(self, chunk: bytes) -> None:
        """Take the next octets of the body."""
        data = self._unfinished + chunk if self._unfinished else chunk
        if b"\t" in data:
            data = data.replace(b"\t", b" ")
        data = b"\r\n".join(_single_blanks(data).split(b" \r\n"))
        end = len(data)
        if data.endswith(b"\r"):
            end -= 1
        if end and data[end - 1] == 0x20:
            end -= 1
        self._unfinished = data[end:]
        content = _end_of_content(data, end)
        if content:
            _write_empty_lines(self._write, self._empty_lines)
            self._empty_lines = 0
            self._write(memoryview(data)[:content])
            self._seen = True
        self._empty_lines += (end - content) // 2

    def finish(self) -> None:
        """End the body; the object is not to be fed afterwards.

        A last line without CRLF is given one; a body of nothing but empty lines counts as empty (section 3.4.4).
        """
        rest = self._unfinished.removesuffix(b" ")  # a blank at the end of the last line
        if rest:
            _write_empty_lines(self._write, self._empty_lines)
            self._write(rest)
            self._seen = True
        if self._seen:
            self._write(b"\r\n")


class RelaxedBodyHash:
    """SHA-256 of a body in relaxed canonical form, fed in chunks of any size."""

    __slots__ = ("_body", "_hash", "update")

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._body = RelaxedBody(self._hash.update)
        self.update = self._body.update
        """Take the next octets of the body."""

    def digest(self) -> bytes:
        """End the body and return its hash; the object is not to be fed afterwards."""
        self._body.finish()
        return self._hash.digest()


def _single_blanks(data: bytes) -> bytes:
    """Return the octets with runs of blanks as one.

    To split searches once, where `replace` searches twice and has to be asked again until no run is left.
    """
    pieces = data.split(b"  ", _MAX_PIECES)
    if len(pieces) == 1:
        return data
    # No piece ends in a blank, and one that begins with a blank begins with one only; an empty one was a longer run.
    data = b" ".join([pieces[0], *[piece.lstrip(b" ") for piece in pieces[1:]]])
    if len(pieces) > _MAX_PIECES or b"" in pieces[1:-1]:
        while b"  " in data:
            data = data.replace(b"  ", b" ")
    return data


def _write_empty_lines(write: Write, count: int) -> None:
    # In portions: a body may be nothing but a hundred megabytes of line ends.
    size = 2 * count
    while size:
        portion = min(size, len(_EMPTY_LINES))
        write(memoryview(_EMPTY_LINES)[:portion])
        size -= portion


def _end_of_content(data: bytes, end: int) -> int:
    """Return where the CRLFs begin that `data[:end]` ends in (`end` itself where it ends in none)."""
    if end < 2 or data[end - 2 : end] != b"\r\n":
        return end
    run = len(data[:end].rstrip(b"\r\n"))
    if (end - run) % 2 == 0 and data.count(b"\r\n", run, end) * 2 == end - run:
        return run
    # Lone carriage returns or line feeds among the line ends are content: the CRLFs begin behind the last of them.
    behind_cr = data.rfind(b"\r\r", run, end) + 1
    lone_lf = data.rfind(b"\n\n", run, end)
    behind_lf = lone_lf + 2 if lone_lf >= 0 else run + (data[run] == 0x0A)
    return max(run, behind_cr, behind_lf)
