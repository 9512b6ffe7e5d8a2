"""A passkey's device in software: makes credentials and signs challenges as a browser with a security key does.

What it sends can be bent: another origin, no user verification, a counter that goes back, a signature of something else.
"""

import hashlib
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

_UP, _UV, _AT = 0x01, 0x04, 0x40


class Authenticator:
    """One device with one passkey.

    Args:
        origin: of the page that the browser shows.
    """

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.user_verified = True
        self.counts = True
        self.count = 0
        self.id = secrets.token_bytes(32)
        self.user_handle = b""
        self._key = ec.generate_private_key(ec.SECP256R1())

    def create(self, options: dict[str, Any]) -> str:
        """Answer `navigator.credentials.create` with these options."""
        self.user_handle = _bytes(options["user"]["id"])
        numbers = self._key.public_key().public_numbers()
        public = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")})
        attested = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + public
        data = self._data(options["rp"]["id"], extra=_AT) + attested
        return self._credential(
            {
                "clientDataJSON": _text(self._client_data("webauthn.create", options["challenge"])),
                "attestationObject": _text(cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})),
                "transports": ["internal", "hybrid"],
            }
        )

    def get(self, options: dict[str, Any], **bent: Any) -> str:
        """Answer `navigator.credentials.get` with these options.

        Args:
            options: from the server.
            bent: `challenge`, `rp_id`, `handle`, `signed`: what to use in place of what is right.
        """
        self.count += 1
        client = self._client_data("webauthn.get", bent.get("challenge", options["challenge"]))
        data = self._data(bent.get("rp_id", options["rpId"]))
        signed = bent.get("signed", data + hashlib.sha256(client).digest())
        return self._credential(
            {
                "clientDataJSON": _text(client),
                "authenticatorData": _text(data),
                "signature": _text(self._key.sign(signed, ec.ECDSA(hashes.SHA256()))),
                "userHandle": _text(bent.get("handle", self.user_handle)),
            }
        )

    def _data(self, rp_id: str, extra: int = 0) -> bytes:
        flags = _UP | (_UV if self.user_verified else 0) | extra
        count = self.count if self.counts else 0
        return hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + count.to_bytes(4, "big")

    def _client_data(self, kind: str, challenge: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}).encode()

    def _credential(self, response: dict[str, Any]) -> str:
        return json.dumps(
            {
                "id": _text(self.id),
                "rawId": _text(self.id),
                "type": "public-key",
                "clientExtensionResults": {},
                "response": response,
            }
        )


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
