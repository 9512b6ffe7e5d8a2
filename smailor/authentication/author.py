"""The author of a message: the one mailbox in its From field, read so that no other reader can see another one in it.

RFC 5322 section 3.6.2 allows several mailboxes, groups, comments anywhere and obsolete forms; what a person sees and
what DMARC judges then depends on whose parser it is. A message that we vouch for has exactly one plain mailbox; all
else is refused with its reason. Pure: bytes in, values out.
"""

import re
import unicodedata
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header

from smailor.address import Address
from smailor.errors import InvalidInput

MAX_OCTETS = 2048
"""Of a From field's value; two lines as long as RFC 5322 section 2.1.1 allows."""

_FOLD = re.compile(r"\r?\n(?=[ \t])")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_TOKEN = re.compile(
    r"""(?P<blank>[ \t]+)
      | (?P<quoted>"(?:[^"\\]|\\.)*")
      | (?P<special>[<>()\[\]:;@,\\])
      | (?P<word>[^ \t"<>()\[\]:;@,\\]+)""",
    re.VERBOSE,
)
_ADDRESS_IN_TEXT = re.compile(r"[^\s\"'<>()\[\],:;@]+@[^\s\"'<>()\[\],:;@]+\.[^\s\"'<>()\[\],:;@.]+")
_PROBLEMS = {
    ",": "it names more than one mailbox",
    ":": "it is a group, not a mailbox",
    ";": "it is a group, not a mailbox",
    "[": "its domain is an IP address",
}


@dataclass(frozen=True, slots=True)
class Author:
    """Who a message says it is from.

    Attributes:
        address: the mailbox, normal form.
        name: the display name as a mail client shows it, or the comments where there is no display name.
        claimed: other addresses that a reader sees in the name (`"boss@bank.example" <eve@…>`), lower case.
    """

    address: Address
    name: str
    claimed: tuple[str, ...]


def parse_author(value: bytes) -> Author:
    """Read the value of a From field.

    Args:
        value: all after the colon, folds included.

    Returns:
        Its one mailbox.

    Raises:
        InvalidInput: it is not exactly one plain mailbox; the message says why.
    """
    if len(value) > MAX_OCTETS:
        raise _invalid("it is too long")
    try:
        text = _FOLD.sub("", value.decode("utf-8")).strip(" \t\r\n")
    except UnicodeDecodeError as error:
        raise _invalid("it is neither ASCII nor UTF-8") from error
    if _CONTROL.search(text):
        raise _invalid("it has a control character")
    tokens, comments = _tokens(text)
    phrase, mailbox = _split(tokens)
    address = _address(mailbox)
    name = _readable(_phrase_text(phrase) or " ".join(comments))
    seen = name if not comments else f"{name} {_readable(' '.join(comments))}"
    return Author(address, name, tuple(sorted(_addresses_in(seen) - {str(address)})))


def _tokens(text: str) -> tuple[list[tuple[str, str]], list[str]]:
    """Cut the text into tokens (kind, text), comments apart."""
    tokens: list[tuple[str, str]] = []
    comments: list[str] = []
    at = 0
    while at < len(text):
        if text[at] == "(":
            end = _end_of_comment(text, at)
            comments.append(text[at + 1 : end - 1])
            tokens.append(("comment", " "))
            at = end
            continue
        match = _TOKEN.match(text, at)
        if match is None:
            raise _invalid("it has a quotation mark without its pair")
        tokens.append((match.lastgroup or "", match[0]))
        at = match.end()
    return tokens, comments


def _end_of_comment(text: str, start: int) -> int:
    depth = 0
    at = start
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == "(":
            depth += 1
        elif text[at] == ")":
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1
    raise _invalid("it has a comment without its end")


def _split(tokens: list[tuple[str, str]]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return the tokens of the display name and those of the address."""
    for kind, text in tokens:
        if kind == "special" and text in _PROBLEMS:
            raise _invalid(_PROBLEMS[text])
    while tokens and tokens[-1][0] in {"blank", "comment"}:
        tokens = tokens[:-1]
    opening = [position for position, token in enumerate(tokens) if token == ("special", "<")]
    if not opening:
        while tokens and tokens[0][0] in {"blank", "comment"}:
            tokens = tokens[1:]
        return [], tokens
    if len(opening) > 1 or tokens[-1] != ("special", ">"):
        raise _invalid("it names more than one mailbox, or has text behind it")
    phrase = tokens[: opening[0]]
    if any(kind == "special" for kind, _ in phrase):
        raise _invalid("its display name has a character that needs quotation marks")
    return phrase, tokens[opening[0] + 1 : -1]


def _address(tokens: list[tuple[str, str]]) -> Address:
    if [kind for kind, _ in tokens] == ["quoted", "special", "word"]:
        raise _invalid("the part before the @ is quoted")
    if [kind for kind, _ in tokens] != ["word", "special", "word"] or tokens[1][1] != "@":
        raise _invalid("it has no plain address")
    local_part, domain = tokens[0][1], tokens[2][1]
    if "=?" in local_part or "=?" in domain:
        raise _invalid("its address has an encoded word")
    if domain.endswith("."):
        raise _invalid("its domain ends in a dot")
    try:
        address = Address.parse(f"{local_part}@{domain}")
    except InvalidInput as error:
        raise _invalid(error.message) from error
    if not domain.isascii() and address.domain.unicode != domain.lower():
        # Look-alikes that IDNA maps (full-width letters, ideographic full stops) are not what they read like.
        raise _invalid("its domain is not written in its normal form")
    return address


def _phrase_text(tokens: list[tuple[str, str]]) -> str:
    parts = (re.sub(r"\\(.)", r"\1", text[1:-1]) if kind == "quoted" else text for kind, text in tokens)
    return "".join(parts).strip()


def _readable(text: str) -> str:
    """Return the text with encoded words decoded, inside quotation marks too, as many mail clients show it."""
    if "=?" not in text:
        return text
    try:
        parts = [_decoded(data, charset) for data, charset in decode_header(text)]
    except (HeaderParseError, LookupError, ValueError) as error:
        raise _invalid("its display name has an encoded word that cannot be decoded") from error
    readable = "".join(parts)
    if _CONTROL.search(readable):
        raise _invalid("its display name has a control character")
    return readable


def _addresses_in(text: str) -> set[str]:
    """Return what a person reads as addresses, look-alikes of `@` and `.` included."""
    plain = unicodedata.normalize("NFKC", text).replace("\u3002", ".")
    return {found.lower() for found in _ADDRESS_IN_TEXT.findall(plain)} if "@" in plain else set()


def _decoded(data: bytes | str, charset: str | None) -> str:
    if isinstance(data, str):
        return data
    # What is not encoded comes back through raw-unicode-escape.
    return data.decode(charset, "replace") if charset else data.decode("raw-unicode-escape", "replace")


def _invalid(reason: str) -> InvalidInput:
    return InvalidInput("From", reason)
