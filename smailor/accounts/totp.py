"""Authenticator apps (RFC 6238): six digits every thirty seconds, of which none is taken twice.

A code of the step before or after counts too, for clocks that are a little off. Wrong codes are counted for the account
wherever they come from, because six digits can be guessed by many at once. Only who knows the first factor gets here,
and recovery codes and passkeys stay open meanwhile: this locks a thief out, not the owner.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hmac import compare_digest

import pyotp
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from smailor.accounts.models import TotpDevice
from smailor.database.engine import Database
from smailor.sealing import Sealer

STEP_SECONDS = 30
DIGITS = 6
DRIFT_STEPS = 1
MAX_FAILURES = 20
WINDOW = timedelta(minutes=15)
"""After so many wrong codes within this time no code counts until it is over."""


class Answer(StrEnum):
    """What became of a code."""

    RIGHT = "right"
    WRONG = "wrong"
    USED = "used"
    """Right, but it has been used already."""
    LAST = "last"
    """Wrong, and from now on none counts for a while: the owner should know."""
    CLOSED = "closed"
    """Too many wrong ones came before: a right one would not count either."""
    NONE = "none"
    """There is no app."""


@dataclass(frozen=True, slots=True)
class TotpView:
    """An app as its owner sees it."""

    created_at: datetime


def draw_secret() -> str:
    """Return a new secret of 160 random bits in base 32, as apps want it."""
    return pyotp.random_base32(32)


def address(secret: str, *, service: str, person: str) -> str:
    """Return the `otpauth://` address that an app reads from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=person, issuer_name=service.replace(":", " "))


def matching_step(secret: str, code: str, now: datetime) -> int | None:
    """Return the time step that a code belongs to, None if to none near the present moment. Pure.

    Args:
        secret: in base 32.
        code: as typed; white space does not count.
        now: the present moment.
    """
    digits = "".join(code.split())
    if len(digits) != DIGITS or not (digits.isascii() and digits.isdigit()):
        return None
    app = pyotp.TOTP(secret)
    present = int(now.timestamp()) // STEP_SECONDS
    found = None
    for step in range(present - DRIFT_STEPS, present + DRIFT_STEPS + 1):
        if compare_digest(app.generate_otp(step), digits):
            found = step
    return found


def enrol_in(session: Session, sealer: Sealer, *, user_id: int, secret: str, step: int, now: datetime) -> None:
    """Give a person an app, in place of the one that there was.

    Args:
        session: the transaction.
        sealer: seals the secret.
        user_id: whose.
        secret: what the app has read.
        step: of the code that showed it; this code is used up.
        now: the present moment.
    """
    session.execute(delete(TotpDevice).where(TotpDevice.user_id == user_id))
    session.add(
        TotpDevice(
            user_id=user_id,
            sealed_secret=sealer.seal(secret),
            last_step=step,
            failures=0,
            failures_since=None,
            created_at=now,
            confirmed_at=now,
        )
    )


def check(database: Database, sealer: Sealer, *, user_id: int, code: str, now: datetime) -> Answer:
    """Take a code, once.

    Args:
        database: where the app is.
        sealer: unseals its secret.
        user_id: whose.
        code: as typed.
        now: the present moment.
    """
    with database.transaction() as session:
        device = session.scalar(
            select(TotpDevice)
            .where(TotpDevice.user_id == user_id, TotpDevice.confirmed_at.is_not(None))
            .with_for_update()
        )
        if device is None:
            return Answer.NONE
        if device.failures_since is None or device.failures_since <= now - WINDOW:
            device.failures, device.failures_since = 0, None
        if device.failures >= MAX_FAILURES:
            return Answer.CLOSED
        step = matching_step(sealer.unseal(device.sealed_secret), code, now)
        if step is None:
            device.failures += 1
            device.failures_since = device.failures_since or now
            return Answer.WRONG if device.failures < MAX_FAILURES else Answer.LAST
        session.flush()
        # The condition is the promise, the row's lock above only spares PostgreSQL a retry.
        taken = (
            update(TotpDevice)
            .where(TotpDevice.user_id == user_id, TotpDevice.last_step < step)
            .values(last_step=step, failures=0, failures_since=None)
            .returning(TotpDevice.user_id)
        )
        return Answer.RIGHT if session.scalar(taken) is not None else Answer.USED


def view(database: Database, *, user_id: int) -> TotpView | None:
    """Return a person's app, None if there is none."""
    query = select(TotpDevice.created_at).where(TotpDevice.user_id == user_id, TotpDevice.confirmed_at.is_not(None))
    with database.reading() as session:
        created_at = session.scalar(query)
    return TotpView(created_at) if created_at else None


def remove_in(session: Session, *, user_id: int) -> bool:
    """Take the app away; tell whether there was one."""
    gone = delete(TotpDevice).where(TotpDevice.user_id == user_id).returning(TotpDevice.user_id)
    return session.scalar(gone) is not None
