"""Tag lists, `name=value; name=value`: the form of DKIM signatures, their key records and ARC fields (RFC 6376 §3.2).

One reader for all of them. It knows the form only: which tags there must be and what they mean is the caller's matter.
"""

import base64
import binascii
import re

_BLANK = " \t\r\n"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_BLANKS = re.compile(r"[ \t\r\n]+")
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}\Z")
_VALUE_OF_B = re.compile(rb"((?:\A|;)[ \t\r\n]*b[ \t\r\n]*=)[^;]*")


class TagError(ValueError):
    """The text is no tag list, or a tag's value has not the form that it should have. The message says why."""


def parse_tags(text: bytes) -> dict[str, str]:
    """Read a tag list.

    Args:
        text: the value of a header field with its folds, or a TXT record.

    Returns:
        The tags in order. Names are case-sensitive; a value is without the blanks around it, with those inside.

    Raises:
        TagError: it is not a tag list, or has a tag twice (then "the entire tag-list is invalid").

    Source: RFC 6376 §3.2; UTF-8 in values by RFC 8616 §3.
    """
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise TagError("it is neither ASCII nor UTF-8") from error
    if _CONTROL.search(decoded):
        raise TagError("it has a control character")
    specs = decoded.split(";")
    if len(specs) > 1 and not specs[-1].strip(_BLANK):
        specs.pop()  # one semicolon may stand at the end
    tags: dict[str, str] = {}
    for spec in specs:
        name, equals, value = spec.partition("=")
        name = name.strip(_BLANK)
        if not equals or not _NAME.match(name):
            raise TagError(f"{_shown(spec)} is no tag")
        if name in tags:
            raise TagError(f"the tag {_shown(name)} stands twice")
        tags[name] = value.strip(_BLANK)
    return tags


def without_signature(value: bytes) -> bytes:
    """Return a signature field's value with `b=` emptied: what the signature itself covers.

    Args:
        value: a tag list that `parse_tags` reads, as it stood in the message.

    Source: RFC 6376 §3.7: the value is removed "including all surrounding whitespace".
    """
    return _VALUE_OF_B.sub(rb"\1", value, count=1)


def squeeze(value: str) -> str:
    """Return a value without any blanks: folds inside base64 and lists carry no meaning."""
    return _BLANKS.sub("", value)


def decode_base64(value: str, tag: str) -> bytes:
    """Return the octets that a tag's value encodes.

    Args:
        value: base64 (RFC 4648 §4), blanks anywhere.
        tag: the tag's name, for the error.

    Raises:
        TagError: it is empty or not base64.
    """
    plain = squeeze(value)
    if not _BASE64.match(plain):
        raise TagError(f"{tag}= is not base64")
    try:
        return base64.b64decode(plain, validate=True)
    except binascii.Error as error:
        raise TagError(f"{tag}= is not base64") from error


def decode_number(value: str, tag: str, *, digits: int) -> int:
    """Return the number that a tag's value holds.

    Args:
        value: decimal digits.
        tag: the tag's name, for the error.
        digits: how many at most.

    Raises:
        TagError: it is no unsigned decimal number, or longer.
    """
    if not value.isascii() or not value.isdigit() or len(value) > digits:
        raise TagError(f"{tag}= is not a number of at most {digits} digits")
    return int(value)


def _shown(text: str) -> str:
    short = text.strip(_BLANK)
    return repr(short if len(short) <= 20 else short[:20] + "…")
