"""ARC sets (RFC 8617 section 4): the three fields that each host adds which handled a message, in their order.

What a chain looks like is read and judged here, whether its signatures fit in arc.py. Pure.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from smailor.authentication.authentication_results import parse
from smailor.authentication.header import Field, Header
from smailor.authentication.signature import (
    Coverage,
    DkimStatus,
    SignatureProblem,
    Signed,
    read_coverage,
    read_signed,
    read_tags,
    read_time,
    require,
)
from smailor.authentication.tags import TagError, decode_number
from smailor.errors import InvalidInput

RESULTS = "arc-authentication-results"
MESSAGE_SIGNATURE = "arc-message-signature"
SEAL = "arc-seal"
MAX_INSTANCE = 50
"""Section 4.2.1: more hops than any message takes."""

_RESULTS = re.compile(rb"[ \t\r\n]*i[ \t\r\n]*=[ \t\r\n]*([0-9]{1,2})[ \t\r\n]*;(.*)\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ArcSet:
    """What one host added.

    Attributes:
        instance: its position in the chain, from 1.
        results: its ARC-Authentication-Results field.
        message_signature: its ARC-Message-Signature field.
        seal: its ARC-Seal field.
        coverage: what of the message it signed.
        message_signed: who signed the message, and how.
        sealed: who sealed, and how.
        verdict: what it said of the chain that it found (`cv=`).
        expires: when its message signature expires, Unix time; None: never.
    """

    instance: int
    results: Field
    message_signature: Field
    seal: Field
    coverage: Coverage
    message_signed: Signed
    sealed: Signed
    verdict: str
    expires: int | None

    @property
    def findings(self) -> bytes:
        """What stands in ARC-Authentication-Results behind `i=…;`, in the form of Authentication-Results."""
        match = _RESULTS.match(self.results.value)
        return match[2] if match is not None else b""

    @property
    def authserv_id(self) -> str:
        """Whose findings they are; empty where that cannot be read."""
        try:
            return parse(self.findings).authserv_id
        except InvalidInput:
            return ""


def read_chain(header: Header) -> tuple[ArcSet, ...]:
    """Read the ARC sets of a message.

    Args:
        header: all its fields.

    Returns:
        The sets from the first hop on; none where there is no ARC field.

    Raises:
        SignatureProblem: they are not a whole chain (section 5.2, steps 1 to 3), so it has failed.
    """
    fields = {name: header.named(name) for name in (RESULTS, MESSAGE_SIGNATURE, SEAL)}
    size = len(fields[SEAL])
    if not any(fields.values()):
        return ()
    if {len(found) for found in fields.values()} != {size}:
        raise _broken("an ARC set is not whole")
    if size > MAX_INSTANCE:
        raise _broken(f"it has more than {MAX_INSTANCE} ARC sets")
    results = _by_instance({field: _results_instance(field) for field in fields[RESULTS]}, "ARC-Authentication-Results")
    signature_tags = {field: read_tags(field.value) for field in fields[MESSAGE_SIGNATURE]}
    seal_tags = {field: read_tags(field.value) for field in fields[SEAL]}
    signatures = _by_instance(_instances(signature_tags), "ARC-Message-Signature")
    seals = _by_instance(_instances(seal_tags), "ARC-Seal")
    chain = tuple(
        _read_set(instance, results[instance], signatures[instance], seals[instance], signature_tags, seal_tags)
        for instance in range(1, size + 1)
    )
    for one in chain:
        if one.verdict != ("none" if one.instance == 1 else "pass") and not (
            one.verdict == "fail" and one.instance == size
        ):
            raise _broken(f"cv= of ARC-Seal {one.instance} cannot be {one.verdict}")
    return chain


def highest_instance(header: Header) -> int:
    """Return the highest instance that any ARC field names, whole chain or not; 0 without one.

    Source: section 5.1, step 2: the next set is one above.
    """
    found = [_results_instance(field) for field in header.named(RESULTS)]
    for name in (MESSAGE_SIGNATURE, SEAL):
        for field in header.named(name):
            try:
                found.append(_instance(read_tags(field.value)))
            except SignatureProblem:
                continue
    return max((instance for instance in found if instance is not None), default=0)


def found_failed(header: Header) -> bool:
    """Tell whether the last seal says that the chain has failed already (`cv=fail`): nobody adds to it."""
    highest = highest_instance(header)
    for field in header.named(SEAL):
        try:
            tags = read_tags(field.value)
        except SignatureProblem:
            continue
        if tags.get("cv") == "fail" and _instance(tags) == highest:
            return True
    return False


def _read_set(
    instance: int,
    results: Field,
    signature: Field,
    seal: Field,
    signature_tags: Mapping[Field, Mapping[str, str]],
    seal_tags: Mapping[Field, Mapping[str, str]],
) -> ArcSet:
    try:
        tags = signature_tags[signature]
        require(tags, "a b bh d h s")
        # Without c= other verifiers and the public suite take it for relaxed, although RFC 6376 would say simple.
        coverage, message_signed = read_coverage(tags, default="relaxed/relaxed"), read_signed(tags)
        if SEAL in coverage.names:
            raise _broken("ARC-Seal must not be signed by it")
        read_time(tags, "t")
        expires = read_time(tags, "x")
    except SignatureProblem as problem:
        raise _broken(f"ARC-Message-Signature {instance}: {problem.reason}") from problem
    try:
        tags = seal_tags[seal]
        require(tags, "a b cv d s")
        sealed = read_signed(tags)
        read_time(tags, "t")
        if "h" in tags:
            raise _broken("it has h=")  # section 4.1.3: then the seal is not valid
        if tags["cv"] not in {"none", "pass", "fail"}:
            raise _broken("its cv= is unknown")
    except SignatureProblem as problem:
        raise _broken(f"ARC-Seal {instance}: {problem.reason}") from problem
    return ArcSet(instance, results, signature, seal, coverage, message_signed, sealed, tags["cv"], expires)


def _by_instance(instances: Mapping[Field, int | None], name: str) -> dict[int, Field]:
    """Order fields of one name by instance, which have to be 1, 2, 3, … without gap and doubles."""
    by_instance = {instance: field for field, instance in instances.items() if instance is not None}
    if sorted(by_instance) != list(range(1, len(instances) + 1)):
        raise _broken(f"the instances (i=) of {name} are not 1 to {len(instances)}")
    return by_instance


def _instances(tags: Mapping[Field, Mapping[str, str]]) -> dict[Field, int | None]:
    return {field: _instance(found) for field, found in tags.items()}


def _instance(tags: Mapping[str, str]) -> int | None:
    try:
        instance = decode_number(tags.get("i", ""), "i", digits=2)
    except TagError:
        return None
    return instance if 1 <= instance <= MAX_INSTANCE else None


def _results_instance(field: Field) -> int | None:
    match = _RESULTS.match(field.value)
    return int(match[1]) if match is not None and 1 <= int(match[1]) <= MAX_INSTANCE else None


def _broken(reason: str) -> SignatureProblem:
    return SignatureProblem(DkimStatus.PERMERROR, reason)
