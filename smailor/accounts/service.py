"""Use cases around people. Each function owns its transaction and returns plain values."""

import functools
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from smailor import clock
from smailor.accounts import audit, passwords
from smailor.accounts.audit import Actor
from smailor.accounts.models import User, WebSession
from smailor.accounts.names import clean_name
from smailor.accounts.user_view import UserView as UserView
from smailor.accounts.user_view import user_view
from smailor.address import Address
from smailor.database.engine import Database
from smailor.errors import Conflict, InvalidInput, NotFound


def create_user(
    database: Database,
    *,
    email: str,
    name: str,
    password: str,
    operator: bool = False,
    actor: Actor | None = None,
    now: datetime,
) -> UserView:
    """Create a person who can log in.

    Args:
        database: where to.
        email: their address; it need not be one of our inboxes.
        name: what to call them.
        password: at least 12 characters.
        operator: whether they run the service.
        actor: who creates them; None: the service is being set up, which is no entry in the trail.
        now: the present moment.

    Raises:
        InvalidInput: address, name or password cannot be used.
        Conflict: the address is taken.
    """
    address = str(Address.parse(email))
    password_hash = passwords.hash_password(password)
    user = User(
        email=address,
        name=clean_name("name", name),
        password_hash=password_hash,
        operator=operator,
        email_verified_at=now,
        created_at=now,
    )
    try:
        with database.transaction() as session:
            session.add(user)
            session.flush()
            if actor is not None:
                details = {"operator": operator}
                audit.record_in(session, actor, action="account.add", on=f"account:{address}", details=details, now=now)
            return user_view(user)
    except IntegrityError as error:
        raise Conflict(f"there is already a person with the address {address}") from error


def list_users(database: Database) -> tuple[UserView, ...]:
    """Return all people, by address."""
    with database.reading() as session:
        return tuple(user_view(user) for user in session.scalars(select(User).order_by(User.email)))


def set_password(
    database: Database, *, email: str, password: str, actor: Actor | None = None, now: datetime | None = None
) -> None:
    """Give a person a new password and end all their web sessions.

    Args:
        database: where to.
        email: whose.
        password: at least 12 characters.
        actor: who does it; None: the service is being set up, which is no entry in the trail.
        now: the present moment; None: by the clock.

    Raises:
        NotFound: nobody has that address.
        InvalidInput: the password cannot be used.
    """
    password_hash = passwords.hash_password(password)
    with database.transaction() as session:
        user = user_row(session, email)
        user.password_hash = password_hash
        session.execute(delete(WebSession).where(WebSession.user_id == user.id))
        if actor is not None:
            at = now or clock.now()
            audit.record_in(session, actor, action="password.set", on=f"account:{user.email}", now=at)


def verify_password(database: Database, *, email: str, password: str) -> UserView | None:
    """Return the person whose address and password these are, else None.

    An unknown address costs the same time as a wrong password, so that the answer does not tell who has an account.
    """
    try:
        address = str(Address.parse(email))
    except InvalidInput:
        address = ""
    with database.reading() as session:
        user = session.scalar(select(User).where(User.email == address))
        # Whoever has no password of their own logs in by a provider or a passkey only.
        password_hash = (user.password_hash if user else "") or _decoy_hash()
        view = user_view(user) if user else None
    return view if passwords.password_matches(password, password_hash) else None


@functools.cache
def _decoy_hash() -> str:
    return passwords.hash_password(passwords.draw_secret())


def user_in(session: Session, email: str) -> UserView:
    """Return one person within a transaction of a room above this one; raises NotFound."""
    return user_view(user_row(session, email))


def users_in(session: Session, ids: Sequence[int]) -> tuple[UserView, ...]:
    """Return these people, by address, within a transaction of a room above this one."""
    return tuple(user_view(user) for user in session.scalars(select(User).where(User.id.in_(ids)).order_by(User.email)))


def user_row(session: Session, email: str) -> User:
    """Return a person's row, within a transaction of this room; raises InvalidInput, NotFound."""
    address = str(Address.parse(email))
    user = session.scalar(select(User).where(User.email == address))
    if user is None:
        raise NotFound(f"there is no person with the address {address}")
    return user
