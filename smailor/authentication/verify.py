"""DKIM verification (RFC 6376 section 6): who vouches for a message, and whether it is still what they signed.

`Verifier` takes the header, then the body as it passes, in memory that does not grow with it; `verify_signatures` does
the same for a whole message. Every signature gets its verdict with a reason; what follows from them is DMARC's matter.
No I/O but the look-up of keys through the resolver that comes in.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from smailor.authentication.body_hashes import BodyHash, BodyHashes
from smailor.authentication.dkim import header_fields
from smailor.authentication.header import Field, Header
from smailor.authentication.key_record import KeyRecord, key_name
from smailor.authentication.signature import (
    Coverage,
    DkimStatus,
    SignatureProblem,
    Signed,
    check_body,
    read_coverage,
    read_signed,
    read_tags,
    read_time,
    require,
    signed_digest,
    signing_domain,
    usable_key,
)
from smailor.authentication.tags import TagError, squeeze
from smailor.dns.answer import DnsClient

__all__ = ["DkimResult", "DkimStatus", "SignatureCheck", "Verifier", "split_message", "verify_signatures"]

MAX_SIGNATURES = 10
CLOCK_SKEW = timedelta(hours=12)
"""How far in the future a signature may have been made: hosts with the right time in the wrong zone are real."""

_QUOTED = re.compile(rb"=([0-9A-Fa-f]{2})")
_LONE_LF = re.compile(rb"(?<!\r)\n")


@dataclass(frozen=True, slots=True)
class DkimResult:
    """The verdict on one signature.

    Attributes:
        status: the verdict.
        domain: who signed (`d=`), lower-case A-labels; empty where that cannot be read. Vouched for on PASS only.
        selector: `s=`, likewise.
        algorithm: `a=` as written.
        identity: `i=`, or `@` and the domain.
        reason: in words.
        key_bits: length of the key; 0 where none was looked at.
        testing: the key's owner is only trying DKIM (`t=y`).
        signature: the first eight characters of `b=`, which tell signatures of a domain apart (RFC 6008).
    """

    status: DkimStatus
    domain: str
    selector: str
    algorithm: str
    identity: str
    reason: str
    key_bits: int = 0
    testing: bool = False
    signature: str = ""


@dataclass(frozen=True, slots=True)
class _Claims:
    """A signature that may pass, as far as it can be told without key and body."""

    signed: Signed
    coverage: Coverage
    body: BodyHash
    identity_domain: str


class SignatureCheck:
    """One signature on its way to a verdict. The checks of a message may run in parallel once its body has ended."""

    __slots__ = ("_claims", "_field", "_header", "_known", "_verdict")

    def __init__(self, header: Header, field: Field, bodies: BodyHashes, now: datetime) -> None:
        self._header = header
        self._field = field
        self._claims: _Claims | None = None
        tags: dict[str, str] = {}
        try:
            tags = read_tags(field.value)
            self._claims = _claims(tags, len(header.named("from")), bodies, int(now.timestamp()))
            status, reason = DkimStatus.PASS, ""
        except SignatureProblem as problem:
            status, reason = problem.status, problem.reason
        self._verdict = status, reason
        self._known = _known(tags)

    @property
    def key_name(self) -> str | None:
        """The name that will be asked for the key; None where no key is needed any more."""
        return None if self._claims is None else key_name(self._claims.signed.selector, self._claims.signed.domain)

    def result(self, resolver: DnsClient) -> DkimResult:
        """Return the verdict, after the body's end."""
        record: KeyRecord | None = None
        status, reason = self._verdict
        if self._claims is not None:
            status, reason, record = self._judged(self._claims, resolver)
        domain, selector, algorithm, identity, signature = self._known
        bits, testing = (record.bits, record.testing) if record is not None else (0, False)
        return DkimResult(status, domain, selector, algorithm, identity, reason, bits, testing, signature)

    def _judged(self, claims: _Claims, resolver: DnsClient) -> tuple[DkimStatus, str, KeyRecord | None]:
        try:
            record = usable_key(claims.signed, resolver)
            check_body(claims.coverage, claims.body)
        except SignatureProblem as problem:
            return *self._final(claims, problem), None
        if record.strict and claims.identity_domain != claims.signed.domain:
            return DkimStatus.PERMERROR, "the key is for its very domain (t=s), i= has a subdomain", record
        if not record.verifies(claims.signed.signature, signed_digest(self._header, claims.coverage, self._field)):
            return DkimStatus.FAIL, "the header was changed after signing, or the key is another", record
        return DkimStatus.PASS, f"signed by {claims.signed.domain}", record

    @staticmethod
    def _final(claims: _Claims, problem: SignatureProblem) -> tuple[DkimStatus, str]:
        if problem.status is DkimStatus.TEMPERROR:
            # With another body the key does not matter: nobody need try again because of this signature.
            try:
                check_body(claims.coverage, claims.body)
            except SignatureProblem as certain:
                return certain.status, certain.reason
        return problem.status, problem.reason


class Verifier:
    """The signatures of one message: made from its header, fed its body, asked for the verdicts.

    Args:
        fields: name and value of every header field in order, values with their folds; or a `Header` made of them.
        now: when the message arrives.
        limit: how many signatures are looked at, from the first one down; more are passed over.
        bodies: shared with others that hash the same body (an ARC chain); then feed that instead.
    """

    def __init__(
        self,
        fields: Header | Iterable[tuple[str, bytes]],
        *,
        now: datetime,
        limit: int = MAX_SIGNATURES,
        bodies: BodyHashes | None = None,
    ) -> None:
        header = fields if isinstance(fields, Header) else Header(fields)
        self._bodies = BodyHashes() if bodies is None else bodies
        found = header.named("dkim-signature")[:limit]
        self._checks = tuple(SignatureCheck(header, field, self._bodies, now) for field in found)

    @property
    def key_names(self) -> tuple[str, ...]:
        """The names whose TXT records will be asked for: known before the body comes, to be looked up meanwhile."""
        return tuple(dict.fromkeys(check.key_name for check in self._checks if check.key_name is not None))

    def feed(self, chunk: bytes) -> None:
        """Take the next octets of the body, CRLF line ends, cut anywhere."""
        self._bodies.feed(chunk)

    def checks(self) -> tuple[SignatureCheck, ...]:
        """End the body and return the checks, to be run in any order and in parallel."""
        self._bodies.finish()
        return self._checks

    def finish(self, resolver: DnsClient) -> tuple[DkimResult, ...]:
        """End the body and return the verdicts, in the order of the signatures; none where there is no signature."""
        return tuple(check.result(resolver) for check in self.checks())


def verify_signatures(
    message: bytes, *, resolver: DnsClient, now: datetime, limit: int = MAX_SIGNATURES
) -> tuple[DkimResult, ...]:
    """Verify the DKIM signatures of a whole message.

    Args:
        message: header and body; a line feed alone is taken for the CRLF that SMTP makes of it.
        resolver: where keys are looked up.
        now: when the message arrived.
        limit: how many signatures are looked at.

    Returns:
        The verdicts in the order of the signatures; none where there is no signature.
    """
    fields, body = split_message(message)
    verifier = Verifier(fields, now=now, limit=limit)
    verifier.feed(body)
    return verifier.finish(resolver)


def split_message(message: bytes) -> tuple[list[tuple[str, bytes]], bytes]:
    """Return header fields and body of a message, line feeds alone made CRLF."""
    wire = _LONE_LF.sub(b"\r\n", message)
    if wire.startswith(b"\r\n"):
        return [], wire[2:]
    head, _, body = wire.partition(b"\r\n\r\n")
    return list(header_fields(head.removesuffix(b"\r\n"))), body


def _claims(tags: dict[str, str], authors: int, bodies: BodyHashes, now: int) -> _Claims:
    """Judge a signature by itself (RFC 6376 section 6.1.1); `authors`: how many From fields the message has.

    Raises:
        SignatureProblem: it cannot pass, whatever key and message say.
    """
    require(tags, "v")
    if tags["v"] != "1":
        raise SignatureProblem(DkimStatus.PERMERROR, f"the version {tags['v'][:20]!r} is unknown")
    require(tags, "a b bh d h s")
    signed = read_signed(tags)
    coverage = read_coverage(tags)
    if "from" not in coverage.names:
        raise SignatureProblem(DkimStatus.PERMERROR, "the From field is not signed")
    if coverage.names.count("from") < authors:
        # Whoever shows the first one shows what nobody signed (RFC 6376 section 8.15).
        raise SignatureProblem(DkimStatus.POLICY, f"of {authors} From fields not all are signed")
    if "dns/txt" not in squeeze(tags.get("q", "dns/txt")).lower().split(":"):
        raise SignatureProblem(DkimStatus.PERMERROR, "the key cannot be had by dns/txt (q=)")
    identity_domain = _identity_domain(tags, signed.domain)
    made, expires = read_time(tags, "t"), read_time(tags, "x")
    if expires is not None and made is not None and expires <= made:
        raise SignatureProblem(DkimStatus.PERMERROR, "it expires before it was made (x=, t=)")
    if expires is not None and expires < now:
        raise SignatureProblem(DkimStatus.PERMERROR, "it has expired (x=)")
    if made is not None and made > now + CLOCK_SKEW.total_seconds():
        raise SignatureProblem(DkimStatus.POLICY, "it was made in the future (t=)")
    body = bodies.wanted(relaxed=coverage.relaxed_body, limit=coverage.limit)
    return _Claims(signed, coverage, body, identity_domain)


def _identity_domain(tags: dict[str, str], domain: str) -> str:
    """Return the domain of `i=`.

    Raises:
        SignatureProblem: it is neither the domain of `d=` nor below it.
    """
    if "i" not in tags:
        return domain
    _, at, text = _identity(tags["i"]).rpartition("@")
    if not at:
        raise SignatureProblem(DkimStatus.NEUTRAL, "it cannot be read: i= has no @")
    try:
        identity_domain = signing_domain(text)
    except TagError as error:
        raise SignatureProblem(DkimStatus.NEUTRAL, "it cannot be read: i= has no domain name") from error
    if identity_domain != domain and not identity_domain.endswith("." + domain):
        raise SignatureProblem(DkimStatus.PERMERROR, "i= is not in the domain of d=")
    return identity_domain


def _identity(value: str) -> str:
    """Decode dkim-quoted-printable (RFC 6376 section 2.11)."""
    octets = _QUOTED.sub(lambda found: bytes.fromhex(found[1].decode("ascii")), squeeze(value).encode("utf-8"))
    return octets.decode("utf-8", "replace")


def _known(tags: dict[str, str]) -> tuple[str, str, str, str, str]:
    """Return domain, selector, algorithm, identity and the start of `b=`, as far as a person may be told them."""
    try:
        domain = signing_domain(tags.get("d", ""))
    except TagError:
        domain = ""
    identity = _identity(tags["i"]) if "i" in tags else f"@{domain}" if domain else ""
    known = (domain, tags.get("s", ""), tags.get("a", ""), identity, squeeze(tags.get("b", ""))[:8])
    selector, algorithm, identity, signature = ("".join(c for c in t if c.isprintable())[:320] for t in known[1:])
    return domain, selector.lower(), algorithm, identity, signature
