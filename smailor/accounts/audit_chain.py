"""The chain of the audit trail: how an entry is written out for hashing, and what its hash is. Pure.

An entry's hash is the SHA-256 of a JSON text of all that it says and of the hash before it, so that whoever changes,
removes or slips in an entry has to change every one after it. The text follows RFC 8785 (JSON Canonicalization Scheme):
UTF-8, no white space, members sorted by the UTF-16 units of their names; numbers are written as Python's `json` does,
which is the same for integers, the only numbers that entries hold by custom. Any change of this file breaks every chain
there is: a new format needs a new `FORMAT`, and the old one stays.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

FORMAT = 1
GENESIS = "0" * 64
"""What the first entry has for the hash before it."""
MAX_DETAILS_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class Head:
    """The chain up to one entry: whoever knows this can tell later whether anything up to there was touched.

    Attributes:
        sequence: the entry's number; 0: the trail is empty.
        hash: the entry's hash.
    """

    sequence: int = 0
    hash: str = GENESIS

    def __str__(self) -> str:
        return f"{self.hash}@{self.sequence}"

    @classmethod
    def parse(cls, text: str) -> "Head":
        """Read `HASH@NUMBER`; raises ValueError."""
        digest, at, number = text.strip().partition("@")
        if not at or len(digest) != 64 or set(digest) - set("0123456789abcdef") or not number.isdecimal():
            raise ValueError("expected HASH@NUMBER, as `smailor audit verify` prints it")
        return cls(int(number[:19]), digest)


def entry_hash(entry: Mapping[str, Any], before: Head) -> str:
    """Return the hash of an entry.

    Args:
        entry: its columns `at`, `actor`, `source`, `action`, `object`, `workspace`, `reason`, `outcome`, `details`.
        before: the chain up to the entry before.
    """
    at: datetime = entry["at"]
    said = {
        "format": FORMAT,
        "sequence": before.sequence + 1,
        "previous": before.hash,
        "at": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        **{name: entry[name] for name in ("actor", "source", "action", "object", "workspace", "reason", "outcome")},
        "details": entry["details"],
    }
    return sha256(canonical(said).encode("utf-8")).hexdigest()


def canonical(value: Any) -> str:
    """Return a value's one JSON text; raises ValueError and TypeError for what JSON cannot hold."""
    return json.dumps(_sorted(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _sorted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _sorted(value[name]) for name in sorted(value, key=lambda name: name.encode("utf-16-be"))}
    if isinstance(value, list | tuple):
        return [_sorted(entry) for entry in value]
    return value


def clean_text(text: str, longest: int) -> str:
    """Return a text that every database can hold and that ends in time: an entry is never lost for what it quotes."""
    return text[:longest].encode("utf-8", "replace").decode("utf-8").replace("\0", "\N{REPLACEMENT CHARACTER}")


def clean_details(details: Mapping[str, Any]) -> dict[str, Any]:
    """Return details as they will be read again: JSON's kinds only, of a bounded size.

    Raises:
        TypeError, ValueError: JSON cannot hold them.
    """
    text = json.dumps(_cleaned(details), allow_nan=False)
    if len(text) > MAX_DETAILS_BYTES:
        return {"shortened": clean_text(text, 1000)}
    found: dict[str, Any] = json.loads(text)
    return found


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value, MAX_DETAILS_BYTES)
    if isinstance(value, Mapping):
        return {clean_text(str(name), 200): _cleaned(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_cleaned(entry) for entry in value]
    return value
