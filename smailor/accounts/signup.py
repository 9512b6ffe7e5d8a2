"""Use cases around signing up: asking for an account, and opening it by the link that was sent to its address.

Nobody learns from `sign_up` whether an address has an account: it does the same work, returns the same nothing and
writes one letter to the address either way. What was asked for is kept with the link and done when it is used, so that
of two who sign up with one address each opens what they asked for themselves, and nobody an account with somebody
else's password: the link works in the browser that signed up, elsewhere with the password only.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, exists, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from smailor.accounts import audit, letters, notices, one_time, password_rules, passwords, workspaces
from smailor.accounts.audit import Actor
from smailor.accounts.desk import Asked, Desk
from smailor.accounts.models import ExternalIdentity, Member, User
from smailor.accounts.names import clean_name
from smailor.accounts.one_time import Purpose
from smailor.accounts.user_view import UserView, user_view
from smailor.address import Address
from smailor.database.engine import Database
from smailor.errors import InvalidInput

UNVERIFIED_KEEP = timedelta(days=7)
"""After this an address that nobody has verified is forgotten."""


@dataclass(frozen=True, slots=True)
class SignUp:
    """What somebody asks for.

    Attributes:
        email: their address.
        name: what to call them.
        password: what they chose.
        workspace: what their company is called; empty: they come to somebody else's.
        mark: random text that their browser keeps.
    """

    email: str
    name: str
    password: str
    workspace: str
    mark: str


def sign_up(database: Database, desk: Desk, *, wanted: SignUp, letter: bool, asked: Asked) -> None:
    """Ask for an account.

    Args:
        database: where to.
        desk: letters and breached passwords.
        wanted: what is asked for.
        letter: whether a letter is sent; not to an address that has had too many.
        asked: language, source and moment.

    Raises:
        InvalidInput: address, name, password or workspace cannot be used. This depends on what was typed only.
    """
    address = str(Address.parse(wanted.email))
    name = clean_name("name", wanted.name)
    workspace = clean_name("workspace", wanted.workspace) if wanted.workspace.strip() else ""
    about = (address, name, desk.head.service)
    password_rules.check(wanted.password, about=about, breached=desk.breached)
    password_hash = passwords.hash_password(wanted.password)
    values = {"name": name, "password_hash": password_hash, "workspace": workspace, "language": asked.language}
    with database.transaction() as session:
        user = _user_in(session, address, asked.now)
        if user.email_verified_at is None:
            # Until the link is used, the last one who signed up is the one who is told to look at their mail.
            user.password_hash, user.name, user.language = password_hash, name, asked.language
        _write_in(session, desk, user, {**values, "mark": wanted.mark}, letter=letter, asked=asked)


def _user_in(session: Session, address: str, now: datetime) -> User:
    """The person with this address; a new one, who opens nothing yet, if there is none."""
    user = session.scalar(select(User).where(User.email == address))
    if user is None:
        try:
            with session.begin_nested():
                user = User(email=address, operator=False, name="", password_hash="", created_at=now)
                session.add(user)
        except IntegrityError:  # somebody signed up with it this moment
            user = session.scalars(select(User).where(User.email == address)).one()
    return user


def _write_in(
    session: Session, desk: Desk, user: User, values: Mapping[str, Any], *, letter: bool, asked: Asked
) -> None:
    """The letter to the address: it alone differs by whether there is an account."""
    address, now = user.email, asked.now
    audit.record_in(session, Actor(address, asked.source), action="account.sign-up", on=f"account:{address}", now=now)
    if not letter:
        return
    if user.email_verified_at is not None:
        language = user.language or asked.language
        message = letters.already_registered(desk.head, recipient=address, language=language, now=now)
    else:
        token = one_time.draw_in(session, purpose=Purpose.SIGN_UP, user_id=user.id, values=values, now=now)
        message = letters.verify(desk.head, recipient=address, token=token, language=asked.language, now=now)
    expires_at = now + one_time.LIFETIMES[Purpose.SIGN_UP]
    notices.post_in(session, desk.sealer, recipient=address, message=message, now=now, expires_at=expires_at)


def send_again(database: Database, desk: Desk, *, user_id: int, mark: str, asked: Asked) -> None:
    """Write the letter with the link once more, to somebody who has just shown the password of an unverified account.

    Args:
        database: where to.
        desk: letters.
        user_id: who.
        mark: random text that their browser keeps.
        asked: language, source and moment.
    """
    with database.transaction() as session:
        user = session.get_one(User, user_id)
        if user.email_verified_at is not None:
            return
        values = {
            "name": user.name,
            "password_hash": user.password_hash,
            "workspace": _last_workspace(session, user.id),
            "mark": mark,
            "language": user.language,
        }
        _write_in(session, desk, user, values, letter=True, asked=asked)


def needs_password(database: Database, *, token: str, mark: str, now: datetime) -> bool:
    """Tell whether a link was asked for in another browser, so that its page asks for the password.

    Raises:
        NotFound: it was used, has run out, or never was.
    """
    found = one_time.look(database, purpose=Purpose.SIGN_UP, token=token, now=now)
    return not _same_browser(str(found.values["mark"]), mark)


def verify(database: Database, *, token: str, mark: str, password: str, asked: Asked) -> UserView:
    """Open the account that was asked for.

    Args:
        database: where it is.
        token: of the link.
        mark: what this browser keeps.
        password: what was typed; looked at where the mark is another.
        asked: language, source and moment.

    Raises:
        NotFound: the link was used, has run out, or never was.
        InvalidInput: the password is not the one that was chosen at sign-up.
    """
    now = asked.now
    found = one_time.look(database, purpose=Purpose.SIGN_UP, token=token, now=now)
    same = _same_browser(str(found.values["mark"]), mark)
    if not same and not passwords.password_matches(password, str(found.values["password_hash"])):
        raise InvalidInput("password", "is not the one that you chose when you signed up")
    with database.transaction() as session:
        user, values = one_time.use_in(session, purpose=Purpose.SIGN_UP, token=token, now=now)
        user.name, user.password_hash, user.language = values["name"], values["password_hash"], values["language"]
        user.email_verified_at = user.email_verified_at or now
        actor = Actor(user.email, asked.source)
        audit.record_in(session, actor, action="account.verify", on=f"account:{user.email}", now=now)
        if values["workspace"]:
            workspaces.open_in(session, name=values["workspace"], owner=user.id, actor=actor, now=now)
        return user_view(user)


def prune(database: Database, *, now: datetime) -> int:
    """Forget addresses that nobody has verified; return how many."""
    linked = exists().where(ExternalIdentity.user_id == User.id)
    member = exists().where(Member.user_id == User.id)
    old = User.created_at <= now - UNVERIFIED_KEEP
    with database.transaction() as session:
        gone = delete(User).where(User.email_verified_at.is_(None), old, ~linked, ~member).returning(User.id)
        return len(session.scalars(gone).all())


def _last_workspace(session: Session, user_id: int) -> str:
    return str(one_time.last_values_in(session, purpose=Purpose.SIGN_UP, user_id=user_id).get("workspace", ""))


def _same_browser(kept: str, shown: str) -> bool:
    return bool(kept) and hmac.compare_digest(kept.encode(), shown.encode("utf-8", "surrogatepass"))
