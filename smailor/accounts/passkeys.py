"""Passkeys (WebAuthn level 2): the person's device signs a challenge of ours, for this origin only.

User verification is asked for always: a passkey is something one has, opened by something one knows or is, so it counts
as both factors. Challenges live in `pending_logins` and work once. The signatures are py_webauthn's work.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import webauthn
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from webauthn.authentication.verify_authentication_response import VerifiedAuthentication
from webauthn.helpers import parse_authentication_credential_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticationCredential,
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from smailor.accounts.models import Passkey
from smailor.accounts.names import clean_name
from smailor.database.engine import Database
from smailor.errors import Conflict, InvalidInput, NotFound, SmailorError

MAX_PASSKEYS = 20
MAX_CREDENTIAL = 64 * 1024
"""Characters of JSON that a browser may send for one passkey."""
MAX_CREDENTIAL_ID = 1023
TIMEOUT_MS = 120_000


class NotAccepted(SmailorError):
    """What a browser sent as a passkey's answer does not hold. The text is for log and audit trail."""


class CopyFound(NotAccepted):
    """A passkey's counter went back: there may be a copy of it.

    Attributes:
        user_id: whose passkey it is.
    """

    def __init__(self, user_id: int) -> None:
        super().__init__("the passkey's counter went back: there may be a copy")
        self.user_id = user_id


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
class PasskeyView:
    """A passkey as its owner sees it.

    Attributes:
        backed_up: whether its maker keeps copies on the person's other devices.
    """

    id: int
    label: str
    backed_up: bool
    created_at: datetime
    last_used_at: datetime | None


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


def registration_options(
    database: Database, party: RelyingParty, *, user_id: int, email: str, challenge: bytes
) -> dict[str, Any]:
    """Return what `navigator.credentials.create` wants, with binary values in base64url.

    Args:
        database: where the passkeys are that there are already.
        party: us.
        user_id: whose it becomes.
        email: how the device shows whose it is.
        challenge: drawn for this one time.
    """
    with database.snapshot() as session:
        there = session.execute(
            select(Passkey.credential_id, Passkey.transports).where(Passkey.user_id == user_id).limit(MAX_PASSKEYS)
        ).all()
    options = webauthn.generate_registration_options(
        rp_id=party.id,
        rp_name=party.name,
        user_name=email,
        user_id=_handle(user_id),
        challenge=challenge,
        timeout=TIMEOUT_MS,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=[_descriptor(row.credential_id, row.transports) for row in there],
    )
    return _plain(webauthn.options_to_json(options))


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


def add_in(session: Session, new: New, *, user_id: int, label: str, now: datetime) -> None:
    """Keep a new passkey.

    Raises:
        InvalidInput: the label cannot be used, or there are too many.
        Conflict: somebody has this passkey already.
    """
    label = clean_name("label", label)
    if (session.scalar(select(func.count()).where(Passkey.user_id == user_id)) or 0) >= MAX_PASSKEYS:
        raise InvalidInput("label", "there are too many passkeys: remove one first")
    session.add(
        Passkey(
            user_id=user_id,
            credential_id=new.credential_id,
            public_key=new.public_key,
            sign_count=new.sign_count,
            transports=list(new.transports),
            label=label,
            backed_up=new.backed_up,
            created_at=now,
            last_used_at=None,
        )
    )
    try:
        session.flush()
    except IntegrityError as error:
        raise Conflict("this passkey is there already") from error


def authentication_options(
    database: Database, party: RelyingParty, *, user_id: int | None, challenge: bytes
) -> dict[str, Any]:
    """Return what `navigator.credentials.get` wants.

    Args:
        database: where the passkeys are.
        party: us.
        user_id: whose passkeys will do; None: anybody's that the device knows to be for us.
        challenge: drawn for this one time.
    """
    allowed: list[PublicKeyCredentialDescriptor] = []
    if user_id is not None:
        with database.snapshot() as session:
            query = select(Passkey.credential_id, Passkey.transports).where(Passkey.user_id == user_id)
            rows = session.execute(query.limit(MAX_PASSKEYS)).all()
        allowed = [_descriptor(row.credential_id, row.transports) for row in rows]
    options = webauthn.generate_authentication_options(
        rp_id=party.id,
        challenge=challenge,
        timeout=TIMEOUT_MS,
        allow_credentials=allowed,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return _plain(webauthn.options_to_json(options))


def verify_authentication(
    database: Database, party: RelyingParty, *, credential: str, challenge: bytes, user_id: int | None, now: datetime
) -> int:
    """Return whose passkey has signed, and note that it was used.

    Args:
        database: where the passkeys are.
        party: us.
        credential: JSON, as the browser sent it.
        challenge: of the options, used up.
        user_id: whose passkey it has to be; None: whoever's it is logs in.
        now: the present moment.

    Raises:
        NotAccepted: it does not hold.
        CopyFound: its counter went back.
    """
    value = _parse(credential)
    try:
        answer = parse_authentication_credential_json(value)
    except _BAD as error:
        raise NotAccepted(f"log-in: {type(error).__name__}") from error
    with database.transaction() as session:
        row = session.scalar(select(Passkey).where(Passkey.credential_id == answer.raw_id).with_for_update())
        if row is None:
            raise NotAccepted("log-in: an unknown passkey")
        if user_id is not None and row.user_id != user_id:
            raise NotAccepted("log-in: somebody else's passkey")
        if answer.response.user_handle is not None and answer.response.user_handle != _handle(row.user_id):
            raise NotAccepted("log-in: a passkey with another owner's name")
        verified = _verified(row, answer, party, challenge)
        if (verified.new_sign_count or row.sign_count) and verified.new_sign_count <= row.sign_count:
            raise CopyFound(row.user_id)
        row.sign_count, row.last_used_at = verified.new_sign_count, now
        row.backed_up = verified.credential_backed_up
        return row.user_id


def _verified(
    row: Passkey, answer: AuthenticationCredential, party: RelyingParty, challenge: bytes
) -> VerifiedAuthentication:
    try:
        return webauthn.verify_authentication_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            credential_public_key=row.public_key,
            # The counter is compared by the caller, after the signature: only a real passkey tells of a copy.
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except _BAD as error:
        raise NotAccepted(f"log-in: {type(error).__name__}") from error


def list_passkeys(database: Database, *, user_id: int) -> tuple[PasskeyView, ...]:
    """Return a person's passkeys, oldest first."""
    query = select(Passkey).where(Passkey.user_id == user_id).order_by(Passkey.id).limit(MAX_PASSKEYS)
    with database.snapshot() as session:
        return tuple(
            PasskeyView(row.id, row.label, row.backed_up, row.created_at, row.last_used_at)
            for row in session.scalars(query)
        )


def rename(database: Database, *, user_id: int, passkey_id: int, label: str) -> None:
    """Give a passkey another name.

    Raises:
        InvalidInput: the name cannot be used.
        NotFound: the person has no such passkey.
    """
    label = clean_name("label", label)
    renamed = (
        update(Passkey)
        .where(Passkey.user_id == user_id, Passkey.id == passkey_id)
        .values(label=label)
        .returning(Passkey.id)
    )
    with database.transaction() as session:
        if session.scalar(renamed) is None:
            raise NotFound("there is no such passkey")


def remove_in(session: Session, *, user_id: int, passkey_id: int) -> str:
    """Take a passkey away and return its label; raises NotFound."""
    gone = delete(Passkey).where(Passkey.user_id == user_id, Passkey.id == passkey_id).returning(Passkey.label)
    label = session.scalar(gone)
    if label is None:
        raise NotFound("there is no such passkey")
    return label


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


def _handle(user_id: int) -> bytes:
    """The user's name on the device: no personal data in it (WebAuthn §14.6.1)."""
    return f"smailor:{user_id}".encode()


def _descriptor(credential_id: bytes, transports: Sequence[str]) -> PublicKeyCredentialDescriptor:
    return PublicKeyCredentialDescriptor(
        id=credential_id, transports=[AuthenticatorTransport(item) for item in transports] or None
    )


def _plain(text: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(text)
    return value
