"""Continuing an ARC chain (RFC 8617 section 5.1): what we found when a message came goes with it, sealed.

`Sealer` takes header and body as they pass; `seal` does the same for a whole message. No I/O; whether a message is
forwarded at all, and what was found, is told by the caller.
"""

import base64
from collections.abc import Iterable, Sequence
from datetime import datetime

from smailor.authentication.arc_set import MAX_INSTANCE, ArcSet, found_failed, highest_instance, read_chain
from smailor.authentication.authentication_results import MethodResult, write
from smailor.authentication.body_hashes import BodyHashes
from smailor.authentication.dkim import (
    OVERSIGNED,
    SIGNED_IF_PRESENT,
    PrivateKey,
    SigningIdentity,
    fold_names,
    folded_signature,
    load_private_key,
)
from smailor.authentication.header import Field, Header
from smailor.authentication.signature import SignatureProblem
from smailor.authentication.verify import split_message
from smailor.errors import InvalidInput

SEALED = (*OVERSIGNED, *SIGNED_IF_PRESENT, "dkim-signature")
"""What we sign of a message that we pass on, as often as it occurs (section 4.1.2)."""

_FOLD = "\r\n\t"


class Sealer:
    """One message on its way on: made from its header, fed its body, sealed.

    Args:
        fields: name and value of every header field in order.
        names: which fields to sign, lower case (`h=` of ARC-Message-Signature); None: what `SEALED` says.
    """

    def __init__(self, fields: Iterable[tuple[str, bytes]], *, names: Sequence[str] | None = None) -> None:
        self._header = Header(fields)
        self._names = tuple(names) if names is not None else _names(self._header)
        self._bodies = BodyHashes()
        self._body = self._bodies.wanted(relaxed=True, limit=None)

    def feed(self, chunk: bytes) -> None:
        """Take the next octets of the body, CRLF line ends, cut anywhere."""
        self._bodies.feed(chunk)

    def seal(
        self, identity: SigningIdentity, *, authserv_id: str, results: Sequence[MethodResult], now: datetime
    ) -> tuple[tuple[str, str], ...]:
        """End the body and return the fields to be put on top, the topmost first; see `seal`."""
        self._bodies.finish()
        highest = highest_instance(self._header)
        if highest >= MAX_INSTANCE or found_failed(self._header):
            return ()
        verdict, chain = self._verdict(results)
        instance = highest + 1
        common = f"a={identity.algorithm};{_FOLD}d={identity.domain}; s={identity.selector};{_FOLD}"
        stamp = f"t={int(now.timestamp())};"
        findings = Field("ARC-Authentication-Results", f" i={instance};{write(authserv_id, results)}".encode())
        body_hash = base64.b64encode(self._body.digest()).decode("ascii")
        unsigned = (
            f" i={instance}; {common}c=relaxed/relaxed; {stamp}{_FOLD}bh={body_hash};{_FOLD}"
            f"h={fold_names(self._names)};{_FOLD}b="
        )
        lines = self._header.lines(self._names, relaxed=True)
        lines.append(Field("ARC-Message-Signature", unsigned.encode()).relaxed)
        signed = unsigned + folded_signature(identity.key, b"\r\n".join(lines))
        unsealed = f" i={instance}; {common}cv={verdict}; {stamp}{_FOLD}b="
        covered = [field.relaxed for one in chain for field in (one.results, one.message_signature, one.seal)]
        covered += [findings.relaxed, Field("ARC-Message-Signature", signed.encode()).relaxed]
        covered.append(Field("ARC-Seal", unsealed.encode()).relaxed)
        sealed = unsealed + folded_signature(identity.key, b"\r\n".join(covered))
        return (
            ("ARC-Seal", sealed),
            ("ARC-Message-Signature", signed),
            (findings.name, findings.value.decode()),
        )

    def _verdict(self, results: Sequence[MethodResult]) -> tuple[str, tuple[ArcSet, ...]]:
        """Return `cv=` and the sets that the seal covers: of a broken chain none (section 5.1.2)."""
        try:
            chain = read_chain(self._header)
        except SignatureProblem:
            return "fail", ()
        if not chain:
            return "none", ()
        found = next((result.result for result in results if result.method == "arc"), "")
        if found not in {"pass", "fail"}:
            raise InvalidInput("results", "the message has ARC sets, whether they pass has to be told (arc=)")
        return found, chain if found == "pass" else ()


def seal(
    message: bytes,
    *,
    domain: str,
    selector: str,
    key: PrivateKey | bytes | str,
    authserv_id: str,
    results: Sequence[MethodResult],
    now: datetime,
    names: Sequence[str] | None = None,
) -> bytes:
    """Return the ARC set of a whole message, to be put in front of it.

    Args:
        message: header and body, as it will be passed on; a line feed alone is taken for CRLF.
        domain: A-labels (`d=`).
        selector: `s=`.
        key: a private key, or its PEM.
        authserv_id: in whose name the results are told.
        results: what was found when the message came; `arc` among them where it has ARC sets already.
        now: time of sealing.
        names: which fields to sign, lower case; None: what `SEALED` says.

    Returns:
        ARC-Seal, ARC-Message-Signature and ARC-Authentication-Results with their CRLF; nothing where the last hop
        found the chain broken already, or it has 50 hops.

    Raises:
        InvalidInput: the message has ARC sets and `results` do not say whether they pass, or the key cannot sign.
    """
    fields, body = split_message(message)
    sealer = Sealer(fields, names=names)
    sealer.feed(body)
    private = key if isinstance(key, PrivateKey) else load_private_key(key)
    identity = SigningIdentity(domain.lower(), selector, private)
    made = sealer.seal(identity, authserv_id=authserv_id, results=results, now=now)
    return b"".join(f"{name}:{value}\r\n".encode() for name, value in made)


def _names(header: Header) -> tuple[str, ...]:
    names = [name for name in SEALED for _ in header.named(name)]
    return (*names, *OVERSIGNED)
