"""Postfix's policy delegation protocol as pure code: bytes in, requests out, answers to bytes.

No socket, clock or rule is to be found here. What arrives is bounded before it is looked at, and there is one error
class for each way in which a request can be wrong; after any of them the connection is of no further use, because
nothing says where the next request would begin. Source: Postfix, SMTPD_POLICY_README, "Protocol description".
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from operator import itemgetter
from typing import ClassVar, NamedTuple

from smailor.errors import SmailorError

MAX_REQUEST_BYTES = 16_384
"""Postfix's own requests have about 750 bytes; its longest values (HELO name, sender) stay under 2,048 each."""
MAX_ATTRIBUTES = 128
"""Postfix 3.9 sends 33."""
MAX_NUMBER_DIGITS = 18
"""So that every number fits a 64-bit column."""
MAX_INSTANCE_BYTES = 128
"""Postfix makes it of four numbers, 30 characters or so; it becomes part of a key in the database."""
MAX_TEXT_BYTES = 480
"""An SMTP reply line has at most 512 octets (RFC 5321 section 4.5.3.1.5): code, enhanced code, text, CR LF."""

REQUEST_TYPE = "smtpd_access_policy"
DUNNO = b"action=DUNNO\n\n"
"""No objection; Postfix goes on with its other restrictions. Never OK, which would skip them."""


class ProtocolError(SmailorError):
    """Base of the ways in which a request can be wrong; `kind` names the way in logs and metrics."""

    kind: ClassVar[str] = "protocol"


class RequestTooLong(ProtocolError):
    """More bytes arrived than any request may have, without the empty line that would end it."""

    kind = "too_long"


class TooManyAttributes(ProtocolError):
    """More lines than any request may have."""

    kind = "too_many_attributes"


class EmptyRequest(ProtocolError):
    """An empty line where a request should begin."""

    kind = "empty"


class NoAttribute(ProtocolError):
    """A line that is not `name=value`."""

    kind = "no_attribute"


class CarriageReturn(ProtocolError):
    """A line ends in CR LF; Postfix ends lines in LF alone, so it is not Postfix that speaks."""

    kind = "carriage_return"


class NulByte(ProtocolError):
    """A NUL, which the protocol forbids in names and values."""

    kind = "nul"


class NotText(ProtocolError):
    """A value that is needed is not UTF-8."""

    kind = "not_text"


class NotANumber(ProtocolError):
    """A value that counts something is not a row of decimal digits."""

    kind = "not_a_number"


class InstanceTooLong(ProtocolError):
    """An `instance` that no Postfix makes."""

    kind = "instance_too_long"


class MissingAttribute(ProtocolError):
    """An attribute without which there is nothing to decide is absent or empty."""

    kind = "missing_attribute"


class UnknownRequest(ProtocolError):
    """The `request` attribute asks for something else than `smtpd_access_policy`."""

    kind = "unknown_request"


class Truncated(ProtocolError):
    """The connection ended in the middle of a request."""

    kind = "truncated"


class PolicyRequest(NamedTuple):
    """One question of Postfix, with the attributes that a decision can depend on.

    A tuple, as one is made for every request, and that takes a quarter of the time that a frozen dataclass takes.

    Attributes:
        protocol_state: CONNECT, EHLO, HELO, MAIL, RCPT, DATA, END-OF-MESSAGE, VRFY or ETRN.
        instance: the same for all requests about one message; never empty.
        queue_id: empty before the first recipient was accepted.
        sasl_username: login of the client; empty where it did not authenticate.
        sender: envelope sender; empty for a bounce.
        recipient: envelope recipient, at RCPT (later only where there is just one).
        recipient_count: recipients accepted, at DATA and END-OF-MESSAGE; 0 otherwise.
        size: octets, as announced in MAIL FROM (0: not announced), the true size at END-OF-MESSAGE.
        client_address: the IP address that the client connects from.
    """

    protocol_state: str
    instance: str
    queue_id: str = ""
    sasl_username: str = ""
    sender: str = ""
    recipient: str = ""
    recipient_count: int = 0
    size: int = 0
    client_address: str = ""


class RequestReader:
    """Cuts one connection's bytes into requests; keeps at most `MAX_REQUEST_BYTES` between two calls."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._names: tuple[bytes, ...] = ()
        self._layout: _Layout | None = None

    @property
    def partial(self) -> bool:
        """Whether a request has begun and not ended."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> Iterator[PolicyRequest]:
        """Yield the requests that these bytes complete; the iterator has to be exhausted.

        Args:
            data: what was received, of any length.

        Raises:
            ProtocolError: one of its kinds, after the good requests in front of it were yielded. What arrived is
                forgotten then: the connection may live on for as long as its peer sends.
        """
        try:
            yield from self._cut(data)
        except ProtocolError:
            self._buffer = bytearray()
            raise

    def _cut(self, data: bytes) -> Iterator[PolicyRequest]:
        if (request := self.whole(data)) is not None:
            yield request
            return
        searched = max(len(self._buffer) - 1, 0)
        self._buffer += data
        while self._buffer:
            if self._buffer[0] == ord("\n"):
                raise EmptyRequest("an empty line where a request should begin")
            end = self._buffer.find(b"\n\n", searched)
            if max(end, 0) > MAX_REQUEST_BYTES or (end < 0 and len(self._buffer) > MAX_REQUEST_BYTES):
                raise RequestTooLong(f"more than {MAX_REQUEST_BYTES} bytes")
            if end < 0:
                return
            text = bytes(self._buffer[:end])
            del self._buffer[: end + 2]
            searched = 0
            values = _values(text)
            self._learn(tuple(values))
            yield _request(values)

    def _learn(self, names: tuple[bytes, ...]) -> None:
        """Two requests laid out the same in a row: the next one will be too."""
        if names == self._names:
            self._layout = _layout(names)
        self._names = names

    def whole(self, data: bytes) -> PolicyRequest | None:
        """Return the request if the data is just one, laid out as those before: Postfix's way, in a sixth of the time.

        Returns:
            None: the data has to be fed, if only to learn what is wrong with it.
        """
        layout = self._layout
        if layout is None or self._buffer or len(data) > MAX_REQUEST_BYTES or b"\0" in data or b"\r" in data:
            return None
        try:
            found = layout.match(data.decode())
        except UnicodeDecodeError:
            return None
        if found is None:
            return None
        state, instance, queue_id, username, sender, recipient, count, size, client = layout.values(found)
        if not state or not instance or len(instance) > MAX_INSTANCE_BYTES:
            return None
        return PolicyRequest(
            state,
            instance,
            queue_id,
            username,
            sender,
            recipient,
            int(count) if count else 0,
            int(size) if size else 0,
            client,
        )

    def end(self) -> None:
        """Say that no more bytes will come.

        Raises:
            Truncated: in the middle of a request.
        """
        if self._buffer:
            raise Truncated(f"the connection ended after {len(self._buffer)} bytes of a request")


def parse_request(text: bytes) -> PolicyRequest:
    """Read one request.

    Args:
        text: its lines, without the newline of the last one and the empty line.

    Returns:
        The request. Unknown attributes are ignored; of an attribute sent twice the last one holds.

    Raises:
        ProtocolError: one of its kinds.
    """
    return _request(_values(text))


class _Layout(NamedTuple):
    """Which attributes a request has, in which order.

    Attributes:
        match: finds the values in a whole request, or None.
        values: takes those that are looked at out of what was found, in the order of `PolicyRequest`.
    """

    match: Callable[[str], re.Match[str] | None]
    values: Callable[[re.Match[str]], tuple[str, ...]]


@lru_cache(16)
def _layout(names: tuple[bytes, ...]) -> _Layout | None:
    """Return a layout, which all connections of a Postfix share; None: it lacks something."""
    if not _NEEDED.issubset(names):
        return None
    parts = [re.escape(name.decode("latin-1")) + "=" + _PATTERNS.get(name, ".*+") + "\n" for name in names]
    places = [name for name in names if name in _ORDER]
    groups = itemgetter(*(places.index(name) + 1 for name in _ORDER))
    return _Layout(re.compile("".join(parts) + "\n").fullmatch, groups)


def _values(text: bytes) -> dict[bytes, bytes]:
    if b"\0" in text:
        raise NulByte("a NUL byte")
    if b"\r" in text:
        raise CarriageReturn("a carriage return")
    lines = text.split(b"\n")
    if len(lines) > MAX_ATTRIBUTES:
        raise TooManyAttributes(f"more than {MAX_ATTRIBUTES} attributes")
    values: dict[bytes, bytes] = {}
    for line in lines:
        name, equals, value = line.partition(b"=")  # at the first one: values may hold "="
        if not equals or not name:
            raise NoAttribute(f"a line that is not name=value: {line[:40]!r}")
        values[name] = value
    return values


def _request(values: dict[bytes, bytes]) -> PolicyRequest:
    if (kind := _required(values, b"request")) != REQUEST_TYPE:
        raise UnknownRequest(f"request={kind[:40]!r}")
    instance = _required(values, b"instance")
    if len(instance) > MAX_INSTANCE_BYTES:
        raise InstanceTooLong(f"an instance of {len(instance)} characters")
    return PolicyRequest(
        protocol_state=_required(values, b"protocol_state"),
        instance=instance,
        queue_id=_text(values, b"queue_id"),
        sasl_username=_text(values, b"sasl_username"),
        sender=_text(values, b"sender"),
        recipient=_text(values, b"recipient"),
        recipient_count=_number(values, b"recipient_count"),
        size=_number(values, b"size"),
        client_address=_text(values, b"client_address"),
    )


def format_refusal(code: int, enhanced_code: str, text: str) -> bytes:
    """Return the bytes of an answer that refuses, with a text for the person who sends.

    Args:
        code: SMTP reply code, 4xx or 5xx.
        enhanced_code: such as 4.7.1 (RFC 3463).
        text: one line; whatever is not printable ASCII becomes "?", what is too long for an SMTP line is cut.
    """
    words = "".join(letter if " " <= letter <= "~" else "?" for letter in text)[:MAX_TEXT_BYTES]
    return f"action={code} {enhanced_code} {words}\n\n".encode("ascii")


def _text(values: dict[bytes, bytes], name: bytes) -> str:
    try:
        return values.get(name, b"").decode()
    except UnicodeDecodeError as error:
        raise NotText(f"{name.decode()} is not UTF-8") from error


def _required(values: dict[bytes, bytes], name: bytes) -> str:
    if not (value := _text(values, name)):
        raise MissingAttribute(f"{name.decode()} is missing")
    return value


def _number(values: dict[bytes, bytes], name: bytes) -> int:
    digits = values.get(name)
    if not digits:
        return 0
    if not digits.isdigit() or len(digits) > MAX_NUMBER_DIGITS:
        raise NotANumber(f"{name.decode()} is not a number: {digits[:40]!r}")
    return int(digits)


_ORDER = tuple(name.encode() for name in PolicyRequest._fields)
_NEEDED = frozenset((b"request", *_ORDER))
_PATTERNS = {
    **dict.fromkeys(_ORDER, "(.*+)"),
    b"request": REQUEST_TYPE,
    b"recipient_count": f"([0-9]{{0,{MAX_NUMBER_DIGITS}}}+)",
    b"size": f"([0-9]{{0,{MAX_NUMBER_DIGITS}}}+)",
}
