"""Header fields of stranger's mail as text: RFC 2047 and RFC 5322 read leniently. Pure; no function here raises."""

import binascii
import email.utils
import re
from dataclasses import dataclass
from datetime import UTC, datetime

import webencodings

MAX_FIELD = 262_144
"""Characters of one field that are read."""
MAX_ADDRESSES = 1000

_ENCODED_WORD = re.compile(r"=\?(?P<charset>[^?\s]{1,80})\?(?P<encoding>[bBqQ])\?(?P<text>[^?\r\n]*)\?=")
_BETWEEN_WORDS = re.compile(r"(\?=)[ \t\r\n]+(?==\?[^?\s]{1,80}\?[bBqQ]\?)")
_HEXADECIMAL = re.compile(rb"=([0-9A-Fa-f]{2})")
_INVISIBLE = re.compile(
    # Controls, and the marks that turn the direction of the text around them: a name written with them shows another.
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb]"
)
_FOLD = re.compile(r"[\r\n\t ]+")
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,900}>")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Who: a name, which may be empty, and an address as it was written."""

    name: str
    address: str

    @property
    def label(self) -> str:
        """What to call them in a list."""
        return self.name or self.address or "(unknown)"


def decode_bytes(data: bytes, charset: str | None) -> str:
    """Return text from bytes, whatever the charset is said to be; what cannot be read becomes U+FFFD.

    Args:
        data: the bytes.
        charset: label from a header, None for none. Read as browsers do (WHATWG Encoding); where there is none, as
            UTF-8 if it can be, else as Windows-1252.
    """
    if charset:
        encoding = webencodings.lookup(charset.strip().strip("\"'"))
        if encoding is not None:
            return str(encoding.codec_info.decode(data, "replace")[0])
        if charset.lower() in {"utf-7", "unicode-1-1-utf-7"}:
            return data.decode("utf-7", "replace")
    text = data.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    # A name cut within a character is still UTF-8; a text in an old encoding is broken at nearly every such byte.
    high = sum(byte > 127 for byte in data) if broken else 0
    return text if broken * 4 <= high else data.decode("cp1252", "replace")


def raw_text(value: str) -> str:
    """Return a header value whose bytes over 127 the e-mail parser kept as surrogates, read as `decode_bytes` does."""
    value = value[:MAX_FIELD]
    if value.isascii():
        return value
    return decode_bytes(value.encode("utf-8", "surrogateescape"), None)


def decode_text(value: str) -> str:
    """Return an unstructured field (Subject, a display name) as one line that a person can read.

    Args:
        value: the field as the parser gives it: folded, perhaps encoded (RFC 2047), perhaps raw 8-bit.
    """
    text = raw_text(value)
    if _ENCODED_WORD.search(text):
        text = _decode_words(text)
    return one_line(text)


def one_line(text: str) -> str:
    """Return the text without line breaks, controls and marks that reorder what stands around them."""
    return _FOLD.sub(" ", _INVISIBLE.sub("", text)).strip()


def _decode_words(text: str) -> str:
    """RFC 2047, read as senders write it: white space between encoded words goes, a character may span two words."""
    text = _BETWEEN_WORDS.sub(r"\1", text)
    out: list[str] = []
    position = 0
    pending = b""
    charset = ""
    for match in _ENCODED_WORD.finditer(text):
        label = match["charset"].partition("*")[0].lower()
        if pending and (match.start() != position or label != charset):
            out.append(decode_bytes(pending, charset))
            pending = b""
        out.append(text[position : match.start()])
        pending += _word_bytes(match["encoding"], match["text"])
        charset, position = label, match.end()
    if pending:
        out.append(decode_bytes(pending, charset))
    return "".join(out) + text[position:]


def _word_bytes(encoding: str, text: str) -> bytes:
    data = text.encode("utf-8", "replace")
    if encoding in "qQ":
        return _HEXADECIMAL.sub(lambda match: bytes([int(match[1], 16)]), data.replace(b"_", b" "))
    letters = re.sub(rb"[^A-Za-z0-9+/]", b"", data)
    if len(letters) % 4 == 1:
        letters = letters[:-1]
    return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))


def addresses(value: str) -> tuple[Mailbox, ...]:
    """Return the mailboxes of an address field (From, To, Cc, Reply-To), names decoded.

    Args:
        value: the field as the parser gives it. What cannot be read as an address is left out.
    """
    text = _FOLD.sub(" ", raw_text(value))
    try:
        pairs = email.utils.getaddresses([text])
    except (ValueError, IndexError, TypeError, AttributeError, RecursionError):
        return ()
    found = (Mailbox(decode_text(name), one_line(decode_text(address))) for name, address in pairs[:MAX_ADDRESSES])
    return tuple(mailbox for mailbox in found if mailbox.address or mailbox.name)


def date(value: str) -> datetime | None:
    """Return a Date field as aware UTC time, None where it says none that exists."""
    try:
        moment = email.utils.parsedate_to_datetime(raw_text(value))
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def message_ids(value: str) -> tuple[str, ...]:
    """Return the message ids (with angle brackets) in a Message-ID, In-Reply-To or References field."""
    return tuple(found for found in _MESSAGE_ID.findall(raw_text(value)) if found.isascii() and found.isprintable())
