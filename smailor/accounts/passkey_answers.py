"""What browsers answer about passkeys (WebAuthn level 2), and who we are to them. Pure: bytes in, values out.

User verification is asked for always. The signatures are py_webauthn's work; it is given nothing that is longer than
said here, and whatever it raises means one thing: not accepted.
"""

import json
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import webauthn
from webauthn.authentication.verify_authentication_response import VerifiedAuthentication
from webauthn.helpers import parse_authentication_credential_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import AuthenticationCredential, AuthenticatorTransport

from smailor.errors import SmailorError

MAX_CREDENTIAL = 64 * 1024
"""Characters of JSON that a browser may send for one passkey."""
MAX_CREDENTIAL_ID = 1023


class NotAccepted(SmailorError):
    """What a browser sent as a passkey's answer does not hold. The text is for log and audit trail."""


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """Us, as browsers name us.

    Attributes:
        id: the host name that passkeys belong to.
        name: shown while one is made.
        origin: of our pages.
    """

    id: str
    name: str
    origin: str


@dataclass(frozen=True, slots=True)
class New:
    """What a browser has made, verified, and not yet kept."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    backed_up: bool
    transports: tuple[str, ...]


def relying_party(public_url: str, *, name: str) -> RelyingParty | None:
    """Return who we are to browsers; None: our address is none that passkeys can belong to. Pure.

    A bare IP address is none; for a service tried out on this machine `localhost` stands in for it.

    Args:
        public_url: how people reach the service.
        name: what they call it.
    """
    url = urlsplit(public_url)
    host = url.hostname or ""
    if not host:
        return None
    try:
        if not ip_address(host).is_loopback:
            return None
        host = "localhost"
    except ValueError:
        pass
    if url.scheme != "https" and host != "localhost":
        return None
    port = f":{url.port}" if url.port else ""
    return RelyingParty(id=host, name=name, origin=f"{url.scheme}://{host}{port}")


def verify_registration(party: RelyingParty, *, credential: str, challenge: bytes) -> New:
    """Return the passkey that a browser has made.

    Args:
        party: us.
        credential: JSON, as the browser sent it.
        challenge: of the options.

    Raises:
        NotAccepted: it does not hold.
    """
    value = _parse(credential)
    try:
        made = webauthn.verify_registration_response(
            credential=value,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            require_user_verification=True,
        )
    except _BAD as error:
        raise NotAccepted(f"registration: {type(error).__name__}") from error
    if not 16 <= len(made.credential_id) <= MAX_CREDENTIAL_ID:
        raise NotAccepted("registration: an odd credential id")
    response = value.get("response")
    told = response.get("transports") if isinstance(response, dict) else None
    known = {transport.value for transport in AuthenticatorTransport}
    transports = (
        tuple(sorted({item for item in told if isinstance(item, str)} & known)) if isinstance(told, list) else ()
    )
    return New(made.credential_id, made.credential_public_key, made.sign_count, made.credential_backed_up, transports)


def read_authentication(credential: str) -> AuthenticationCredential:
    """Return the answer to a challenge, taken apart and not yet believed.

    Args:
        credential: JSON, as the browser sent it.

    Raises:
        NotAccepted: it is none.
    """
    value = _parse(credential)
    try:
        return parse_authentication_credential_json(value)
    except _BAD as error:
        raise NotAccepted(f"log-in: {type(error).__name__}") from error


def verify_signature(
    answer: AuthenticationCredential, party: RelyingParty, *, challenge: bytes, public_key: bytes
) -> VerifiedAuthentication:
    """Return what a passkey has signed.

    Args:
        answer: from `read_authentication`.
        party: us.
        challenge: of the options.
        public_key: of the passkey.

    Raises:
        NotAccepted: it does not hold.
    """
    try:
        return webauthn.verify_authentication_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            credential_public_key=public_key,
            # The counter is compared by the caller, after the signature: only a real passkey tells of a copy.
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except _BAD as error:
        raise NotAccepted(f"log-in: {type(error).__name__}") from error


_BAD = (WebAuthnException, ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError)
"""What py_webauthn and what it stands on raise for bytes that are no passkey's answer."""


def _parse(credential: str) -> dict[str, Any]:
    if not 0 < len(credential) <= MAX_CREDENTIAL:
        raise NotAccepted("nothing, or too much")
    try:
        value = json.loads(credential)
    except (ValueError, RecursionError) as error:
        raise NotAccepted("not JSON") from error
    if not isinstance(value, dict):
        raise NotAccepted("not an object")
    return value
