"""Log-ins that are half-way: sent to a provider, waiting for the second factor, holding a passkey's challenge.

Each works once, for a few minutes, in the one browser that holds its token; the database keeps the token's digest. It
is taken by a DELETE that gives the row back, so that of two who come with the same token one gets it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from smailor.accounts import passwords
from smailor.accounts.models import PendingLogin
from smailor.database.engine import Database

LIFETIME = timedelta(minutes=10)
MAX_ATTEMPTS = 5
"""Wrong answers after which a log-in begins anew."""
_MAX_TOKEN = 200


@dataclass(frozen=True, slots=True)
class Pending:
    """A log-in that is half-way.

    Attributes:
        purpose: which way it goes, such as `second-factor`; the token of one purpose opens none of another.
        user_id: whose it is; None: nobody's yet.
        values: what was kept for its second half.
        expires_at: until when it can be finished.
    """

    purpose: str
    user_id: int | None
    values: Mapping[str, Any]
    expires_at: datetime


def begin(
    database: Database,
    *,
    purpose: str,
    user_id: int | None = None,
    values: Mapping[str, Any] | None = None,
    now: datetime,
    lifetime: timedelta = LIFETIME,
) -> str:
    """Begin one, forget those that have run out, and return its token for the browser.

    Args:
        database: where to.
        purpose: which way it goes, at most 40 characters.
        user_id: whose it is, if that is known.
        values: what its second half needs, such that JSON can hold it.
        now: the present moment.
        lifetime: how long it can be finished.
    """
    token = passwords.draw_secret()
    with database.transaction() as session:
        session.execute(delete(PendingLogin).where(PendingLogin.expires_at <= now))
        session.add(
            PendingLogin(
                purpose=purpose,
                user_id=user_id,
                token_sha256=passwords.digest_secret(token),
                values=dict(values or {}),
                attempts=0,
                created_at=now,
                expires_at=now + lifetime,
            )
        )
    return token


def look(database: Database, *, purpose: str, token: str, now: datetime) -> Pending | None:
    """Return the live one of this token without using it up, else None; arguments as in `take`."""
    if not 0 < len(token) <= _MAX_TOKEN:
        return None
    with database.reading() as session:
        row = session.scalar(select(PendingLogin).where(*_live(purpose, token, now)))
        return _view(row) if row else None


def take(database: Database, *, purpose: str, token: str, now: datetime) -> Pending | None:
    """Use it up: return the live one of this token, to the first who asks; else None.

    Args:
        database: where it is.
        purpose: which way it was begun.
        token: what the browser holds.
        now: the present moment.
    """
    with database.transaction() as session:
        return take_in(session, purpose=purpose, token=token, now=now)


def take_in(session: Session, *, purpose: str, token: str, now: datetime) -> Pending | None:
    """The same as `take` within a transaction: where that fails, it is not used up."""
    if not 0 < len(token) <= _MAX_TOKEN:
        return None
    row = session.scalar(delete(PendingLogin).where(*_live(purpose, token, now)).returning(PendingLogin))
    return _view(row) if row else None


def end_in(session: Session, *, user_id: int) -> None:
    """End all of a person's within a transaction: with a new password, what the old one began is over."""
    session.execute(delete(PendingLogin).where(PendingLogin.user_id == user_id))


def spend_attempt(database: Database, *, purpose: str, token: str, now: datetime) -> Pending | None:
    """Count an attempt before it is looked at, so that many at once are no way around the limit.

    Returns:
        The log-in; None: there is none, or it has been tried `MAX_ATTEMPTS` times.
    """
    if not 0 < len(token) <= _MAX_TOKEN:
        return None
    spent = (
        update(PendingLogin)
        .where(*_live(purpose, token, now), PendingLogin.attempts < MAX_ATTEMPTS)
        .values(attempts=PendingLogin.attempts + 1)
        .returning(PendingLogin)
    )
    with database.transaction() as session:
        row = session.scalar(spent)
        return _view(row) if row else None


def _live(purpose: str, token: str, now: datetime) -> tuple[Any, ...]:
    return (
        PendingLogin.token_sha256 == passwords.digest_secret(token),
        PendingLogin.purpose == purpose,
        PendingLogin.expires_at > now,
    )


def _view(row: PendingLogin) -> Pending:
    return Pending(purpose=row.purpose, user_id=row.user_id, values=dict(row.values), expires_at=row.expires_at)
