"""A message's header as signatures see it: fields by name, taken from the last one up, in canonical form.

RFC 6376 §3.4.1, §3.4.2 and §5.4.2. Each field is made canonical once, however many signatures cover it.
"""

import re
from collections.abc import Iterable, Sequence

from smailor.authentication.canonical import relax_header, relax_name

_LONE_LF = re.compile(rb"(?<!\r)\n")


class Field:
    """One header field.

    Attributes:
        name: as written, blanks before the colon included.
        value: all after the colon, folds included, without the line end that closes the field.
    """

    __slots__ = ("_relaxed", "name", "value")

    def __init__(self, name: str, value: bytes) -> None:
        self.name = name
        self.value = value
        self._relaxed: bytes | None = None

    @property
    def key(self) -> str:
        """The name as it is compared: lower case, no blanks at its end."""
        return self.name.rstrip(" \t").lower()

    @property
    def relaxed(self) -> bytes:
        """The field in relaxed form, without final CRLF."""
        if self._relaxed is None:
            self._relaxed = relax_name(self.name) + b":" + relax_header(self.value)
        return self._relaxed

    @property
    def simple(self) -> bytes:
        """The field as it stood in the message, without final CRLF; a milter sees its folds as line feeds alone."""
        value = _LONE_LF.sub(b"\r\n", self.value) if b"\n" in self.value else self.value
        return self.name.encode("utf-8", "surrogateescape") + b":" + value


class Header:
    """All fields of a message, in order.

    Args:
        fields: name and value of each, as `dkim.header_fields` and milters give them.
    """

    __slots__ = ("_named",)

    def __init__(self, fields: Iterable[tuple[str, bytes]]) -> None:
        self._named: dict[str, list[Field]] = {}
        for name, value in fields:
            field = Field(name, value)
            self._named.setdefault(field.key, []).append(field)

    def named(self, name: str) -> Sequence[Field]:
        """Return the fields of this name (lower case), first one first."""
        return self._named.get(name, ())

    def lines(self, names: Iterable[str], *, relaxed: bool, without: Field | None = None) -> list[bytes]:
        """Return the canonical fields that a list of names selects.

        Args:
            names: lower case; a name that stands again takes the next field above (RFC 6376 §5.4.2), one for which no
                field is left takes nothing.
            relaxed: which form.
            without: a signature's own field, which is never among those it lists (§3.5, `h=`).
        """
        lines: list[bytes] = []
        upper: dict[str, int] = {}
        for name in names:
            found = self._named.get(name)
            if found is None:
                continue
            at = upper.get(name, len(found)) - 1
            if at >= 0 and found[at] is without:
                at -= 1
            upper[name] = at
            if at >= 0:
                lines.append(found[at].relaxed if relaxed else found[at].simple)
        return lines
