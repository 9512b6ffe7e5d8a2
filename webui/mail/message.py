"""A message for a reader: bytes in, `MessageView` out, whatever the bytes are. Pure; bounded in parts, depth and size.

Follows RFC 2045 to 2049 and 2387 as far as senders do, and guesses like other mail readers where they do not.
"""

import base64
import logging
from dataclasses import dataclass, field
from datetime import datetime

from smailor import log
from webui.mail import header, parts
from webui.mail.flowed import unflow
from webui.mail.header import Mailbox
from webui.mail.parts import MAX_BYTES, MAX_PARTS, Part

MAX_TEXT = 1_000_000
MAX_HTML = 2_000_000
"""Characters of the plain and of the HTML body that are shown."""
MAX_INLINE_BYTES = 8 * 1024 * 1024
"""Pictures shown within the text, together; more of them stay attachments."""
_PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})

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
        for part in parts.walk(parts.parse(raw)):
            if part.number == index:
                return Content(parts.name(part), parts.content_type(part.message), parts.data(part.message))
    except Exception as error:  # noqa: BLE001 - as in `view`
        log.event(_logger, logging.WARNING, None, "message-not-parsed", error=type(error).__name__)
    return None


class _Reader:
    """One message on its way to a MessageView."""

    def __init__(self, raw: bytes) -> None:
        self.truncated = len(raw) > MAX_BYTES
        self.message = parts.parse(raw)
        self.parts = list(parts.walk(self.message))
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

    def _take(self, part: Part) -> None:
        kind = parts.content_type(part.message)
        disposition = parts.disposition(part.message)
        text = (
            kind in {"text/plain", "text/html"} and disposition != "attachment" and not parts.given_name(part.message)
        )
        if text and not part.attached:
            self._take_text(part, kind)
        elif not text:
            data = parts.data(part.message)
            identity = parts.content_id(part.message)
            inline = bool(identity) and disposition != "attachment" and self._show_picture(identity, kind, data)
            self.attachments.append(Attachment(part.number, parts.name(part), kind, len(data), inline))

    def _take_text(self, part: Part, kind: str) -> None:
        text = header.decode_bytes(parts.data(part.message), parts.parameter(part.message, "charset"))
        text = text.replace("\r\n", "\n").replace("\x00", "")
        if kind == "text/html":
            self.html.append(text)
            return
        if parts.parameter(part.message, "format").lower() == "flowed":
            text = unflow(text, delete_space=parts.parameter(part.message, "delsp").lower() == "yes")
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
