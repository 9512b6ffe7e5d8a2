"""Use cases around what a person says of themselves: name, language, and the address that they log in with.

A new address counts from the moment that its owner, logged in, opens the link that was sent there.
"""

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from smailor.accounts import audit, letters, notices, one_time
from smailor.accounts.audit import Actor
from smailor.accounts.desk import Asked, Desk
from smailor.accounts.languages import LANGUAGES
from smailor.accounts.models import User
from smailor.accounts.names import clean_name
from smailor.accounts.one_time import Purpose
from smailor.accounts.user_view import UserView, user_view
from smailor.address import Address
from smailor.database.engine import Database
from smailor.errors import Conflict, InvalidInput, NotFound


def change(database: Database, *, user_id: int, name: str, language: str, asked: Asked) -> UserView:
    """Change a person's name and language.

    Args:
        database: where people are.
        user_id: who.
        name: what to call them.
        language: one of LANGUAGES; empty: whatever the browser asks for.
        asked: source and moment.

    Raises:
        InvalidInput: name or language cannot be used.
    """
    name = clean_name("name", name)
    if language and language not in LANGUAGES:
        raise InvalidInput("language", "choose one of the list")
    with database.transaction() as session:
        user = session.get_one(User, user_id)
        before = {"name": user.name, "language": user.language}
        user.name, user.language = name, language
        audit.record_in(
            session,
            Actor(user.email, asked.source),
            action="account.change",
            on=f"account:{user.email}",
            details={"before": before, "name": name, "language": language},
            now=asked.now,
        )
        return user_view(user)


def ask_address(database: Database, desk: Desk, *, user_id: int, email: str, letter: bool, asked: Asked) -> None:
    """Write a link to the address that somebody wants to have from now on.

    The answer is the same whether somebody else has that address; they are told by the letter.

    Args:
        database: where people are.
        desk: letters.
        user_id: who wants it.
        email: the new address.
        letter: whether a letter is sent; not to an address that has had too many.
        asked: language, source and moment.

    Raises:
        InvalidInput: it is no address, or the one that they have.
    """
    address, now = str(Address.parse(email)), asked.now
    with database.transaction() as session:
        user = session.get_one(User, user_id)
        if user.email == address:
            raise InvalidInput("email", "is the address that you have")
        audit.record_in(
            session,
            Actor(user.email, asked.source),
            action="address.ask",
            on=f"account:{user.email}",
            details={"address": address},
            now=now,
        )
        if not letter:
            return
        language = user.language or asked.language
        if session.scalar(select(User.id).where(User.email == address, User.email_verified_at.is_not(None))):
            message = letters.already_registered(desk.head, recipient=address, language=language, now=now)
        else:
            one_time.end_in(session, purpose=Purpose.CHANGE_ADDRESS, user_id=user.id, now=now)
            token = one_time.draw_in(
                session, purpose=Purpose.CHANGE_ADDRESS, user_id=user.id, values={"email": address}, now=now
            )
            message = letters.confirm_address(desk.head, recipient=address, token=token, language=language, now=now)
        expires_at = now + one_time.LIFETIMES[Purpose.CHANGE_ADDRESS]
        notices.post_in(session, desk.sealer, recipient=address, message=message, now=now, expires_at=expires_at)


def wanted_address(database: Database, *, user_id: int, token: str, asked: Asked) -> str:
    """Return the address that a link of this person confirms; raises NotFound where it is no link of theirs."""
    found = one_time.look(database, purpose=Purpose.CHANGE_ADDRESS, token=token, now=asked.now)
    if found.user.id != user_id:
        raise NotFound("this link is somebody else's")
    return str(found.values["email"])


def confirm_address(database: Database, desk: Desk, *, user_id: int, token: str, asked: Asked) -> UserView:
    """Give a person, who is logged in, the new address that the link was sent to; tell the old one.

    Args:
        database: where people are.
        desk: letters.
        user_id: who is logged in.
        token: of the link.
        asked: language, source and moment.

    Raises:
        NotFound: the link was used, has run out, never was, or is somebody else's.
        Conflict: somebody else has verified the address meanwhile.
    """
    wanted_address(database, user_id=user_id, token=token, asked=asked)
    now = asked.now
    try:
        with database.transaction() as session:
            user, values = one_time.use_in(session, purpose=Purpose.CHANGE_ADDRESS, token=token, now=now)
            old, new = user.email, str(values["email"])
            squatter = session.scalar(select(User).where(User.email == new, User.email_verified_at.is_(None)))
            if squatter is not None:
                session.delete(squatter)  # asked for an account and never opened it; the address is shown to be ours
                session.flush()
            user.email = new
            session.flush()
            actor = Actor(old, asked.source)
            details = {"before": old, "address": new}
            audit.record_in(session, actor, action="address.change", on=f"account:{old}", details=details, now=now)
            message = letters.address_changed(
                desk.head, recipient=old, new=new, language=user.language or asked.language, now=now
            )
            notices.post_in(
                session, desk.sealer, recipient=old, message=message, now=now, expires_at=now + notices.LASTS
            )
            return user_view(user)
    except IntegrityError as error:
        raise Conflict("somebody else has this address by now") from error
