"""Making DKIM key pairs and the DNS record that publishes one (RFC 6376 section 3.6.1, RFC 8463). No database here."""

import base64
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

RSA_BITS = 2048
"""RFC 8301 section 3.2: signers use at least 1024 and should use 2048 bits; longer keys outgrow DNS over UDP."""


class Algorithm(StrEnum):
    """How a key signs: a signature's `a=`.

    Every domain has RSA, which all receivers know; Ed25519 signatures go beside it for those who know them, too.
    """

    RSA = "rsa-sha256"
    ED25519 = "ed25519-sha256"


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A key pair for signing.

    Attributes:
        private_key_pem: PKCS #8, unencrypted.
        public_key: the record's `p=`, base64: SubjectPublicKeyInfo of RSA, the bare 32 octets of Ed25519 (RFC 8463
            section 4.2).
    """

    private_key_pem: str
    public_key: str


def generate_key_pair(algorithm: Algorithm = Algorithm.RSA) -> KeyPair:
    """Return a new key pair, RSA-2048 or Ed25519."""
    key = (
        ed25519.Ed25519PrivateKey.generate()
        if algorithm is Algorithm.ED25519
        else rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    if isinstance(key, ed25519.Ed25519PrivateKey):
        public = key.public_key().public_bytes_raw()
    else:
        public = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    return KeyPair(private.decode("ascii"), base64.b64encode(public).decode("ascii"))


def selector_for(now: datetime, algorithm: Algorithm = Algorithm.RSA) -> str:
    """Return the selector of a key made now, such as `s20261123` (`e…` for Ed25519): it tells the key's age."""
    return f"{'e' if algorithm is Algorithm.ED25519 else 's'}{now:%Y%m%d}"


def key_record(public_key: str, algorithm: Algorithm = Algorithm.RSA) -> str:
    """Return the TXT record's text that publishes this key."""
    return f"v=DKIM1; k={'ed25519' if algorithm is Algorithm.ED25519 else 'rsa'}; p={public_key}"
