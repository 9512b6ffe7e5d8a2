"""Passkeys: kept, named, and used once for each challenge. What a browser answers is judged in `passkey_answers`.

A passkey is something one has, opened by something one knows or is: with user verification it counts as both factors.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import webauthn
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from smailor.accounts.models import Passkey
from smailor.accounts.names import clean_name
from smailor.accounts.passkey_answers import New as New
from smailor.accounts.passkey_answers import NotAccepted as NotAccepted
from smailor.accounts.passkey_answers import RelyingParty as RelyingParty
from smailor.accounts.passkey_answers import read_authentication, verify_signature
from smailor.accounts.passkey_answers import relying_party as relying_party
from smailor.accounts.passkey_answers import verify_registration as verify_registration
from smailor.database.engine import Database
from smailor.errors import Conflict, InvalidInput, NotFound

MAX_PASSKEYS = 20
TIMEOUT_MS = 120_000


class CopyFound(NotAccepted):
    """A passkey's counter went back: there may be a copy of it.

    Attributes:
        user_id: whose passkey it is.
    """

    def __init__(self, user_id: int) -> None:
        super().__init__("the passkey's counter went back: there may be a copy")
        self.user_id = user_id


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
    with database.reading() as session:
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
        with database.reading() as session:
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
    answer = read_authentication(credential)
    with database.transaction() as session:
        row = session.scalar(select(Passkey).where(Passkey.credential_id == answer.raw_id).with_for_update())
        if row is None:
            raise NotAccepted("log-in: an unknown passkey")
        if user_id is not None and row.user_id != user_id:
            raise NotAccepted("log-in: somebody else's passkey")
        if answer.response.user_handle is not None and answer.response.user_handle != _handle(row.user_id):
            raise NotAccepted("log-in: a passkey with another owner's name")
        verified = verify_signature(answer, party, challenge=challenge, public_key=row.public_key)
        if (verified.new_sign_count or row.sign_count) and verified.new_sign_count <= row.sign_count:
            raise CopyFound(row.user_id)
        row.sign_count, row.last_used_at = verified.new_sign_count, now
        row.backed_up = verified.credential_backed_up
        return row.user_id


def list_passkeys(database: Database, *, user_id: int) -> tuple[PasskeyView, ...]:
    """Return a person's passkeys, oldest first."""
    query = select(Passkey).where(Passkey.user_id == user_id).order_by(Passkey.id).limit(MAX_PASSKEYS)
    with database.reading() as session:
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
