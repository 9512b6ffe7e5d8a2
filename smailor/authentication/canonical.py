"""The relaxed canonicalisations of DKIM (RFC 6376 sections 3.4.2 and 3.4.4), as data arrives.

The body is hashed chunk by chunk in constant memory: any cut of the same octets gives the same hash. Lines end in CRLF;
a carriage return or line feed that stands alone is an octet like any other.
"""

import hashlib
import re

_UNUSUAL = re.compile(rb"[\x0b\x0c]|\r(?!\n[ \t])|\n(?![ \t])")
"""What `bytes.split` would take for white space although DKIM does not: then the slow, exact way is taken."""
_FOLD = re.compile(rb"\r?\n(?=[ \t])")
_BLANKS = re.compile(rb"[ \t]+")

_EMPTY_LINES = b"\r\n" * 4096


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


class RelaxedBodyHash:
    """SHA-256 of a body in relaxed canonical form, fed in chunks of any size.

    Two things are held back between chunks, because what follows decides about them: how many empty lines were just
    seen (at the end of the body they do not count), and an unfinished end: a blank, a carriage return, or both.
    """

    __slots__ = ("_empty_lines", "_hash", "_seen", "_unfinished")

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._seen = False
        self._empty_lines = 0
        self._unfinished = b""

    def update(self, chunk: bytes) -> None:
        """Take the next octets of the body."""
        data = self._unfinished + chunk if self._unfinished else chunk
        if b"\t" in data:
            data = data.replace(b"\t", b" ")
        while b"  " in data:
            data = data.replace(b"  ", b" ")
        if b" \r\n" in data:
            data = data.replace(b" \r\n", b"\r\n")
        end = len(data)
        if data.endswith(b"\r"):
            end -= 1
        if end and data[end - 1] == 0x20:
            end -= 1
        self._unfinished = data[end:]
        content = _end_of_content(data, end)
        if content:
            self._flush_empty_lines()
            self._hash.update(memoryview(data)[:content])
            self._seen = True
        self._empty_lines += (end - content) // 2

    def digest(self) -> bytes:
        """End the body and return its hash; the object is not to be fed afterwards.

        A last line without CRLF is given one; a body of nothing but empty lines counts as empty (section 3.4.4).
        """
        rest = self._unfinished.removesuffix(b" ")  # a blank at the end of the last line
        if rest:
            self._flush_empty_lines()
            self._hash.update(rest)
            self._seen = True
        if self._seen:
            self._hash.update(b"\r\n")
        return self._hash.digest()

    def _flush_empty_lines(self) -> None:
        # In portions: a body may be nothing but a hundred megabytes of line ends.
        size = 2 * self._empty_lines
        while size:
            portion = min(size, len(_EMPTY_LINES))
            self._hash.update(memoryview(_EMPTY_LINES)[:portion])
            size -= portion
        self._empty_lines = 0


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
