"""The parts of a message, read leniently by the e-mail package and guarded where it raises. Pure; bounded.

Its newer policies parse each field on access and raise on broken ones; compat32 gives fields back as they came.
"""

import email.message
import email.parser
import email.policy
import re
from collections.abc import Iterator
from dataclasses import dataclass

from webui.mail import filename, header

MAX_BYTES = 64 * 1024 * 1024
"""More of a message is not parsed; our own size limit for mail is below."""
MAX_PARTS = 500
MAX_DEPTH = 50

_AS_IT_CAME = email.policy.compat32.clone(mangle_from_=False, max_line_length=0, linesep="\r\n")
_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}\Z")


def parse(raw: bytes) -> email.message.Message:
    """Return the message that these bytes are, as far as they are one."""
    return email.parser.BytesParser(policy=email.policy.compat32).parsebytes(raw[:MAX_BYTES])


@dataclass(frozen=True, slots=True)
class Part:
    """A leaf, or an attached message as a whole.

    Attributes:
        number: counted over all of the message, whether shown or not.
        choice: it stands below a multipart/alternative, so that plain and HTML may say the same.
        attached: it stands within an attached message.
    """

    number: int
    message: email.message.Message
    choice: bool
    attached: bool


def walk(message: email.message.Message) -> Iterator[Part]:
    """Every leaf in order; an attached message comes as a whole, then its own leaves. At most MAX_PARTS of them."""
    stack: list[tuple[email.message.Message, int, bool, bool]] = [(message, 0, False, False)]
    given = 0
    while stack and given < MAX_PARTS:
        part, depth, choice, attached = stack.pop()
        payload = part.get_payload()
        children = payload if isinstance(payload, list) and depth < MAX_DEPTH else None
        whole = part.get_content_maintype() == "message"
        if children is None or whole:
            _read_8bit(part)
            yield Part(given, part, choice, attached)
            given += 1
        if children is not None:
            choice = choice or part.get_content_subtype() == "alternative"
            below = [child for child in reversed(children) if isinstance(child, email.message.Message)]
            stack.extend((child, depth + 1, choice, attached or whole) for child in below)


def _read_8bit(part: email.message.Message) -> None:
    """Some programs write file names as plain UTF-8: the e-mail package would give back question marks."""
    for name, value in part.raw_items():
        if not str(value).isascii() and name.lower() in {"content-type", "content-disposition"}:
            part.replace_header(name, header.raw_text(str(value)))


def content_type(part: email.message.Message) -> str:
    """Return what a part is said to be, such as `text/plain`."""
    kind = part.get_content_type().lower()
    return kind if _TYPE.match(kind) else "application/octet-stream"


def parameter(part: email.message.Message, name: str) -> str:
    """Return a parameter of Content-Type, "" where it is missing or cannot be read."""
    try:
        value = part.get_param(name, "")
    except (KeyError, ValueError, TypeError, IndexError, AttributeError, UnicodeError):
        return ""
    if isinstance(value, tuple):
        value = value[2]
    return str(value or "").strip()[:200]


def disposition(part: email.message.Message) -> str:
    """Return `attachment`, `inline` or whatever else the part says of itself, "" for nothing."""
    return str(part.get("Content-Disposition", "")).partition(";")[0].strip().lower()


def content_id(part: email.message.Message) -> str:
    """Return the Content-ID without angle brackets."""
    return str(part.get("Content-ID", "")).strip().strip("<>")[:500]


def given_name(part: email.message.Message) -> str:
    """Return the file name as the sender wrote it, "" for none."""
    try:
        name = part.get_filename("")
    except (KeyError, ValueError, TypeError, IndexError, AttributeError, UnicodeError, LookupError):
        return ""
    return header.decode_text(str(name or ""))


def name(part: Part) -> str:
    """Return a file name for the part that is safe to save under."""
    given = given_name(part.message)
    if not given and part.message.get_content_maintype() == "message":
        inner = part.message.get_payload()
        if isinstance(inner, list) and inner and isinstance(inner[0], email.message.Message):
            given = header.decode_text(str(inner[0].get("Subject", "")))
        given = f"{given or 'message'}.eml"
    return filename.safe(
        given, fallback=f"attachment-{part.number + 1}{filename.extension(content_type(part.message))}"
    )


def data(part: email.message.Message) -> bytes:
    """Return the part's bytes, decoded; of an attached message all of it."""
    payload = part.get_payload()
    if isinstance(payload, list):
        # An attached message: its bytes, headers and all.
        return b"\n".join(_bytes(inner) for inner in payload if isinstance(inner, email.message.Message))
    try:
        decoded = part.get_payload(decode=True)
    except (ValueError, TypeError, LookupError, AssertionError):
        decoded = None
    if isinstance(decoded, bytes):
        return decoded
    return str(payload or "").encode("utf-8", "surrogateescape")


def _bytes(message: email.message.Message) -> bytes:
    try:
        return message.as_bytes(policy=_AS_IT_CAME)
    except (KeyError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return str(message.get_payload()).encode("utf-8", "surrogateescape")
