"""ARC (RFC 8617): the chain of custody of a forwarded message, verified when it comes (section 5.2).

`ChainVerifier` takes header and body as they pass; `verify_chain` does the same for a whole message. Whether a sealer
is to be believed is not decided here. No I/O but the look-up of keys. How a chain goes on: arc_seal.py.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from smailor.authentication.arc_seal import SEALED, Sealer, seal
from smailor.authentication.arc_set import ArcSet, highest_instance, read_chain
from smailor.authentication.body_hashes import BodyHash, BodyHashes
from smailor.authentication.header import Field, Header
from smailor.authentication.key_record import KeyRecord, key_name
from smailor.authentication.signature import (
    DkimStatus,
    SignatureProblem,
    Signed,
    check_body,
    signed_digest,
    usable_key,
)
from smailor.authentication.tags import without_signature
from smailor.authentication.verify import split_message
from smailor.dns.answer import DnsClient

__all__ = ["SEALED", "ArcHop", "ArcResult", "ArcStatus", "ChainVerifier", "Sealer", "seal", "verify_chain"]


class ArcStatus(Enum):
    """What a chain is worth (RFC 8617 section 4.4)."""

    NONE = "none"
    PASS = "pass"  # noqa: S105 - a verdict, no password
    FAIL = "fail"
    TEMPERROR = "temperror"
    """A key could not be fetched now; all that could be checked is right."""

    @property
    def word(self) -> str:
        """What others are told. They know no temporary failure: any makes a chain fail (RFC 8617 section 5.2.1)."""
        return ArcStatus.FAIL.value if self is ArcStatus.TEMPERROR else self.value


@dataclass(frozen=True, slots=True)
class ArcHop:
    """One host on the way.

    Attributes:
        instance: its position, from 1.
        domain: who sealed (`d=` of its ARC-Seal), lower-case A-labels.
        selector: likewise `s=`.
        authserv_id: in whose name it tells its findings.
        findings: these, in the form of an Authentication-Results value (`authentication_results.parse`).
    """

    instance: int
    domain: str
    selector: str
    authserv_id: str
    findings: bytes


@dataclass(frozen=True, slots=True)
class ArcResult:
    """The verdict on a chain.

    Attributes:
        status: the verdict.
        instance: how many hops it has; 0 without one.
        hops: from the first on, as far as they can be read. To be believed on PASS only, and only if the sealer is.
        reason: in words.
        covers_author: the last hop signed every From field and the whole body. A chain may pass without.
    """

    status: ArcStatus
    instance: int
    hops: tuple[ArcHop, ...]
    reason: str
    covers_author: bool = False

    @property
    def sealers(self) -> tuple[str, ...]:
        """The sealing domains, first hop first."""
        return tuple(hop.domain for hop in self.hops)


class ChainVerifier:
    """The chain of one message: made from its header, fed its body, asked for the verdict.

    Args:
        fields: name and value of every header field in order, values with their folds; or a `Header` made of them.
        now: when the message arrives.
        bodies: shared with others that hash the same body (DKIM); then feed that instead.
    """

    def __init__(
        self, fields: Header | Iterable[tuple[str, bytes]], *, now: datetime, bodies: BodyHashes | None = None
    ) -> None:
        self._header = fields if isinstance(fields, Header) else Header(fields)
        self._bodies = BodyHashes() if bodies is None else bodies
        self._chain: tuple[ArcSet, ...] = ()
        self._body: BodyHash | None = None
        self._problem = ""
        try:
            self._chain = read_chain(self._header)
        except SignatureProblem as problem:
            self._problem = problem.reason
            return
        if not self._chain:
            return
        last = self._chain[-1]
        if last.verdict == "fail":
            self._problem = f"{last.sealed.domain} found the chain broken already"
        elif last.expires is not None and last.expires < now.timestamp():
            self._problem = f"ARC-Message-Signature {last.instance} has expired (x=)"
        else:
            self._body = self._bodies.wanted(relaxed=last.coverage.relaxed_body, limit=last.coverage.limit)

    @property
    def key_names(self) -> tuple[str, ...]:
        """The names whose TXT records will be asked for: known before the body comes, to be looked up meanwhile."""
        if self._body is None:
            return ()
        signed = [self._chain[-1].message_signed, *(one.sealed for one in reversed(self._chain))]
        return tuple(dict.fromkeys(key_name(one.selector, one.domain) for one in signed))

    def feed(self, chunk: bytes) -> None:
        """Take the next octets of the body, CRLF line ends, cut anywhere."""
        self._bodies.feed(chunk)

    def finish(self, resolver: DnsClient) -> ArcResult:
        """End the body and return the verdict.

        Source: section 5.2.
        """
        self._bodies.finish()
        if self._body is None:
            if not self._problem:
                return ArcResult(ArcStatus.NONE, 0, (), "the message has no ARC set")
            return ArcResult(ArcStatus.FAIL, highest_instance(self._header), self._hops(), self._problem)
        status, reason = self._judged(self._body, resolver)
        names = self._chain[-1].coverage.names
        authors = len(self._header.named("from"))
        return ArcResult(
            status, len(self._chain), self._hops(), reason, covers_author=0 < authors <= names.count("from")
        )

    def _judged(self, body: BodyHash, resolver: DnsClient) -> tuple[ArcStatus, str]:
        last = self._chain[-1]
        keys: dict[tuple[str, str, str], KeyRecord] = {}
        what = f"ARC-Message-Signature {last.instance}"
        try:
            check_body(last.coverage, body)
            digest = signed_digest(self._header, last.coverage, last.message_signature)
            _check(last.message_signed, digest, keys, resolver)
            for one, sealed_digest in zip(reversed(self._chain), reversed(_seal_digests(self._chain)), strict=True):
                what = f"ARC-Seal {one.instance}"
                _check(one.sealed, sealed_digest, keys, resolver)
        except SignatureProblem as problem:
            status = ArcStatus.TEMPERROR if problem.status is DkimStatus.TEMPERROR else ArcStatus.FAIL
            return status, f"{what}: {problem.reason}"
        return ArcStatus.PASS, f"sealed by {', '.join(one.sealed.domain for one in self._chain)}"

    def _hops(self) -> tuple[ArcHop, ...]:
        return tuple(
            ArcHop(one.instance, one.sealed.domain, one.sealed.selector, one.authserv_id, one.findings)
            for one in self._chain
        )


def verify_chain(message: bytes, *, resolver: DnsClient, now: datetime) -> ArcResult:
    """Verify the ARC chain of a whole message.

    Args:
        message: header and body; a line feed alone is taken for the CRLF that SMTP makes of it.
        resolver: where keys are looked up.
        now: when the message arrived.
    """
    fields, body = split_message(message)
    verifier = ChainVerifier(fields, now=now)
    verifier.feed(body)
    return verifier.finish(resolver)


def _check(signed: Signed, digest: bytes, keys: dict[tuple[str, str, str], KeyRecord], resolver: DnsClient) -> None:
    wanted = (signed.selector, signed.domain, signed.algorithm)
    if wanted not in keys:
        keys[wanted] = usable_key(signed, resolver)
    if not keys[wanted].verifies(signed.signature, digest):
        raise SignatureProblem(DkimStatus.FAIL, "what it signs was changed, or the key is another")


def _seal_digests(chain: Sequence[ArcSet]) -> list[bytes]:
    """Return the SHA-256 that each seal signs: all sets up to its own (section 5.1.1), hashed in one go."""
    digests: list[bytes] = []
    running = hashlib.sha256()
    for one in chain:
        running.update(one.results.relaxed + b"\r\n" + one.message_signature.relaxed + b"\r\n")
        own = running.copy()
        own.update(Field(one.seal.name, without_signature(one.seal.value)).relaxed)
        digests.append(own.digest())
        running.update(one.seal.relaxed + b"\r\n")
    return digests
