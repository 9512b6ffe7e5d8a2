"""DKIM signatures (RFC 6376, RFC 8301, RFC 8463): made while the message passes, in memory that does not grow with it.

`MessageSigner` takes header fields as they arrive and hashes the body chunk by chunk; `sign` does the same for a whole
message. No I/O, no key store, no decision about who may sign for whom.
"""

import base64
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from smailor.authentication.canonical import RelaxedBodyHash, relax_header, relax_name
from smailor.errors import InvalidInput

PrivateKey = RSAPrivateKey | Ed25519PrivateKey

LIFETIME = timedelta(days=14)
"""From `t=` to `x=`: longer than any queue keeps a message, short enough that a replayed one expires."""
MIN_RSA_BITS = 1024
"""RFC 8301 section 3.2: signers do not use shorter keys."""

OVERSIGNED = (
    "from",
    "to",
    "cc",
    "subject",
    "date",
    "message-id",
    "reply-to",
    "mime-version",
    "content-type",
    "list-unsubscribe",
    "list-unsubscribe-post",
)
"""Signed once more than they occur, so that adding one breaks the signature (RFC 6376 section 8.15)."""
SIGNED_IF_PRESENT = ("sender", "in-reply-to", "references", "content-transfer-encoding", "list-id", "feedback-id")
"""Signed as often as they occur; a list on the way may add its own."""

_COVERED = {name: name.encode("ascii") for name in OVERSIGNED + SIGNED_IF_PRESENT}
_COLUMNS = 76
_FOLD = "\r\n\t"
_PADDING = PKCS1v15()
_SHA256 = hashes.SHA256()


@dataclass(frozen=True, slots=True)
class SigningIdentity:
    """In whose name to sign, and with what.

    Attributes:
        domain: A-labels, lower case (`d=`).
        selector: where below `_domainkey` the public key is published (`s=`).
        key: RSA of at least 1024 bits, or Ed25519.
    """

    domain: str
    selector: str
    key: PrivateKey

    @property
    def algorithm(self) -> str:
        """The algorithm that goes with the key (`a=`)."""
        return "rsa-sha256" if isinstance(self.key, RSAPrivateKey) else "ed25519-sha256"


def load_private_key(pem: str | bytes, *, validate: bool = True) -> PrivateKey:
    """Read a private key for signing.

    Args:
        pem: PEM, unencrypted.
        validate: check the RSA numbers (32 ms); False only for keys that were checked when they were made.

    Raises:
        InvalidInput: it is no RSA or Ed25519 private key, or an RSA key too short to sign with.
    """
    data = pem.encode("ascii", "replace") if isinstance(pem, str) else pem
    try:
        key = serialization.load_pem_private_key(data, None, unsafe_skip_rsa_key_validation=not validate)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidInput("key", "not a private key in PEM") from error
    if isinstance(key, Ed25519PrivateKey):
        return key
    if isinstance(key, RSAPrivateKey) and key.key_size >= MIN_RSA_BITS:
        return key
    raise InvalidInput("key", f"neither Ed25519 nor RSA of at least {MIN_RSA_BITS} bits")


class MessageSigner:
    """One message on its way to a signature, relaxed/relaxed.

    Fed in message order: every header field, then the body; `signature` may be asked for several identities.
    """

    __slots__ = ("_body", "_body_hash", "_fields")

    def __init__(self) -> None:
        self._fields: dict[str, list[bytes]] = {}
        self._body = RelaxedBodyHash()
        self._body_hash: bytes | None = None

    def header(self, name: str, value: bytes) -> int:
        """Take the next header field.

        Args:
            name: as received, without the colon.
            value: what follows the colon, without the line end that closes the field.

        Returns:
            How many octets of it are kept until the signature is made (0 where the field is not signed).
        """
        key = name if name in _COVERED else relax_name(name).decode("utf-8", "surrogateescape")
        relaxed_name = _COVERED.get(key)
        if relaxed_name is None:
            return 0
        line = relaxed_name + b":" + relax_header(value)
        self._fields.setdefault(key, []).append(line)
        return len(line)

    def body(self, chunk: bytes) -> None:
        """Take the next octets of the body, CRLF line ends, cut anywhere."""
        self._body.update(chunk)

    def signature(self, identity: SigningIdentity, *, now: datetime) -> str:
        """Return the value of a DKIM-Signature field over all that was fed, folded with CRLF and a tab.

        Args:
            identity: in whose name.
            now: time of signing (`t=`); it expires `LIFETIME` later (`x=`).

        Raises:
            InvalidInput: the message has no From (RFC 6376 section 5.4: it has to be signed).
        """
        if "from" not in self._fields:
            raise InvalidInput("message", "has no From header field")
        if self._body_hash is None:
            self._body_hash = self._body.digest()
        names, lines = self._covered()
        seconds = int(now.timestamp())
        unsigned = _FOLD.join(
            (
                f" v=1; a={identity.algorithm}; c=relaxed/relaxed;",
                f"d={identity.domain}; s={identity.selector};",
                f"t={seconds}; x={seconds + int(LIFETIME.total_seconds())};",
                f"bh={base64.b64encode(self._body_hash).decode('ascii')};",
                f"h={fold_names(names)};",
                "b=",
            )
        )
        lines.append(b"dkim-signature:" + relax_header(unsigned.encode("ascii")))
        return unsigned + folded_signature(identity.key, b"\r\n".join(lines))

    def _covered(self) -> tuple[list[str], list[bytes]]:
        """Return the names for `h=` and the lines that they select: instances from the last one up (section 5.4.2)."""
        names: list[str] = []
        lines: list[bytes] = []
        for name in _COVERED:
            found = self._fields.get(name, [])
            names += [name] * len(found)
            lines += reversed(found)
        names += OVERSIGNED
        return names, lines


def sign(message: bytes, *, domain: str, selector: str, key: PrivateKey | bytes | str, now: datetime) -> bytes:
    """Return the DKIM-Signature field of a message, with its name and final CRLF, to be put in front of it.

    Args:
        message: header and body; a line feed alone is taken for the CRLF that SMTP will make of it.
        domain: A-labels (`d=`).
        selector: `s=`.
        key: a private key, or its PEM.
        now: time of signing.

    Raises:
        InvalidInput: the message has no From, or the key cannot sign.
    """
    private = key if isinstance(key, PrivateKey) else load_private_key(key)
    signer = MessageSigner()
    wire = re.sub(rb"(?<!\r)\n", b"\r\n", message)
    head, _, body = wire.partition(b"\r\n\r\n") if not wire.startswith(b"\r\n") else (b"", b"", wire[2:])
    for name, content in header_fields(head):
        signer.header(name, content)
    signer.body(body)
    value = signer.signature(SigningIdentity(domain.lower(), selector, private), now=now)
    return b"DKIM-Signature:" + value.encode("ascii") + b"\r\n"


def header_fields(head: bytes) -> Iterator[tuple[str, bytes]]:
    """Split a header into its fields, in order.

    Args:
        head: all before the empty line, CRLF line ends.

    Yields:
        Each field's name as written and its value with its folds. Lines that are no field are passed over.
    """
    for field in re.split(rb"\r\n(?![ \t])", head):
        name, colon, value = field.partition(b":")
        if colon:
            yield name.decode("utf-8", "surrogateescape"), value


def fold_names(names: Sequence[str]) -> str:
    """Return the value of `h=`, folded."""
    text = ""
    column = 10
    for position, name in enumerate(names):
        if column + len(name) + 2 > _COLUMNS:
            text += _FOLD
            column = 8
        part = name if position == len(names) - 1 else name + ":"
        text += part
        column += len(part)
    return text


def folded_signature(key: PrivateKey, data: bytes) -> str:
    """Return the value of `b=`, folded.

    Args:
        key: what to sign with.
        data: the canonical header, the signature's own field last.
    """
    if isinstance(key, RSAPrivateKey):
        octets = key.sign(data, _PADDING, _SHA256)
    else:
        # RFC 8463 section 3: the hash is what Ed25519 signs, as a message of its own.
        octets = key.sign(hashlib.sha256(data).digest())
    text = base64.b64encode(octets).decode("ascii")
    return _FOLD.join(text[at : at + _COLUMNS - 4] for at in range(0, len(text), _COLUMNS - 4))
