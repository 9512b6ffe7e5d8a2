"""Macros of SPF records (RFC 7208 section 7): text to a template, a template and values to text. Pure."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

LETTERS = frozenset("slodipvh")
EXPLANATION_LETTERS = LETTERS | frozenset("crt")
"""`c`, `r` and `t` are for explanations only (section 7.2)."""

_EXPAND = re.compile(r"%(?:\{([a-z])([0-9]*)(r?)([.\-+,/_=]*)\}|([%_-]))", re.IGNORECASE)
_ESCAPED = {"%": "%", "_": " ", "-": "%20"}
_VISIBLE = re.compile(r"[\x21-\x7e]*\Z")
_VISIBLE_OR_SPACE = re.compile(r"[\x20-\x7e]*\Z")


class SpfSyntaxError(ValueError):
    """A record is not well-formed: the check ends in permerror (RFC 7208 section 4.6)."""


@dataclass(frozen=True, slots=True)
class Macro:
    """One `%{…}`.

    Attributes:
        letter: which value, lower case.
        parts: how many of the right-hand parts to keep; 0: all.
        reverse: whether the parts change their order first.
        delimiters: where to split.
        escape: whether to percent-encode the outcome (an upper-case letter).
    """

    letter: str
    parts: int
    reverse: bool
    delimiters: str
    escape: bool


@dataclass(frozen=True, slots=True)
class Template:
    """Text with macros.

    Attributes:
        text: as the record has it.
        pieces: literal text and macros, in order.
    """

    text: str
    pieces: tuple[str | Macro, ...]

    @property
    def letters(self) -> frozenset[str]:
        """Which values it needs."""
        return frozenset(piece.letter for piece in self.pieces if isinstance(piece, Macro))


def parse_macros(text: str, *, letters: frozenset[str] = LETTERS, spaces: bool = False) -> Template:
    """Read a macro-string.

    Args:
        text: as the record has it.
        letters: which macros are known here.
        spaces: whether a space may stand in it, as in an explanation.

    Raises:
        SpfSyntaxError: a `%` that begins no macro, an unknown macro, or a character that may not stand there.
    """
    pieces: list[str | Macro] = []
    at = 0
    for match in _EXPAND.finditer(text):
        _add_literal(pieces, text[at : match.start()], spaces=spaces)
        pieces.append(_ESCAPED[match[5]] if match[5] else _macro(match, letters))
        at = match.end()
    _add_literal(pieces, text[at:], spaces=spaces)
    return Template(text, tuple(pieces))


def parse_domain_spec(text: str) -> Template:
    """Read a domain-spec: a macro-string that ends in a macro, or in a dot and a top label (section 7.1).

    Raises:
        SpfSyntaxError: it is none.
    """
    template = parse_macros(text)
    end = 0
    if "%" in text:
        for match in _EXPAND.finditer(text):
            end = match.end()
        if end == len(text):
            return template
    _, dot, top = text[end:].removesuffix(".").rpartition(".")
    if not dot or not _is_top_label(top):
        raise SpfSyntaxError(f"{text or 'nothing'} is not a domain")
    return template


def expand(template: Template, value: Callable[[str], str]) -> str:
    """Fill a template.

    Args:
        template: what to fill.
        value: gives the value for a macro letter (lower case).

    Source: RFC 7208 section 7.3.
    """
    return "".join(
        piece if isinstance(piece, str) else _transformed(piece, value(piece.letter)) for piece in template.pieces
    )


def _add_literal(pieces: list[str | Macro], text: str, *, spaces: bool) -> None:
    if not text:
        return
    if "%" in text:
        raise SpfSyntaxError("a % that begins no macro")
    if not (_VISIBLE_OR_SPACE if spaces else _VISIBLE).match(text):
        raise SpfSyntaxError("a character that may not stand in an SPF record")
    pieces.append(text)


def _macro(match: re.Match[str], letters: frozenset[str]) -> Macro:
    letter, digits, reverse, delimiters = match[1], match[2], match[3], match[4]
    if letter.lower() not in letters:
        raise SpfSyntaxError(f"the macro {match[0]} is unknown here")
    if digits and not digits.strip("0"):
        raise SpfSyntaxError(f"the macro {match[0]} keeps no part")
    # A name has at most 127 labels: more digits say no more than "all".
    parts = int(digits) if digits and len(digits) <= 4 else 0
    return Macro(letter.lower(), parts, bool(reverse), delimiters or ".", letter.isupper())


def _transformed(macro: Macro, value: str) -> str:
    if macro.parts or macro.reverse or macro.delimiters != ".":
        parts = re.split(f"[{re.escape(macro.delimiters)}]", value)
        if macro.reverse:
            parts.reverse()
        value = ".".join(parts[-macro.parts :] if macro.parts else parts)
    return quote(value, safe="-._~") if macro.escape else value


def _is_top_label(label: str) -> bool:
    if not label.isascii() or not label.replace("-", "").isalnum():
        return False
    if "-" in label:
        return not label.startswith("-") and not label.endswith("-")
    return not label.isdigit()
