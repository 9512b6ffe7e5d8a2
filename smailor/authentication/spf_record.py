"""The grammar of SPF records (RFC 7208 sections 4.6.1, 5 and 6): a TXT record to directives, or what is wrong. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

from smailor.authentication.spf_macro import SpfSyntaxError, Template, parse_domain_spec, parse_macros

MAX_OCTETS = 16_384
"""Of one record. The DNS could carry 64 KiB; records in use stay below 2 KiB (section 3.4 asks for 450 octets)."""

_VERSION = re.compile(rb"v=spf1(?: |\Z)", re.IGNORECASE)
_MODIFIER = re.compile(r"([a-z][a-z0-9_.-]*)=(.*)\Z", re.IGNORECASE | re.DOTALL)
_MECHANISM = re.compile(r"([-+?~]?)(all|include|a|mx|ptr|ip4|ip6|exists)(?![^:/])(.*)\Z", re.IGNORECASE | re.DOTALL)
_CIDR = re.compile(r"(?:/([0-9]+))?(?://([0-9]+))?\Z")
_TAIL = re.compile(r"(?:/[0-9]+)?(?://[0-9]+)?\Z")
_WITH_DOMAIN = {"include", "a", "mx", "ptr", "exists"}
_NEEDS_DOMAIN = {"include", "exists"}
_WITH_CIDR = {"a", "mx"}


_REMEMBERED = 1024
"""Records that stay parsed: the same few are met again and again, and parsing takes longer than all the rest."""
_REMEMBERED_OCTETS = 2048


@dataclass(frozen=True, slots=True)
class Directive:
    """One mechanism with its qualifier.

    Attributes:
        qualifier: `+`, `-`, `~` or `?`: what a match means.
        mechanism: `all`, `include`, `a`, `mx`, `ptr`, `ip4`, `ip6` or `exists`.
        text: as the record has it, for people.
        target: whom to ask about; None: the domain itself.
        network: of `ip4` and `ip6`: the first address as a number.
        prefix4: how many leading bits of an IPv4 address count.
        prefix6: of an IPv6 address.
    """

    qualifier: str
    mechanism: str
    text: str
    target: Template | None = None
    network: int = 0
    prefix4: int = 32
    prefix6: int = 128


@dataclass(frozen=True, slots=True)
class SpfRecord:
    """A well-formed record.

    Attributes:
        directives: in order.
        redirect: whose record decides where no directive matches; None without, or where an `all` makes it idle.
        explanation: where a fail's explanation is published.
    """

    directives: tuple[Directive, ...]
    redirect: Template | None = None
    explanation: Template | None = None


def spf_records(texts: Iterable[bytes]) -> tuple[bytes, ...]:
    """Pick the SPF records among a name's TXT records (section 4.5): those that begin with `v=spf1` as a word."""
    return tuple(text for text in texts if _VERSION.match(text))


def parse_record(record: bytes) -> SpfRecord:
    """Read a record that begins with `v=spf1`.

    Args:
        record: the TXT record, its strings joined.

    Raises:
        SpfSyntaxError: any part of it is not well-formed, wherever it stands (section 4.6).
    """
    return _remembered(record) if len(record) <= _REMEMBERED_OCTETS else _parsed(record)


def _parsed(record: bytes) -> SpfRecord:
    if len(record) > MAX_OCTETS:
        raise SpfSyntaxError("the record is too long")
    if not record.isascii():
        raise SpfSyntaxError("the record has a character that is not ASCII")
    directives: list[Directive] = []
    modifiers: dict[str, Template] = {}
    for term in record.decode("ascii")[6:].split(" "):
        if not term:
            continue
        modifier = _MODIFIER.match(term)
        if modifier is None:
            directives.append(_directive(term))
        else:
            _modifier(modifiers, modifier[1].lower(), modifier[2])
    idle = any(directive.mechanism == "all" for directive in directives)
    return SpfRecord(tuple(directives), None if idle else modifiers.get("redirect"), modifiers.get("exp"))


_remembered = lru_cache(_REMEMBERED)(_parsed)


def _modifier(modifiers: dict[str, Template], name: str, value: str) -> None:
    if name not in {"redirect", "exp"}:
        parse_macros(value)  # an unknown modifier is ignored, but has to be well-formed (section 6)
        return
    if name in modifiers:
        raise SpfSyntaxError(f"{name}= stands there twice")
    modifiers[name] = parse_domain_spec(value)


def _directive(term: str) -> Directive:
    match = _MECHANISM.match(term)
    if match is None:
        raise SpfSyntaxError(f"the term {_shown(term)} is unknown")
    qualifier, mechanism, rest = match[1] or "+", match[2].lower(), match[3]
    if mechanism == "all":
        if rest:
            raise SpfSyntaxError(f"{_shown(term)} is not well-formed")
        return Directive(qualifier, mechanism, term)
    if mechanism in {"ip4", "ip6"}:
        return _network(qualifier, mechanism, term, rest)
    return _named(qualifier, mechanism, term, rest)


def _named(qualifier: str, mechanism: str, term: str, rest: str) -> Directive:
    cidr = _tail(rest) if mechanism in _WITH_CIDR else ""
    spec = rest[: len(rest) - len(cidr)]
    prefix4, prefix6 = _prefixes(cidr, term)
    if spec and not spec.startswith(":"):
        raise SpfSyntaxError(f"{_shown(term)} is not well-formed")
    if not spec and mechanism in _NEEDS_DOMAIN:
        raise SpfSyntaxError(f"{mechanism} names no domain")
    target = parse_domain_spec(spec[1:]) if spec else None
    return Directive(qualifier, mechanism, term, target, 0, prefix4, prefix6)


def _tail(rest: str) -> str:
    """Return the prefix lengths that a term ends in."""
    # Anchored from the first place where they could begin, so that long runs of digits and slashes cost little.
    start = len(rest.rstrip("0123456789/"))
    for at in range(start, len(rest)):
        if rest[at] == "/" and len(rest) - at <= 12:
            found = _TAIL.match(rest, at)
            if found is not None:
                return found[0]
    return ""


def _network(qualifier: str, mechanism: str, term: str, rest: str) -> Directive:
    address, slash, prefix = rest[1:].partition("/")
    widest = 32 if mechanism == "ip4" else 128
    if not rest.startswith(":") or "%" in address:  # Python would take the % for an IPv6 scope
        raise SpfSyntaxError(f"{_shown(term)} has no address of its kind")
    try:
        network = int(IPv4Address(address) if mechanism == "ip4" else IPv6Address(address))
    except ValueError as error:
        raise SpfSyntaxError(f"{_shown(term)} has no address of its kind") from error
    length = _prefix(prefix, widest, term) if slash else widest
    return Directive(
        qualifier,
        mechanism,
        term,
        None,
        network,
        length if mechanism == "ip4" else 32,
        length if mechanism == "ip6" else 128,
    )


def _prefixes(cidr: str, term: str) -> tuple[int, int]:
    match = _CIDR.match(cidr)
    four, six = (match[1], match[2]) if match is not None else (None, None)
    return (
        32 if four is None else _prefix(four, 32, term),
        128 if six is None else _prefix(six, 128, term),
    )


def _prefix(digits: str, widest: int, term: str) -> int:
    if not digits.isascii() or not digits.isdigit() or len(digits) > 3 or (digits[0] == "0" and digits != "0"):
        raise SpfSyntaxError(f"{_shown(term)} has no valid prefix length")
    if int(digits) > widest:
        raise SpfSyntaxError(f"{_shown(term)} has no valid prefix length")
    return int(digits)


def _shown(term: str) -> str:
    """Return a stranger's term fit for a sentence."""
    return ascii(term[:60])
