"""DMARC policy records (RFC 9989 sections 4.7 and 4.8): a TXT record to values. Pure.

Mistakes never raise: what is not well-formed is ignored in favour of the tag's default, as section 4.8 wants.
"""

import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

MAX_OCTETS = 16_384
"""Of one record; a longer one is taken for none."""
MAX_ADDRESSES = 20
"""Report addresses that are kept of one tag."""

_REMEMBERED = 1024
"""Records that stay parsed: the same few are met again and again."""
_REMEMBERED_OCTETS = 2048
_VERSION = re.compile(r"v[ \t]*=[ \t]*DMARC1[ \t]*(?:;|\Z)")
_TAG = re.compile(r"[ \t]*([A-Za-z]+)[ \t]*=(.*)\Z", re.DOTALL)
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[\x21\x23-\x2b\x2d-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]+\Z")
_SIZE = re.compile(r"![0-9]+[kmgt]?\Z", re.IGNORECASE)
_PRINTABLE = re.compile(r"[\x20-\x7e\t]*\Z")


class Policy(enum.Enum):
    """What a domain wants done with mail that fails."""

    NONE = "none"
    QUARANTINE = "quarantine"
    REJECT = "reject"

    @property
    def strength(self) -> int:
        """0 for none, 1 for quarantine, 2 for reject: to compare."""
        return ("none", "quarantine", "reject").index(self.value)

    def in_test(self) -> "Policy":
        """Return the policy one level down, which `t=y` asks for."""
        return Policy.QUARANTINE if self is Policy.REJECT else Policy.NONE


class PublicSuffix(enum.Enum):
    """The `psd` tag: is the domain one under which others register?"""

    YES = "y"
    NO = "n"
    UNKNOWN = "u"


@dataclass(frozen=True, slots=True)
class DmarcRecord:
    """A policy record.

    Attributes:
        text: as published.
        policy: `p`; none where it is missing.
        subdomain_policy: `sp`, for subdomains that exist.
        absent_policy: `np`, for subdomains that do not exist.
        strict_dkim: `adkim=s`: the domains have to be equal.
        strict_spf: `aspf=s`.
        public_suffix: `psd`.
        testing: `t=y`.
        aggregate_addresses: `rua`, without obsolete size limits.
        failure_addresses: `ruf`.
        failure_options: `fo`.
        applies: False: a policy is not valid and nobody asks for reports, so no DMARC processing is wanted (4.10.1).
    """

    text: str
    policy: Policy = Policy.NONE
    subdomain_policy: Policy | None = None
    absent_policy: Policy | None = None
    strict_dkim: bool = False
    strict_spf: bool = False
    public_suffix: PublicSuffix = PublicSuffix.UNKNOWN
    testing: bool = False
    aggregate_addresses: tuple[str, ...] = ()
    failure_addresses: tuple[str, ...] = ()
    failure_options: str = "0"
    applies: bool = True


def policy_record(texts: Iterable[bytes]) -> DmarcRecord | None:
    """Pick the policy record among the TXT records of a `_dmarc` name (section 4.10, step 2).

    Args:
        texts: each record, its strings joined.

    Returns:
        The record; None where there is none, or more than one: then all are discarded.
    """
    found = [record for record in map(parse_record, texts) if record is not None]
    return found[0] if len(found) == 1 else None


def parse_record(data: bytes) -> DmarcRecord | None:
    """Read one TXT record.

    Returns:
        The policy record; None where the text does not begin with `v=DMARC1`, which makes it something else.
    """
    return _remembered(data) if len(data) <= _REMEMBERED_OCTETS else _parsed(data)


def _parsed(data: bytes) -> DmarcRecord | None:
    if len(data) > MAX_OCTETS:
        return None
    text = data.decode("ascii", "replace")
    version = _VERSION.match(text)
    if version is None:
        return None
    tags = _tags(text[version.end() :])
    policies: dict[str, Policy | None] = {name: _policy(tags[name]) for name in ("p", "sp", "np") if name in tags}
    invalid = any(policy is None for policy in policies.values())
    aggregate = _addresses(tags.get("rua", ""))
    # Section 4.10.1: with a policy that is not valid, a domain that asks for reports is taken as p=none.
    known = {} if invalid else policies
    return DmarcRecord(
        text,
        known.get("p") or Policy.NONE,
        known.get("sp"),
        known.get("np"),
        tags.get("adkim", "").lower() == "s",
        tags.get("aspf", "").lower() == "s",
        {"y": PublicSuffix.YES, "n": PublicSuffix.NO}.get(tags.get("psd", "").lower(), PublicSuffix.UNKNOWN),
        tags.get("t", "").lower() == "y",
        aggregate,
        _addresses(tags.get("ruf", "")),
        tags.get("fo", "0"),
        not invalid or bool(aggregate),
    )


_remembered = lru_cache(_REMEMBERED)(_parsed)


def _tags(text: str) -> dict[str, str]:
    """Return tag to value; of a tag given twice the first counts."""
    tags: dict[str, str] = {}
    for part in text.split(";"):
        match = _TAG.match(part)
        if match is not None and _PRINTABLE.match(match[2]):
            tags.setdefault(match[1].lower(), match[2].strip(" \t"))
    return tags


def _policy(value: str) -> Policy | None:
    try:
        return Policy(value.lower())
    except ValueError:
        return None


def _addresses(value: str) -> tuple[str, ...]:
    """Return the well-formed URIs of a list (section 4.8)."""
    parts = (_SIZE.sub("", part.strip(" \t")) for part in value.split(",", 10 * MAX_ADDRESSES))
    return tuple(part for part in parts if _URI.match(part))[:MAX_ADDRESSES]
