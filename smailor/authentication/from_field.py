"""Which domains a received message names as its author's, for DMARC (RFC 9989 section 5.3.1).

Strangers' From fields are read more widely than what we vouch for ourselves (author.py): obsolete forms and sloppy
names pass as long as there is no doubt about the domain. What different programs would read differently is malformed.
Every domain that a reader may take for the author's is named, so that nobody hides behind a second one. Pure, in linear
time.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from smailor.address import DomainName
from smailor.errors import InvalidInput

MAX_OCTETS = 16_384
"""Of a From field's value: some hundred mailboxes."""

_FOLD = re.compile(r"\r?\n(?=[ \t])")
_BROKEN = re.compile(r"[\x00\r\n]")
_TOKEN = re.compile(
    r"""(?P<blank>[ \t]+)
      | (?P<quoted>"(?:[^"\\]|\\.)*+")
      | (?P<literal>\[[^\[\]]*+\])
      | (?P<special>[<>:;@,])
      | (?P<word>[^ \t"<>\[\]:;@,()]+)""",
    re.VERBOSE,
)
_AROUND_DOT = re.compile(r" *\. *")
_ONE_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
_BLANK = ("blank", " ")

_Token = tuple[str, str]


@dataclass(frozen=True, slots=True)
class AuthorDomains:
    """What a message's From field names.

    Attributes:
        domains: lower-case A-labels, each once, in order.
        problem: why there is none, in words; empty where there is one.
        malformed: it breaks RFC 5322, so that programs may differ about its author.
    """

    domains: tuple[str, ...]
    problem: str = ""
    malformed: bool = False


class _MalformedError(Exception):
    """The field cannot be read without doubt."""


def author_domains(values: Sequence[bytes]) -> AuthorDomains:
    """Read the From fields of a message.

    Args:
        values: what stands behind the colon of each, folds included.

    Returns:
        The domains, or why there is none; never raises.
    """
    if len(values) != 1:
        count = f"has {len(values)} From fields" if values else "has no From field"
        return AuthorDomains((), f"the message {count}", malformed=True)
    if len(values[0]) > MAX_OCTETS:
        return AuthorDomains((), "its From field is too long", malformed=True)
    text = _FOLD.sub("", values[0].decode("utf-8", "surrogateescape")).strip(" \t\r\n")
    try:
        domains = tuple(dict.fromkeys(_domains(_tokens(text))))
    except _MalformedError as error:
        return AuthorDomains((), f"its From field {error}", malformed=True)
    if domains:
        return AuthorDomains(domains)
    # A group without members is well-formed (RFC 6854), as is an address at an IP address.
    well_formed = text.endswith(";") or "[" in text
    return AuthorDomains((), "its From field names no domain", malformed=not well_formed)


def _tokens(text: str) -> list[_Token]:
    """Cut the text into tokens (kind, text); comments and blanks become one blank."""
    if _BROKEN.search(text):
        raise _MalformedError("has a NUL or a lone line end")
    tokens: list[_Token] = []
    at = 0
    while at < len(text):
        if text[at] == "(":
            at = _end_of_comment(text, at)
            tokens.append(_BLANK)
            continue
        match = _TOKEN.match(text, at)
        if match is None:
            raise _MalformedError("has a bracket or quotation mark without its pair")
        kind = match.lastgroup or ""
        tokens.append(_BLANK if kind == "blank" else (kind, match[0]))
        at = match.end()
    return tokens


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
    raise _MalformedError("has a comment without its end")


def _domains(tokens: list[_Token]) -> Iterator[str]:
    """Yield the domains of all mailboxes; groups are looked into."""
    for part in _parts(tokens):
        opening = [position for position, token in enumerate(part) if token == ("special", "<")]
        closing = [position for position, token in enumerate(part) if token == ("special", ">")]
        if len(opening) > 1 or len(opening) != len(closing):
            raise _MalformedError("has more than one address in one mailbox")
        if not opening:
            yield from _of_address(part)
            continue
        if closing[0] < opening[0]:
            raise _MalformedError("has a bracket without its pair")
        yield from _of_address(_without_route(part[opening[0] + 1 : closing[0]]))
        yield from _claimed(part[: opening[0]])
        yield from _claimed(part[closing[0] + 1 :])


def _parts(tokens: list[_Token]) -> Iterator[list[_Token]]:
    """Yield the mailboxes: what stands between commas, colons and semicolons outside angle brackets."""
    part: list[_Token] = []
    inside = False
    for token in tokens:
        if token[0] == "special" and token[1] in "<>":
            inside = token[1] == "<"
        if not inside and token[0] == "special" and token[1] in ",:;":
            yield part
            part = []
        else:
            part.append(token)
    yield part


def _without_route(tokens: list[_Token]) -> list[_Token]:
    """Drop an obsolete source route (RFC 5322 section 4.4): `@one,@two:`."""
    colons = [position for position, token in enumerate(tokens) if token == ("special", ":")]
    if not colons:
        return tokens
    if len(colons) > 1 or next((token for token in tokens if token != _BLANK), None) != ("special", "@"):
        raise _MalformedError("has an address that cannot be read")
    return tokens[colons[0] + 1 :]


def _of_address(tokens: list[_Token]) -> Iterator[str]:
    """Yield the domain of an addr-spec; nothing where it is only a name, or an address at an IP address."""
    ats = [position for position, token in enumerate(tokens) if token == ("special", "@")]
    if not ats:
        return
    if len(ats) > 1 or any(token[0] == "special" and token[1] != "@" for token in tokens):
        raise _MalformedError("has an address that cannot be read")
    local_part = [token for token in tokens[: ats[0]] if token != _BLANK]
    if "\x20" in _AROUND_DOT.sub(".", _joined(tokens[: ats[0]])) and all(kind == "word" for kind, _ in local_part):
        raise _MalformedError("has a name and an address that run together")
    after = tokens[ats[0] + 1 :]
    kinds = {kind for kind, _ in after if kind != "blank"}
    if kinds == {"literal"}:
        return
    if kinds != {"word"}:
        raise _MalformedError("has an address without a domain")
    domain = _domain(_AROUND_DOT.sub(".", _joined(after)))
    if domain is None:
        raise _MalformedError("has an address whose domain is not valid")
    yield domain


def _claimed(tokens: list[_Token]) -> Iterator[str]:
    """Yield domains of addresses in a name without quotation marks, which some programs show as the author."""
    for position, token in enumerate(tokens[:-1]):
        if token == ("special", "@") and tokens[position + 1][0] == "word" and "." in tokens[position + 1][1]:
            domain = _domain(tokens[position + 1][1])
            if domain is not None:
                yield domain


def _joined(tokens: list[_Token]) -> str:
    return "".join(text for _, text in tokens).strip(" ")


def _domain(text: str) -> str | None:
    try:
        return DomainName.parse(text).name
    except InvalidInput:
        plain = text.removesuffix(".").lower()
        return plain if _ONE_LABEL.match(plain) and not plain.isdigit() else None
    except UnicodeError:
        return None
