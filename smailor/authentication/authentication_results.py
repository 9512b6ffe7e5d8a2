"""The Authentication-Results field (RFC 8601): ours is written here, others' are read, and forged ones of ours found.

A field is a value: the server that speaks and one result per method. Pure: bytes and text in, values out. Which results
there are to tell is the matter of those who found them.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from smailor.errors import InvalidInput

MAX_OCTETS = 16_384
"""Of a field that is read: several times what the longest honest ones have."""
MAX_RESULTS = 200

_FOLD = "\r\n\t"
_COLUMNS = 70
_KEYWORD = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\Z")
_PLAIN = re.compile(r"[!#$%&'*+\-.^_`{|}~A-Za-z0-9\u0080-\U0010ffff]+\Z")
_PLAIN_VALUE = re.compile(r"[!#$%&'*+\-.^_`{|}~/A-Za-z0-9\u0080-\U0010ffff]*@?[A-Za-z0-9._\u0080-\U0010ffff-]+\Z")
_TOKEN = re.compile(
    r"""(?P<blank>[ \t\r\n]+)
      | "(?P<quoted>(?:[^"\\]|\\.)*)"
      | (?P<mark>[;=/])
      | (?P<word>[^ \t\r\n"();=/]+)""",
    re.VERBOSE | re.DOTALL,
)
_NO_KEYWORD = re.compile(r"[^A-Za-z0-9-]")
_TO_ESCAPE = re.compile(r'(["\\])')
_COMMENT_MARK = re.compile(r"[()\\]")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_IN_COMMENT = str.maketrans({"(": "\\(", ")": "\\)", "\\": "\\\\"})


@dataclass(frozen=True, slots=True)
class Property:
    """What a result is about: `smtp.mailfrom=ada@example.com` has ptype, name and value."""

    ptype: str
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class MethodResult:
    """One method's result.

    Attributes:
        method: `spf`, `dkim`, `dmarc`, `arc`, ….
        result: `pass`, `fail`, ….
        properties: what it is about.
        reason: in words, for people and machines (`reason=`).
        comment: in words, for people, shown in parentheses.
    """

    method: str
    result: str
    properties: tuple[Property, ...] = ()
    reason: str = ""
    comment: str = ""


@dataclass(frozen=True, slots=True)
class AuthenticationResults:
    """A whole field.

    Attributes:
        authserv_id: who speaks.
        results: what it found, in order; none: nothing was checked (`none`).
    """

    authserv_id: str
    results: tuple[MethodResult, ...]


def write(authserv_id: str, results: Iterable[MethodResult]) -> str:
    """Return the value of an Authentication-Results field, folded with CRLF and a tab, without the final CRLF.

    Args:
        authserv_id: our name (section 2.5).
        results: what we found. Values may come from strangers: what would break the field is quoted or left out.
    """
    return _FOLD.join([f" {_value(authserv_id)};", write_results(results)])


def write_results(results: Iterable[MethodResult]) -> str:
    """Return the part behind `authserv-id;`, folded with CRLF and a tab: ARC-Authentication-Results shares it."""
    return f";{_FOLD}".join(_written(result) for result in results) or "none"


def parse(value: bytes) -> AuthenticationResults:
    """Read an Authentication-Results field.

    Args:
        value: all after the colon, folds included.

    Raises:
        InvalidInput: it is not one by RFC 8601 section 2.2; the message says why.
    """
    if len(value) > MAX_OCTETS:
        raise _invalid("it is too long")
    parts = _parts(_tokens(value.decode("utf-8", "replace")))
    head = [token for token in parts[0] if token[0] not in _BLANKS]
    if not head or head[0][0] not in {"word", "quoted"}:
        raise _invalid("it names no server")
    if [text for _, text in head[1:]] not in ([], ["1"]):
        raise _invalid("its version is unknown")
    if len(parts) == 1:
        raise _invalid("it has no results")
    if len(parts) > MAX_RESULTS:
        raise _invalid("it has too many results")
    found = [part for part in parts[1:] if not all(kind in _BLANKS for kind, _ in part)]
    if len(found) == 1 and [text.lower() for kind, text in found[0] if kind not in _BLANKS] == ["none"]:
        found = []
    return AuthenticationResults(head[0][1], tuple(_result(part) for part in found))


def merged(values: Iterable[bytes], authserv_id: str) -> tuple[MethodResult, ...]:
    """Return the results of all fields that a server wrote, in order; unreadable and foreign ones are passed over.

    Args:
        values: of every Authentication-Results field, first one first.
        authserv_id: whose results are wanted. That they are its own has to be sure: see `forged`.

    Source: RFC 8617 section 5.1: a sealer copies what its own administrative domain has found.
    """
    results: list[MethodResult] = []
    for value in values:
        try:
            field = parse(value)
        except InvalidInput:
            continue
        if field.authserv_id.lower() == authserv_id.lower():
            results += field.results
    return tuple(results)


def forged(values: Sequence[bytes], authserv_ids: Iterable[str]) -> tuple[int, ...]:
    """Find the fields that claim to be ours on a message that comes from outside (section 5).

    Args:
        values: of every Authentication-Results field, first one first.
        authserv_ids: our names; every host below them counts as ours too.

    Returns:
        Positions from 1, as milters count fields of one name. A field that cannot be read and has our name anywhere
        is among them: some other reader may read it.
    """
    ours = tuple(name.rstrip(".").lower() for name in authserv_ids)
    return tuple(position for position, value in enumerate(values, 1) if _claims(value, ours))


def _claims(value: bytes, ours: tuple[str, ...]) -> bool:
    text = value.decode("utf-8", "replace").replace("\\", "").lower()  # "\m\x.example" is a way to write mx.example
    if not any(name in text for name in ours):
        return False
    if len(value) > MAX_OCTETS:
        return True
    try:
        tokens = takewhile(lambda token: token != _SEMICOLON, _tokens(value.decode("utf-8", "replace")))
        head = [text for kind, text in tokens if kind not in _BLANKS]
    except InvalidInput:
        return True
    if not head or not all(text.isdigit() for text in head[1:]):
        return True
    claimed = head[0].rstrip(".").lower()
    return any(claimed == name or claimed.endswith("." + name) for name in ours)


_Token = tuple[str, str]
"""Kind (word, quoted, mark, blank or comment, which counts as a blank, too) and text."""

_BLANKS = frozenset({"blank", "comment"})
_SEMICOLON: _Token = ("mark", ";")
_EQUALS: _Token = ("mark", "=")
_SLASH: _Token = ("mark", "/")


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        if text[at] == "(":
            end = _end_of_comment(text, at)
            yield "comment", text[at + 1 : end - 1]
            at = end
            continue
        match = _TOKEN.match(text, at)
        if match is None:
            raise _invalid("it has a quotation mark or parenthesis without its pair")
        kind = match.lastgroup or ""
        yield kind, _ESCAPED.sub(r"\1", match["quoted"]) if kind == "quoted" else match[0]
        at = match.end()


def _end_of_comment(text: str, start: int) -> int:
    depth = 0
    at = start
    while (found := _COMMENT_MARK.search(text, at)) is not None:
        at = found.end()
        if found[0] == "\\":
            at += 1
        else:
            depth += 1 if found[0] == "(" else -1
            if depth == 0:
                return at
    raise _invalid("it has a comment without its end")


def _parts(tokens: Iterable[_Token]) -> list[list[_Token]]:
    parts: list[list[_Token]] = [[]]
    for token in tokens:
        if token == _SEMICOLON:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _result(part: Sequence[_Token]) -> MethodResult:
    """Read `method[/version]=result [reason=…] *(ptype.name=value)`."""
    comment = next((text for kind, text in part if kind == "comment"), "")
    (method, result), *pairs = _pairs(part)
    if not _KEYWORD.match(method) or not _KEYWORD.match(result):
        raise _invalid("a result is not of the form method=result")
    reason = ""
    properties: list[Property] = []
    for name, value in pairs:
        ptype, dot, rest = name.partition(".")
        if name.lower() == "reason":
            reason = value
        elif dot and ptype and rest:
            properties.append(Property(ptype.lower(), rest.lower(), value))
        elif dot or not _KEYWORD.match(name):
            raise _invalid("a property is not of the form type.name=value")
        # Else: Exchange Online writes `dmarc=pass action=none header.from=…`, in the ARC sets of half the world.
    return MethodResult(method.lower(), result.lower(), tuple(properties), reason, comment.strip())


def _pairs(part: Sequence[_Token]) -> list[tuple[str, str]]:
    """Cut `name = value` pairs; a version behind the method's name is dropped."""
    pairs: list[tuple[str, str]] = []
    at = _behind_blanks(part, 0)
    while at < len(part):
        name = ""
        while at < len(part) and part[at][0] == "word" and (not name or "." in {name[-1], part[at][1][0]}):
            name += part[at][1]
            at = _behind_blanks(part, at + 1)
        if not pairs and part[at : at + 1] == [_SLASH]:
            at = _behind_blanks(part, _behind_blanks(part, at + 1) + 1)
        if not name or part[at : at + 1] != [_EQUALS]:
            raise _invalid("a result or property has no =")
        start = at = _behind_blanks(part, at + 1)
        # Values unquoted although they hold / or = are common: `header.b=a/b=`.
        while at < len(part) and part[at][0] not in _BLANKS:
            at += 1
        if start == at:
            raise _invalid("a result or property has no value")
        pairs.append((name, "".join(text for _, text in part[start:at])))
        at = _behind_blanks(part, at)
    return pairs


def _behind_blanks(part: Sequence[_Token], at: int) -> int:
    while at < len(part) and part[at][0] in _BLANKS:
        at += 1
    return at


def _written(result: MethodResult) -> str:
    words = [f"{_keyword(result.method)}={_keyword(result.result)}"]
    if result.comment:
        words.append(f"({_printable(result.comment).translate(_IN_COMMENT)})")
    if result.reason:
        words.append(f"reason={_quoted(result.reason)}")
    words += [f"{_keyword(item.ptype)}.{_keyword(item.name)}={_value(item.value)}" for item in result.properties]
    lines = [words[0]]
    for word in words[1:]:
        if len(lines[-1]) + len(word) < _COLUMNS:
            lines[-1] += " " + word
        else:
            lines.append(" " + word)
    return _FOLD.join(lines)


def _keyword(text: str) -> str:
    if text.isalnum() and text.isascii():
        return text
    return _NO_KEYWORD.sub("", text) or "x"


def _value(text: str) -> str:
    plain = _printable(text)
    return plain if _PLAIN_VALUE.match(plain) or _PLAIN.match(plain) else _quoted(plain)


def _quoted(text: str) -> str:
    return '"' + _TO_ESCAPE.sub(r"\\\1", _printable(text)) + '"'


def _printable(text: str) -> str:
    """Return the text in one line and without what no field may hold, at most as long as a line (RFC 5322 2.1.1)."""
    if text.isprintable():  # nearly all are
        return text[:800].strip()
    return "".join(c if c.isprintable() else " " for c in text.encode("utf-8", "replace").decode("utf-8"))[:800].strip()


def _invalid(reason: str) -> InvalidInput:
    return InvalidInput("Authentication-Results", reason)
