"""Making DKIM key pairs and the DNS record that publishes one (RFC 6376 section 3.6.1). No database here."""

import base64
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

RSA_BITS = 2048
"""RFC 8301 section 3.2: signers use at least 1024 and should use 2048 bits; longer keys outgrow DNS over UDP."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A key pair for signing.

    Attributes:
        private_key_pem: PKCS #8, unencrypted.
        public_key: SubjectPublicKeyInfo in base64, the record's `p=`.
    """

    private_key_pem: str
    public_key: str


def generate_key_pair() -> KeyPair:
    """Return a new RSA-2048 key pair."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return KeyPair(private.decode("ascii"), base64.b64encode(public).decode("ascii"))


def selector_for(now: datetime) -> str:
    """Return the selector of a key made now, such as `s20261123`: it tells a reader the key's age."""
    return f"s{now:%Y%m%d}"


def key_record(public_key: str) -> str:
    """Return the TXT record's text that publishes this key."""
    return f"v=DKIM1; k=rsa; p={public_key}"
