"""Who of our people is who at a provider of log-ins. Linked by their own will only, and never by an address alone.

An identity is issuer and subject. The address that came with it is kept to be shown; it opens nothing: providers give
addresses to new people.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from smailor.accounts import audit
from smailor.accounts.audit import Actor
from smailor.accounts.id_token import Identity
from smailor.accounts.models import ExternalIdentity, User
from smailor.accounts.names import MAX_NAME, clean_name
from smailor.address import Address
from smailor.database.engine import Database
from smailor.errors import Conflict, InvalidInput, NotFound

MAX_IDENTITIES = 10


@dataclass(frozen=True, slots=True)
class IdentityView:
    """A link as its owner sees it."""

    id: int
    provider: str
    email: str
    created_at: datetime
    last_used_at: datetime | None


def verified_address(identity: Identity) -> str | None:
    """Return the address in normal form that the provider has verified, None if there is none. Pure."""
    if not identity.email_verified:
        return None
    try:
        return str(Address.parse(identity.email))
    except InvalidInput:
        return None


def owner(database: Database, identity: Identity, *, now: datetime) -> int | None:
    """Return whose an identity is, and note that it was used; None: nobody's.

    Args:
        database: where the links are.
        identity: from the provider, every check passed.
        now: the present moment.
    """
    used = (
        update(ExternalIdentity)
        .where(ExternalIdentity.issuer == identity.issuer, ExternalIdentity.subject == identity.subject)
        .values(last_used_at=now)
        .returning(ExternalIdentity.user_id)
    )
    with database.transaction() as session:
        return session.scalar(used)


def link_in(session: Session, identity: Identity, *, provider: str, user_id: int, now: datetime) -> str:
    """Link an identity to a person who has agreed to it while logged in; return its address.

    Raises:
        InvalidInput: the provider has not verified the address.
        Conflict: it is somebody's already.
    """
    email = verified_address(identity)
    if email is None:
        raise InvalidInput("provider", "the provider has not verified your e-mail address there")
    there = session.scalars(select(ExternalIdentity.id).where(ExternalIdentity.user_id == user_id)).all()
    if len(there) >= MAX_IDENTITIES:
        raise InvalidInput("provider", "there are too many linked accounts: remove one first")
    session.add(
        ExternalIdentity(
            user_id=user_id,
            provider=provider,
            issuer=identity.issuer,
            subject=identity.subject,
            email=email,
            created_at=now,
            last_used_at=None,
        )
    )
    try:
        session.flush()
    except IntegrityError as error:
        raise Conflict("this account there is linked already") from error
    return email


def list_identities(database: Database, *, user_id: int) -> tuple[IdentityView, ...]:
    """Return a person's links, oldest first."""
    query = select(ExternalIdentity).where(ExternalIdentity.user_id == user_id).order_by(ExternalIdentity.id)
    with database.reading() as session:
        return tuple(
            IdentityView(row.id, row.provider, row.email, row.created_at, row.last_used_at)
            for row in session.scalars(query.limit(MAX_IDENTITIES))
        )


def unlink_in(session: Session, *, user_id: int, identity_id: int) -> tuple[str, str]:
    """Take a link away; return provider and address. Raises NotFound."""
    gone = (
        delete(ExternalIdentity)
        .where(ExternalIdentity.user_id == user_id, ExternalIdentity.id == identity_id)
        .returning(ExternalIdentity.provider, ExternalIdentity.email)
    )
    row = session.execute(gone).one_or_none()
    if row is None:
        raise NotFound("there is no such link")
    return row.provider, row.email


def address_taken(database: Database, *, email: str) -> bool:
    """Tell whether there is a person with this address; asked only for whoever has shown that it is theirs."""
    query = select(User.id).where(User.email == email, User.email_verified_at.is_not(None))
    with database.reading() as session:
        return session.scalar(query) is not None


def sign_up(database: Database, identity: Identity, *, provider: str, language: str, source: str, now: datetime) -> int:
    """Make a person of an identity who has agreed to it, without a password; return their number.

    Args:
        database: where to.
        identity: from the provider, every check passed.
        provider: which.
        language: `en`, `de`; empty: what the browser asks for.
        source: the client's IP address.
        now: the present moment.

    Raises:
        InvalidInput: the provider has not verified the address.
        Conflict: there is a person with this address, or this identity is somebody's.
    """
    email = verified_address(identity)
    if email is None:
        raise InvalidInput("provider", "the provider has not verified your e-mail address there")
    user = User(
        email=email,
        name=_name(identity.name, email),
        password_hash="",
        operator=False,
        language=language,
        email_verified_at=now,
        created_at=now,
    )
    try:
        with database.transaction() as session:
            # Whoever began to sign up with this address by mail has not shown that it is theirs; this one has. What
            # the other chose, a password above all, must not become part of this account.
            session.execute(delete(User).where(User.email == email, User.email_verified_at.is_(None)))
            session.add(user)
            session.flush()
            link_in(session, identity, provider=provider, user_id=user.id, now=now)
            audit.record_in(
                session,
                Actor(email, source),
                action="account.create",
                on=f"account:{email}",
                now=now,
                details={"method": f"oidc:{provider}"},
            )
            return user.id
    except IntegrityError as error:
        raise Conflict("there is an account already") from error


def _name(told: str, email: str) -> str:
    """What a provider says may be anything: what cannot be shown gives way to the address."""
    try:
        return clean_name("name", told[:MAX_NAME])
    except InvalidInput:
        return email[:MAX_NAME]
