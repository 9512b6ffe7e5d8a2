"""Signatures over a message, read and checked: what DKIM-Signature, ARC-Message-Signature and ARC-Seal have in common.

RFC 6376 §3.5 and §6.1, with what RFC 8301 and RFC 8463 made of it. Which tags there must be beyond these, and what a
verdict is called, is left to verify.py and arc.py. No I/O but the key's look-up through the resolver that comes in.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import idna

from smailor.address import DomainName
from smailor.authentication.body_hashes import BodyHash
from smailor.authentication.header import Field, Header
from smailor.authentication.key_record import MAX_RSA_BITS, MIN_RSA_BITS, KeyRecord, KeyUnusable, fetch_key
from smailor.authentication.tags import TagError, decode_base64, decode_number, parse_tags, squeeze, without_signature
from smailor.dns.answer import DnsClient
from smailor.errors import InvalidInput, TemporaryFailure

MAX_SIGNATURE_OCTETS = 65_536
"""Of one signature field; Postfix cuts fields at 102,400."""
ALGORITHMS = frozenset({"rsa-sha256", "ed25519-sha256"})

_SELECTOR = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*\Z")
_CANONICALISATIONS = {"simple": False, "relaxed": True}


class DkimStatus(Enum):
    """What became of a signature (RFC 8601 section 2.7.1)."""

    NONE = "none"
    """There is no signature."""
    PASS = "pass"  # noqa: S105 - a verdict, no password
    FAIL = "fail"
    """The signature is acceptable and does not fit the message."""
    POLICY = "policy"
    """We do not accept it, whether or not it fits: short key, part of the body only, made in the future."""
    NEUTRAL = "neutral"
    """It cannot be read."""
    TEMPERROR = "temperror"
    """The key could not be fetched now."""
    PERMERROR = "permerror"
    """It can never be verified: a tag, the key or an algorithm is missing, wrong or not allowed."""


class SignatureProblem(Exception):
    """The signature does not pass.

    Attributes:
        status: never PASS or NONE.
        reason: in words.
    """

    def __init__(self, status: DkimStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Signed:
    """Who signed how.

    Attributes:
        algorithm: `a=`, one of `ALGORITHMS`.
        domain: `d=`, lower-case A-labels.
        selector: `s=`, likewise.
        signature: the octets of `b=`.
    """

    algorithm: str
    domain: str
    selector: str
    signature: bytes


@dataclass(frozen=True, slots=True)
class Coverage:
    """What of a message is signed.

    Attributes:
        names: `h=`, lower case.
        relaxed_header: canonicalisation of the header.
        relaxed_body: canonicalisation of the body.
        body_hash: the octets of `bh=`.
        limit: `l=`; None: the whole body.
    """

    names: tuple[str, ...]
    relaxed_header: bool
    relaxed_body: bool
    body_hash: bytes
    limit: int | None


def read_tags(value: bytes) -> dict[str, str]:
    """Return the tags of a signature field.

    Raises:
        SignatureProblem: it is no tag list, or far too long.
    """
    if len(value) > MAX_SIGNATURE_OCTETS:
        raise SignatureProblem(DkimStatus.NEUTRAL, f"it is longer than {MAX_SIGNATURE_OCTETS} octets")
    try:
        return parse_tags(value)
    except TagError as error:
        raise SignatureProblem(DkimStatus.NEUTRAL, f"it cannot be read: {error}") from error


def require(tags: Mapping[str, str], names: str) -> None:
    """Ask for tags.

    Args:
        tags: those there are.
        names: those there must be, blanks between.

    Raises:
        SignatureProblem: one is missing.
    """
    for name in names.split():
        if name not in tags:
            raise SignatureProblem(DkimStatus.PERMERROR, f"{name}= is missing")


def read_signed(tags: Mapping[str, str]) -> Signed:
    """Read `a=`, `d=`, `s=` and `b=`.

    Raises:
        SignatureProblem: one of them is unreadable, or the algorithm is none that counts.
    """
    algorithm = tags["a"]
    if algorithm == "rsa-sha1":
        raise SignatureProblem(DkimStatus.PERMERROR, "rsa-sha1 is not secure and never passes (RFC 8301)")
    if algorithm not in ALGORITHMS:
        raise SignatureProblem(DkimStatus.PERMERROR, f"the algorithm {algorithm[:30]!r} is unknown")
    try:
        return Signed(
            algorithm, signing_domain(tags["d"]), _selector(tags["s"]), decode_base64(squeeze(tags["b"]), "b")
        )
    except TagError as error:
        raise SignatureProblem(DkimStatus.NEUTRAL, f"it cannot be read: {error}") from error


def read_coverage(tags: Mapping[str, str], *, default: str = "simple/simple") -> Coverage:
    """Read `h=`, `c=`, `bh=` and `l=`.

    Args:
        tags: of the signature; `h` and `bh` are among them.
        default: the canonicalisation where there is no `c=`.

    Raises:
        SignatureProblem: one of them is unreadable, or the canonicalisation is unknown.
    """
    header, _, body = tags.get("c", default).partition("/")
    try:
        relaxed_header, relaxed_body = _CANONICALISATIONS[header], _CANONICALISATIONS[body or "simple"]
    except KeyError as error:
        raise SignatureProblem(DkimStatus.PERMERROR, f"the canonicalisation {tags['c'][:30]!r} is unknown") from error
    try:
        return Coverage(
            tuple(squeeze(tags["h"]).lower().split(":")),
            relaxed_header,
            relaxed_body,
            decode_base64(tags["bh"], "bh"),
            decode_number(tags["l"], "l", digits=76) if "l" in tags else None,
        )
    except TagError as error:
        raise SignatureProblem(DkimStatus.NEUTRAL, f"it cannot be read: {error}") from error


def read_time(tags: Mapping[str, str], name: str) -> int | None:
    """Return the Unix time that a tag holds; None without the tag.

    Raises:
        SignatureProblem: it is no number.
    """
    if name not in tags:
        return None
    try:
        return decode_number(tags[name], name, digits=12)
    except TagError as error:
        raise SignatureProblem(DkimStatus.NEUTRAL, f"it cannot be read: {error}") from error


def signing_domain(text: str) -> str:
    """Return `d=` as lower-case A-labels.

    Raises:
        TagError: it is no domain name with at least two labels.
    """
    try:
        return DomainName.parse(text).name
    except InvalidInput as error:
        raise TagError("d= is no domain name") from error


def check_body(coverage: Coverage, body: BodyHash) -> None:
    """Compare the body with `bh=`, after the body's end.

    Raises:
        SignatureProblem: it differs, or is not covered as a whole.
    """
    if coverage.limit is not None and coverage.limit > body.octets:
        raise SignatureProblem(DkimStatus.FAIL, "the body is shorter than the part that was signed (l=)")
    if body.digest() != coverage.body_hash:
        raise SignatureProblem(DkimStatus.FAIL, "the body was changed after signing")
    if coverage.limit is not None and coverage.limit < body.octets:
        left = body.octets - coverage.limit
        raise SignatureProblem(DkimStatus.POLICY, f"only a part of the body is signed (l=), {left} octets are not")


def signed_digest(header: Header, coverage: Coverage, own: Field) -> bytes:
    """Return the SHA-256 that a DKIM-Signature or ARC-Message-Signature signs.

    Args:
        header: of the message.
        coverage: which fields are signed, in which form.
        own: the signature's own field.

    Source: RFC 6376 §3.7.
    """
    emptied = Field(own.name, without_signature(own.value))
    lines = header.lines(coverage.names, relaxed=coverage.relaxed_header, without=own)
    lines.append(emptied.relaxed if coverage.relaxed_header else emptied.simple)
    return hashlib.sha256(b"\r\n".join(lines)).digest()


def usable_key(signed: Signed, resolver: DnsClient) -> KeyRecord:
    """Fetch the key and see that it may be used for this signature.

    Raises:
        SignatureProblem: it may not, or there is none, or the DNS does not answer.

    Source: RFC 6376 §6.1.2, steps 1 to 9.
    """
    try:
        record = fetch_key(resolver, signed.selector, signed.domain)
    except KeyUnusable as error:
        raise SignatureProblem(DkimStatus.PERMERROR, str(error)) from error
    except TemporaryFailure as error:
        raise SignatureProblem(DkimStatus.TEMPERROR, f"the key could not be fetched: {error}") from error
    if record.key is None:
        raise SignatureProblem(DkimStatus.PERMERROR, "the key has been revoked")
    if record.services.isdisjoint({"*", "email"}):
        raise SignatureProblem(DkimStatus.PERMERROR, "the key is not for e-mail (s=)")
    if record.hashes is not None and "sha256" not in record.hashes:
        raise SignatureProblem(DkimStatus.PERMERROR, "the key is not for sha256 (h=)")
    if record.algorithm != signed.algorithm:
        raise SignatureProblem(
            DkimStatus.PERMERROR, f"the key is of another kind than {signed.algorithm} asks for (k=)"
        )
    if signed.algorithm == "rsa-sha256" and not MIN_RSA_BITS <= record.bits <= MAX_RSA_BITS:
        length = "short" if record.bits < MIN_RSA_BITS else "long"
        raise SignatureProblem(DkimStatus.POLICY, f"an RSA key of {record.bits} bits is too {length} (RFC 8301)")
    return record


def _selector(text: str) -> str:
    try:
        labels = text if text.isascii() else idna.encode(text, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise TagError("s= is no selector") from error
    selector = labels.lower()
    if len(selector) > 240 or not _SELECTOR.match(selector):
        raise TagError("s= is no selector")
    return selector
