"""Codes on paper for the day when phone and passkey are gone: each opens the second door once.

Ten of 80 random bits; the database keeps their SHA-256. They are drawn, not chosen, so a fast digest is enough.
"""

import hashlib
import secrets
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from smailor.accounts.models import RecoveryCode
from smailor.database.engine import Database

COUNT = 10
LENGTH = 16
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
"""32 characters that cannot be confused when read from paper: five bits each."""


def draw_in(session: Session, *, user_id: int, now: datetime) -> tuple[str, ...]:
    """Draw ten new codes in place of all that there were, and return them: they are kept nowhere."""
    codes = tuple("".join(secrets.choice(_ALPHABET) for _ in range(LENGTH)) for _ in range(COUNT))
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    session.add_all(
        RecoveryCode(user_id=user_id, token_sha256=_digest(code), created_at=now, used_at=None) for code in codes
    )
    return tuple("-".join(code[start : start + 4] for start in range(0, LENGTH, 4)) for code in codes)


def draw_first_in(session: Session, *, user_id: int, now: datetime) -> tuple[str, ...]:
    """Draw codes for somebody who has none left, with their first second factor; else return nothing."""
    left = select(RecoveryCode.id).where(RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None)).limit(1)
    return () if session.scalar(left) is not None else draw_in(session, user_id=user_id, now=now)


def use(database: Database, *, user_id: int, code: str, now: datetime) -> bool:
    """Use a code up; of two who come with the same one, one gets in.

    Args:
        database: where they are.
        user_id: whose.
        code: as typed: capitals, white space and hyphens do not count.
        now: the present moment.
    """
    plain = "".join(character for character in code.lower() if character.isalnum())
    if len(plain) != LENGTH:
        return False
    used = (
        update(RecoveryCode)
        .where(
            RecoveryCode.user_id == user_id, RecoveryCode.token_sha256 == _digest(plain), RecoveryCode.used_at.is_(None)
        )
        .values(used_at=now)
        .returning(RecoveryCode.id)
    )
    with database.transaction() as session:
        return session.scalar(used) is not None


def remove_in(session: Session, *, user_id: int) -> None:
    """Take all of them away, with the last second factor."""
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))


def _digest(plain: str) -> str:
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()
