"""Whether a password alone opens an account, and what else has to come."""

from dataclasses import dataclass

from sqlalchemy import exists, func, select

from smailor.accounts.models import Passkey, RecoveryCode, TotpDevice
from smailor.database.engine import Database


@dataclass(frozen=True, slots=True)
class Factors:
    """What a person can show besides the first factor.

    Attributes:
        totp: whether there is an authenticator app.
        passkeys: how many there are.
        recovery_codes: how many are left.
    """

    totp: bool
    passkeys: int
    recovery_codes: int

    @property
    def needed(self) -> bool:
        """Whether a second factor has to come. Recovery codes alone are none: they stand in for one."""
        return self.totp or self.passkeys > 0


def needed(database: Database, user_id: int) -> bool:
    """Tell whether a log-in by password or provider needs a second factor: there is an app or a passkey."""
    return factors(database, user_id=user_id).needed


def factors(database: Database, *, user_id: int) -> Factors:
    """Return what a person can show, in one query."""
    totp = exists().where(TotpDevice.user_id == user_id, TotpDevice.confirmed_at.is_not(None))
    passkeys = select(func.count()).where(Passkey.user_id == user_id)
    codes = select(func.count()).where(RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None))
    query = select(
        totp.label("totp"), passkeys.scalar_subquery().label("passkeys"), codes.scalar_subquery().label("codes")
    )
    with database.reading() as session:
        row = session.execute(query).one()
    return Factors(totp=bool(row.totp), passkeys=row.passkeys, recovery_codes=row.codes)
