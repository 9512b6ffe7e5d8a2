"""DKIM public keys: the TXT record below `_domainkey`, what it allows, and the check of a signature against it.

RFC 6376 §3.6.1, Ed25519 by RFC 8463, least key length by RFC 8301. `fetch_key` asks the DNS through the client that it
is given; nothing else here does any I/O.
"""

from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from smailor.authentication.tags import TagError, decode_base64, parse_tags, squeeze
from smailor.dns.answer import DnsClient

MIN_RSA_BITS = 1024
"""RFC 8301 §3.2: "Verifiers MUST NOT consider signatures using RSA keys of less than 1024 bits as valid"."""
MAX_RSA_BITS = 8192
"""Longer ones cost more to check than anybody gains by them; RFC 8301 §3.2 asks for 1024 to 4096."""

_PADDING = PKCS1v15()
_SHA256 = Prehashed(hashes.SHA256())
_MAX_RECORDS = 4
_MAX_RECORD_OCTETS = 16_384


class KeyUnusable(Exception):
    """There is no key to check a signature with; the message says why. Asking again does not help."""


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key as its owner published it.

    Attributes:
        key: None where it has been revoked (`p=` is empty).
        hashes: hash algorithms that it may be used with (`h=`); None: any.
        services: service types that it is for (`s=`), `*` for all.
        testing: its owner is only trying DKIM (`t=y`).
        strict: `i=` of a signature has to be in the very domain of `d=` (`t=s`).
    """

    key: RSAPublicKey | Ed25519PublicKey | None
    hashes: frozenset[str] | None
    services: frozenset[str]
    testing: bool
    strict: bool

    @property
    def algorithm(self) -> str:
        """The one signature algorithm (`a=`) that goes with this kind of key."""
        return "ed25519-sha256" if isinstance(self.key, Ed25519PublicKey) else "rsa-sha256"

    @property
    def bits(self) -> int:
        """Length of the key; 0 of a revoked one."""
        if self.key is None:
            return 0
        return self.key.key_size if isinstance(self.key, RSAPublicKey) else 256

    def verifies(self, signature: bytes, digest: bytes) -> bool:
        """Tell whether the signature was made with this key.

        Args:
            signature: the octets of `b=`.
            digest: SHA-256 of the canonical header.

        Source: RFC 6376 §3.3.2; RFC 8463 §3 (Ed25519 signs the hash).
        """
        try:
            if isinstance(self.key, RSAPublicKey):
                self.key.verify(signature, digest, _PADDING, _SHA256)
            elif isinstance(self.key, Ed25519PublicKey):
                self.key.verify(signature, digest)
            else:
                return False
        except InvalidSignature:
            return False
        return True


@lru_cache(maxsize=1024)
def parse_key_record(text: bytes) -> KeyRecord:
    """Read a key record; the same text is read once only.

    Args:
        text: the TXT record, its strings joined.

    Raises:
        KeyUnusable: it is no key record, or of a version or kind that nobody defined.
    """
    if len(text) > _MAX_RECORD_OCTETS:
        raise KeyUnusable("the key record is too long")
    try:
        tags = parse_tags(text)
        data = decode_base64(tags["p"], "p") if tags.get("p") else b""
    except TagError as error:
        raise KeyUnusable(f"the key record cannot be read: {error}") from error
    if "v" in tags and (next(iter(tags)) != "v" or tags["v"] != "DKIM1"):
        raise KeyUnusable("the key record has another version than DKIM1")
    if "p" not in tags:
        raise KeyUnusable("the key record has no p=")
    kind = tags.get("k", "rsa")
    if kind not in {"rsa", "ed25519"}:
        raise KeyUnusable(f"keys of the kind {kind[:20]!r} are unknown")
    flags = _list(tags.get("t", ""))
    return KeyRecord(
        key=_load(kind, data) if data else None,
        hashes=_list(tags["h"]) if "h" in tags else None,
        services=_list(tags.get("s", "*")),
        testing="y" in flags,
        strict="s" in flags,
    )


def fetch_key(resolver: DnsClient, selector: str, domain: str) -> KeyRecord:
    """Ask the DNS for a key.

    Args:
        resolver: where to ask.
        selector: A-labels (`s=`).
        domain: A-labels (`d=`).

    Returns:
        The first usable key among the records; revoked ones count as usable.

    Raises:
        KeyUnusable: there is none (RFC 6376 §6.1.2).
        TemporaryFailure: the DNS does not answer now.
    """
    answer = resolver.query(key_name(selector, domain), "TXT")
    problem = KeyUnusable("the DNS has no key under this name")
    for position, text in enumerate(answer.texts[:_MAX_RECORDS]):
        try:
            return parse_key_record(text)
        except KeyUnusable as error:
            # A wildcard's SPF or verification text may stand beside the key: what is wrong with the first is told.
            problem = error if position == 0 else problem
    raise problem


def key_name(selector: str, domain: str) -> str:
    """Return the name under which a key is published (RFC 6376 §3.6.2.1)."""
    return f"{selector}._domainkey.{domain}"


def _list(value: str) -> frozenset[str]:
    return frozenset(squeeze(value).lower().split(":"))


def _load(kind: str, data: bytes) -> RSAPublicKey | Ed25519PublicKey:
    if kind == "ed25519":
        if len(data) != 32:
            raise KeyUnusable("the Ed25519 key has not 32 octets")
        return Ed25519PublicKey.from_public_bytes(data)
    try:
        # Takes SubjectPublicKeyInfo, which all use, and the bare RSAPublicKey of RFC 6376 before its erratum 3017.
        key = serialization.load_der_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyUnusable("p= is no RSA key") from error
    if not isinstance(key, RSAPublicKey):
        raise KeyUnusable("p= is no RSA key")
    return key
