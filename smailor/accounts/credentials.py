"""Use cases around a person's password: forgotten, set anew, changed. Each tells its owner by letter and ends sessions.

A second factor stays in force through all of them. What a password must not be is `password_rules`.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from smailor.accounts import audit, letters, notices, one_time, password_rules, passwords, pending, sessions
from smailor.accounts.audit import Actor
from smailor.accounts.desk import Asked, Desk
from smailor.accounts.models import User
from smailor.accounts.one_time import Purpose
from smailor.accounts.sessions import SessionView
from smailor.accounts.user_view import UserView, user_view
from smailor.address import Address
from smailor.database.engine import Database


def has_password(database: Database, *, user_id: int) -> bool:
    """Tell whether a person has a password at all; without one somebody else says who they are."""
    with database.reading() as session:
        return bool(session.scalar(select(User.password_hash).where(User.id == user_id)))


def ask_reset(database: Database, desk: Desk, *, email: str, letter: bool, asked: Asked) -> None:
    """Write a link to whoever has forgotten their password.

    The caller learns nothing of whether there is such a person: a letter is written and sealed either way, and thrown
    away where nobody is to get it.

    Args:
        database: where people are.
        desk: letters.
        email: the address, as typed.
        letter: whether a letter is sent; not to an address that has had too many.
        asked: language, source and moment.

    Raises:
        InvalidInput: it is no address.
    """
    address, now = str(Address.parse(email)), asked.now
    with database.transaction() as session:
        user = session.scalar(select(User).where(User.email == address))
        known = user is not None and user.email_verified_at is not None
        audit.record_in(
            session, Actor(address, asked.source), action="password.forget", on=f"account:{address}", now=now
        )
        if user is not None and known and letter:
            token = one_time.draw_in(session, purpose=Purpose.RESET_PASSWORD, user_id=user.id, now=now)
        else:
            token = passwords.draw_secret()
        language = (user.language if user is not None else "") or asked.language
        message = letters.reset(desk.head, recipient=address, token=token, language=language, now=now)
        if known and letter:
            expires_at = now + one_time.LIFETIMES[Purpose.RESET_PASSWORD]
            notices.post_in(session, desk.sealer, recipient=address, message=message, now=now, expires_at=expires_at)
        else:
            desk.sealer.seal(message.decode("ascii"))


def reset_owner(database: Database, *, token: str, asked: Asked) -> UserView:
    """Return whose password a link sets anew, without using it; raises NotFound as `one_time.look`."""
    return one_time.look(database, purpose=Purpose.RESET_PASSWORD, token=token, now=asked.now).user


def reset(
    database: Database, desk: Desk, *, token: str, password: str, asked: Asked
) -> tuple[UserView, tuple[SessionView, ...]]:
    """Set a password anew by a link; all of the person's sessions end.

    Args:
        database: where people are.
        desk: letters and breached passwords.
        token: of the link.
        password: the new one.
        asked: language, source and moment.

    Returns:
        Whose it is, and the sessions that ended, so that their mail connections can be closed.

    Raises:
        NotFound: the link was used, has run out, or never was.
        InvalidInput: the password cannot be used; the link still can.
    """
    owner = reset_owner(database, token=token, asked=asked)
    password_hash = _hash(desk, owner, password)
    with database.transaction() as session:
        user, _ = one_time.use_in(session, purpose=Purpose.RESET_PASSWORD, token=token, now=asked.now)
        ended = _set_in(session, desk, user, password_hash, "password.reset", keep=None, asked=asked)
        return user_view(user), ended


def change(
    database: Database, desk: Desk, *, user_id: int, password: str, keep: int, asked: Asked
) -> tuple[SessionView, ...]:
    """Change the password of somebody who is logged in and has just shown who they are; their other sessions end.

    Args:
        database: where people are.
        desk: letters and breached passwords.
        user_id: whose.
        password: the new one.
        keep: the session that goes on.
        asked: language, source and moment.

    Returns:
        The sessions that ended.

    Raises:
        InvalidInput: the password cannot be used.
    """
    with database.reading() as session:
        owner = user_view(session.get_one(User, user_id))
    password_hash = _hash(desk, owner, password)
    with database.transaction() as session:
        user = session.get_one(User, user_id)
        return _set_in(session, desk, user, password_hash, "password.change", keep=keep, asked=asked)


def _hash(desk: Desk, owner: UserView, password: str) -> str:
    about = (owner.email, owner.name, desk.head.service)
    password_rules.check(password, about=about, breached=desk.breached)
    return passwords.hash_password(password)


def _set_in(
    session: Session, desk: Desk, user: User, password_hash: str, action: str, *, keep: int | None, asked: Asked
) -> tuple[SessionView, ...]:
    now = asked.now
    user.password_hash = password_hash
    one_time.end_in(session, purpose=Purpose.RESET_PASSWORD, user_id=user.id, now=now)
    ended = sessions.end_others_in(session, user_id=user.id, keep=keep)
    pending.end_in(session, user_id=user.id)
    audit.record_in(
        session,
        Actor(user.email, asked.source),
        action=action,
        on=f"account:{user.email}",
        details={"sessions_ended": len(ended)},
        now=now,
    )
    message = letters.password_changed(
        desk.head, recipient=user.email, source=asked.source, language=user.language or asked.language, now=now
    )
    notices.post_in(
        session, desk.sealer, recipient=user.email, message=message, now=now, expires_at=now + notices.LASTS
    )
    return ended
