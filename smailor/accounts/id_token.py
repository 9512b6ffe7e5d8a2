"""What a provider says of a person in an ID token, believed only when every check of OpenID Connect holds. Pure.

OpenID Connect Core 1.0 §3.1.3.7. The signature is joserfc's work; which algorithms and keys may make one is said here.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest
from typing import Any, cast

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey

from smailor.errors import SmailorError

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "Ed25519", "EdDSA")
"""Signatures with a private key that only the provider has: no `none`, and no HS*, whose key we would share."""
LEEWAY_SECONDS = 60
"""How far the provider's clock may be from ours."""
MAX_AGE_SECONDS = 600
"""An ID token is made for this log-in, which is ten minutes old at most."""
MAX_TOKEN = 16_384
MAX_SUBJECT = 255
_KEY_TYPES = ("RSA", "EC", "OKP")
_MIN_RSA_BITS = 2048


class NotBelieved(SmailorError):
    """What came from a provider does not hold. The text is for the log and the audit trail, never for the page."""


class UnknownKey(NotBelieved):
    """No key of the provider's that we know has signed: it may have a new one."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A person at a provider.

    Attributes:
        issuer: who says so.
        subject: who it is there, for ever; an address may change hands, this may not.
        email: their address there as it was written; empty: none was told.
        email_verified: whether the provider says that the address is theirs.
        name: what to call them; empty: not told.
    """

    issuer: str
    subject: str
    email: str
    email_verified: bool
    name: str


def verify(
    token: str, *, keys: Sequence[Mapping[str, Any]], issuer: str, client_id: str, nonce: str, now: datetime
) -> Mapping[str, Any]:
    """Return the claims of an ID token.

    Args:
        token: in compact form.
        keys: the provider's public keys as JSON Web Keys.
        issuer: who has to have made it.
        client_id: for whom: us.
        nonce: what this log-in sent.
        now: the present moment.

    Raises:
        NotBelieved: one of the checks failed.
    """
    if not 0 < len(token) <= MAX_TOKEN:
        raise NotBelieved("no ID token, or a very long one")
    claims = _signed_claims(token, keys)
    if claims.get("iss") != issuer:
        raise NotBelieved("another issuer's ID token")
    if claims.get("aud") not in (client_id, [client_id]):
        raise NotBelieved("an ID token for another audience")
    if claims.get("azp", client_id) != client_id:
        raise NotBelieved("an ID token for another authorized party")
    _check_times(claims, now.timestamp())
    told = claims.get("nonce")
    if not isinstance(told, str) or not compare_digest(told.encode(), nonce.encode()):
        raise NotBelieved("another log-in's nonce")
    _subject(claims)
    return claims


def check_asked_anew(claims: Mapping[str, Any], *, now: datetime) -> None:
    """Refuse a person whom the provider did not ask again, though we wanted it to (`max_age`, §3.1.2.1).

    Raises:
        NotBelieved: they showed who they are too long ago, or the provider does not say when.
    """
    asked = claims.get("auth_time")
    oldest = now.timestamp() - MAX_AGE_SECONDS - LEEWAY_SECONDS
    if not _is_time(asked) or cast("float", asked) < oldest:
        raise NotBelieved("the provider did not ask again")


def identity(claims: Mapping[str, Any], *, issuer: str) -> Identity:
    """Return who the verified claims speak of.

    Raises:
        NotBelieved: the subject is missing.
    """
    email, name = claims.get("email"), claims.get("name")
    return Identity(
        issuer=issuer,
        subject=_subject(claims),
        email=email if isinstance(email, str) and len(email) <= 320 else "",
        # Exactly true: a provider that sends the word has to be looked at, not guessed at.
        email_verified=claims.get("email_verified") is True,
        name=name if isinstance(name, str) else "",
    )


def _signed_claims(token: str, keys: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    try:
        header = jws.extract_compact(token.encode("ascii")).headers()
        key = _key(keys, kid=header.get("kid"), algorithm=header.get("alg"))
        signed = jws.deserialize_compact(token, key, algorithms=list(ALGORITHMS))
        claims = json.loads(signed.payload or b"")
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise NotBelieved(f"the ID token's signature: {type(error).__name__}") from error
    if not isinstance(claims, dict):
        raise NotBelieved("an ID token without claims")
    return claims


def _key(keys: Sequence[Mapping[str, Any]], *, kid: object, algorithm: object) -> RSAKey | ECKey | OKPKey:
    """Choose the key that has to have signed: the one of the token's `kid`; without one, the only one there is."""
    if algorithm not in ALGORITHMS:
        raise NotBelieved("an ID token with a signature that we do not take")
    usable = [
        key for key in keys if key.get("kty") in _KEY_TYPES and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
    ]  # fmt: skip
    found = [key for key in usable if key.get("kid") == kid] if kid is not None else usable
    if len(found) != 1:
        raise UnknownKey("an ID token signed by an unknown key")
    key = cast("RSAKey | ECKey | OKPKey", JWKRegistry.import_key(dict(found[0])))
    if isinstance(key, RSAKey) and key.public_key.key_size < _MIN_RSA_BITS:
        raise NotBelieved("an ID token signed by a short key")
    return key


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    expires, issued, begins = (claims.get(name) for name in ("exp", "iat", "nbf"))
    if not _is_time(expires) or not _is_time(issued) or (begins is not None and not _is_time(begins)):
        raise NotBelieved("an ID token without its times")
    if cast("float", expires) <= now - LEEWAY_SECONDS:
        raise NotBelieved("an ID token that has run out")
    if not now - MAX_AGE_SECONDS - LEEWAY_SECONDS <= cast("float", issued) <= now + LEEWAY_SECONDS:
        raise NotBelieved("an ID token of another time")
    if begins is not None and cast("float", begins) > now + LEEWAY_SECONDS:
        raise NotBelieved("an ID token of the future")


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e11


def _subject(claims: Mapping[str, Any]) -> str:
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT or not subject.isprintable():
        raise NotBelieved("nobody in particular")
    return subject
