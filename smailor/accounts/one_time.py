"""Links sent by mail that work once: drawn, looked at, used up. The database knows the digest of a token only.

A link is looked at as often as a mail scanner likes, and used by pressing the button on its page. It is used up by an
UPDATE that only one can win, in the transaction of what it is for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from smailor.accounts import passwords
from smailor.accounts.models import OneTimeToken, User
from smailor.accounts.user_view import UserView, user_view
from smailor.database.engine import Database
from smailor.errors import NotFound

MAX_TOKEN = 200
KEEP = timedelta(days=7)
"""After its end a link is kept this long, then forgotten."""


class Purpose(StrEnum):
    """What a link is for; one for one purpose opens nothing of another."""

    SIGN_UP = "sign-up"
    RESET_PASSWORD = "reset-password"  # noqa: S105 - a name, no password
    CHANGE_ADDRESS = "change-address"


LIFETIMES = {
    Purpose.SIGN_UP: timedelta(hours=24),
    Purpose.RESET_PASSWORD: timedelta(hours=1),
    Purpose.CHANGE_ADDRESS: timedelta(hours=24),
}


@dataclass(frozen=True, slots=True)
class OneTime:
    """A link that still works.

    Attributes:
        user: whose it is.
        values: what is done when it is used.
    """

    user: UserView
    values: Mapping[str, Any]


def draw_in(
    session: Session, *, purpose: Purpose, user_id: int, values: Mapping[str, Any] | None = None, now: datetime
) -> str:
    """Draw a link's token within a transaction.

    Args:
        session: the transaction.
        purpose: what it is for.
        user_id: whose it is.
        values: what is done when it is used, such that JSON can hold it.
        now: the present moment.
    """
    token = passwords.draw_secret()
    session.add(
        OneTimeToken(
            purpose=purpose,
            user_id=user_id,
            token_sha256=passwords.digest_secret(token),
            values=dict(values or {}),
            created_at=now,
            expires_at=now + LIFETIMES[purpose],
        )
    )
    return token


def look(database: Database, *, purpose: Purpose, token: str, now: datetime) -> OneTime:
    """Return what a link is for without using it.

    Raises:
        NotFound: it was used, has run out, or never was.
    """
    query = select(OneTimeToken, User).join(User, User.id == OneTimeToken.user_id).where(*_live(purpose, token, now))
    with database.reading() as session:
        found = session.execute(query).first()
        if found is None:
            raise NotFound("this link was used before or has run out")
        return OneTime(user_view(found[1]), dict(found[0].values))


def use_in(session: Session, *, purpose: Purpose, token: str, now: datetime) -> tuple[User, Mapping[str, Any]]:
    """Use a link up, and with it all others of its purpose and person, within the transaction of what it is for.

    Raises:
        NotFound: it was used, has run out, or never was.
    """
    using = update(OneTimeToken).where(*_live(purpose, token, now)).values(used_at=now).returning(OneTimeToken)
    row = session.scalar(using)
    if row is None:
        raise NotFound("this link was used before or has run out")
    end_in(session, purpose=purpose, user_id=row.user_id, now=now)
    return session.get_one(User, row.user_id), dict(row.values)


def end_in(session: Session, *, purpose: Purpose, user_id: int, now: datetime) -> None:
    """End all links of a purpose that a person has, because what they are for was done or is wanted no more."""
    others = update(OneTimeToken).where(
        OneTimeToken.user_id == user_id, OneTimeToken.purpose == purpose.value, OneTimeToken.used_at.is_(None)
    )
    session.execute(others.values(used_at=now))


def last_values_in(session: Session, *, purpose: Purpose, user_id: int) -> Mapping[str, Any]:
    """Return what a person's last link of a purpose was to do, used or not; empty: they have had none."""
    query = select(OneTimeToken.values).where(OneTimeToken.user_id == user_id, OneTimeToken.purpose == purpose.value)
    return session.scalar(query.order_by(OneTimeToken.id.desc()).limit(1)) or {}


def prune(database: Database, *, now: datetime) -> int:
    """Forget links that ended a week ago; return how many."""
    with database.transaction() as session:
        gone = delete(OneTimeToken).where(OneTimeToken.expires_at <= now - KEEP).returning(OneTimeToken.id)
        return len(session.scalars(gone).all())


def _live(purpose: Purpose, token: str, now: datetime) -> tuple[Any, ...]:
    return (
        OneTimeToken.token_sha256 == passwords.digest_secret(token[:MAX_TOKEN]),
        OneTimeToken.purpose == purpose.value,
        OneTimeToken.used_at.is_(None),
        OneTimeToken.expires_at > now,
    )
