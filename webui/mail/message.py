"""A message for a reader: bytes in, `MessageView` out, whatever the bytes are. Pure; bounded in parts, depth and size.

Follows RFC 2045 to 2049 and 2387 as far as senders do, and guesses like other mail readers where they do not.
"""

import base64
import email.message
import email.parser
import email.policy
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from smailor import log
from webui.mail import filename, header
from webui.mail.flowed import unflow
from webui.mail.header import Mailbox

MAX_BYTES = 64 * 1024 * 1024
"""More of a message is not parsed; our own size limit for mail is below."""
MAX_PARTS = 500
MAX_DEPTH = 50
MAX_TEXT = 1_000_000
MAX_HTML = 2_000_000
"""Characters of the plain and of the HTML body that are shown."""
MAX_INLINE_BYTES = 8 * 1024 * 1024
"""Pictures shown within the text, together; more of them stay attachments."""
_PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})

_AS_IT_CAME = email.policy.compat32.clone(mangle_from_=False, max_line_length=0, linesep="\r\n")

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Attachment:
    """Something that came with the message.

    Attributes:
        index: which part it is, counted as `content` counts.
        name: a file name that is safe on every system.
        content_type: what it is said to be, such as `application/pdf`.
        size: bytes after decoding.
        inline: it is shown within the HTML text.
    """

    index: int
    name: str
    content_type: str
    size: int
    inline: bool = False


@dataclass(frozen=True, slots=True)
class MessageView:
    """What a reader sees of a message.

    Attributes:
        subject: one line, perhaps empty.
        sender: who From says it is, None where it says nothing.
        date: aware UTC, None where Date says nothing that exists.
        message_id: with angle brackets, "" for none.
        references: the conversation's message ids, oldest first, without this message's own.
        text: the plain text, None where there is none.
        html: the HTML as it came, NOT sanitised, None where there is none.
        pictures: Content-ID to `data:` URL, of the pictures shown within the HTML.
        attachments: in the order in which they came.
        truncated: something was left out, because it was beyond a limit.
    """

    subject: str = ""
    sender: Mailbox | None = None
    to: tuple[Mailbox, ...] = ()
    cc: tuple[Mailbox, ...] = ()
    bcc: tuple[Mailbox, ...] = ()
    reply_to: tuple[Mailbox, ...] = ()
    date: datetime | None = None
    message_id: str = ""
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    text: str | None = None
    html: str | None = None
    pictures: dict[str, str] = field(default_factory=dict)
    attachments: tuple[Attachment, ...] = ()
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Content:
    """One part's bytes, for download."""

    name: str
    content_type: str
    data: bytes


def view(raw: bytes) -> MessageView:
    """Return what a reader sees of a message. Never raises, on any bytes.

    Args:
        raw: the message as IMAP gives it.
    """
    try:
        return _Reader(raw).view()
    except Exception as error:  # noqa: BLE001 - the promise of this function; what the e-mail package raises is not listed anywhere
        log.event(_logger, logging.WARNING, None, "message-not-parsed", error=type(error).__name__)
        return MessageView(text=header.decode_bytes(raw[:MAX_TEXT], None), truncated=len(raw) > MAX_TEXT)


def content(raw: bytes, index: int) -> Content | None:
    """Return one part of a message, decoded, None where there is no such part. Never raises, on any bytes.

    Args:
        raw: the message as IMAP gives it.
        index: from `Attachment.index`.
    """
    try:
        for part in _parts(_parse(raw)):
            if part.number == index:
                return Content(_name(part), _content_type(part.message), _data(part.message))
    except Exception as error:  # noqa: BLE001 - as in `view`
        log.event(_logger, logging.WARNING, None, "message-not-parsed", error=type(error).__name__)
    return None


def _parse(raw: bytes) -> email.message.Message:
    # compat32 gives fields back as they came; the newer policies parse each on access, and raise on broken ones.
    return email.parser.BytesParser(policy=email.policy.compat32).parsebytes(raw[:MAX_BYTES])


@dataclass(frozen=True, slots=True)
class _Part:
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


def _parts(message: email.message.Message) -> Iterator[_Part]:
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
            yield _Part(given, part, choice, attached)
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


class _Reader:
    """One message on its way to a MessageView."""

    def __init__(self, raw: bytes) -> None:
        self.truncated = len(raw) > MAX_BYTES
        self.message = _parse(raw)
        self.parts = list(_parts(self.message))
        self.truncated |= len(self.parts) >= MAX_PARTS
        self.plain: list[str] = []
        self.html: list[str] = []
        self.pictures: dict[str, str] = {}
        self.attachments: list[Attachment] = []
        self._picture_bytes = 0

    def view(self) -> MessageView:
        for part in self.parts:
            self._take(part)
        senders = header.addresses(self._field("From")) or header.addresses(self._field("Sender"))
        own_id = header.message_ids(self._field("Message-ID"))
        in_reply_to = header.message_ids(self._field("In-Reply-To"))
        return MessageView(
            subject=header.decode_text(self._field("Subject")),
            sender=senders[0] if senders else None,
            to=header.addresses(self._field("To")),
            cc=header.addresses(self._field("Cc")),
            bcc=header.addresses(self._field("Bcc")),
            reply_to=header.addresses(self._field("Reply-To")),
            date=header.date(self._field("Date")),
            message_id=own_id[0] if own_id else "",
            in_reply_to=in_reply_to[0] if in_reply_to else "",
            references=header.message_ids(self._field("References")) or in_reply_to[:1],
            text=self._cut("\n".join(self.plain), MAX_TEXT) if self.plain else None,
            html=self._cut("\n".join(self.html), MAX_HTML) if self.html else None,
            pictures=self.pictures,
            attachments=tuple(self.attachments),
            truncated=self.truncated,
        )

    def _field(self, name: str) -> str:
        wanted = name.lower()
        return next((str(value) for key, value in self.message.raw_items() if key.lower() == wanted), "")

    def _take(self, part: _Part) -> None:
        kind = _content_type(part.message)
        disposition = _disposition(part.message)
        text = kind in {"text/plain", "text/html"} and disposition != "attachment" and not _given_name(part.message)
        if text and not part.attached:
            self._take_text(part, kind)
        elif not text:
            data = _data(part.message)
            identity = _content_id(part.message)
            inline = bool(identity) and disposition != "attachment" and self._show_picture(identity, kind, data)
            self.attachments.append(Attachment(part.number, _name(part), kind, len(data), inline))

    def _take_text(self, part: _Part, kind: str) -> None:
        text = header.decode_bytes(_data(part.message), _parameter(part.message, "charset"))
        text = text.replace("\r\n", "\n").replace("\x00", "")
        if kind == "text/html":
            self.html.append(text)
            return
        if _parameter(part.message, "format").lower() == "flowed":
            text = unflow(text, delete_space=_parameter(part.message, "delsp").lower() == "yes")
        self.plain.append(text)
        if self.html and not part.choice and text.strip():
            # Text after the HTML, such as a mailing list's footer: shown where the HTML is shown.
            self.html.append(f"<pre>{_escape(text)}</pre>")

    def _show_picture(self, identity: str, kind: str, data: bytes) -> bool:
        self._picture_bytes += len(data)
        if kind not in _PICTURES or self._picture_bytes > MAX_INLINE_BYTES:
            return False
        self.pictures.setdefault(identity, f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}")
        return True

    def _cut(self, text: str, most: int) -> str:
        self.truncated |= len(text) > most
        return text[:most]


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _content_type(part: email.message.Message) -> str:
    kind = part.get_content_type().lower()
    return (
        kind if re.fullmatch(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}", kind) else "application/octet-stream"
    )


def _parameter(part: email.message.Message, name: str) -> str:
    try:
        value = part.get_param(name, "")
    except (KeyError, ValueError, TypeError, IndexError, AttributeError, UnicodeError):
        return ""
    if isinstance(value, tuple):
        value = value[2]
    return str(value or "").strip()[:200]


def _disposition(part: email.message.Message) -> str:
    return str(part.get("Content-Disposition", "")).partition(";")[0].strip().lower()


def _content_id(part: email.message.Message) -> str:
    return str(part.get("Content-ID", "")).strip().strip("<>")[:500]


def _given_name(part: email.message.Message) -> str:
    try:
        name = part.get_filename("")
    except (KeyError, ValueError, TypeError, IndexError, AttributeError, UnicodeError, LookupError):
        return ""
    return header.decode_text(str(name or ""))


def _name(part: _Part) -> str:
    given = _given_name(part.message)
    if not given and part.message.get_content_maintype() == "message":
        inner = part.message.get_payload()
        if isinstance(inner, list) and inner and isinstance(inner[0], email.message.Message):
            given = header.decode_text(str(inner[0].get("Subject", "")))
        given = f"{given or 'message'}.eml"
    return filename.safe(
        given, fallback=f"attachment-{part.number + 1}{filename.extension(_content_type(part.message))}"
    )


def _data(part: email.message.Message) -> bytes:
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
