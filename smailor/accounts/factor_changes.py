"""Changes to the ways into an account, each with its audit entry and its letter to the owner, in one transaction."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from smailor.accounts import audit, factor_letters, identities, notices, passkeys, recovery_codes, totp
from smailor.accounts.audit import Actor
from smailor.accounts.factor_letters import Change
from smailor.accounts.id_token import Identity
from smailor.accounts.letters import Letterhead
from smailor.accounts.models import ExternalIdentity, Passkey, TotpDevice, User
from smailor.database.engine import Database
from smailor.errors import Conflict, NotFound
from smailor.sealing import Sealer

LETTER_LIFETIME = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What every change needs.

    Attributes:
        database: where the account is.
        sealer: seals secrets and letters.
        head: who writes the letters.
        actor: who does it, and from where.
        now: the present moment.
    """

    database: Database
    sealer: Sealer
    head: Letterhead
    actor: Actor
    now: datetime


def add_totp(by: Circumstances, *, user_id: int, secret: str, step: int) -> tuple[str, ...]:
    """Give a person an authenticator app whose code has been seen; return recovery codes if they had none.

    Args:
        by: who does it, when, and with what.
        user_id: whose.
        secret: what the app has read.
        step: the code's time step, used up by this.
    """
    with by.database.transaction() as session:
        user = _user(session, user_id)
        totp.enrol_in(session, by.sealer, user_id=user_id, secret=secret, step=step, now=by.now)
        codes = recovery_codes.draw_first_in(session, user_id=user_id, now=by.now)
        _tell(session, by, user, Change.TOTP_ADDED)
        return codes


def remove_totp(by: Circumstances, *, user_id: int) -> None:
    """Take the authenticator app away; raises NotFound."""
    with by.database.transaction() as session:
        user = _user(session, user_id)
        if not totp.remove_in(session, user_id=user_id):
            raise NotFound("there is no authenticator app")
        _drop_codes_without_factor(session, user_id)
        _tell(session, by, user, Change.TOTP_REMOVED)


def draw_codes(by: Circumstances, *, user_id: int) -> tuple[str, ...]:
    """Draw new recovery codes in place of the old ones.

    Raises:
        NotFound: there is no second factor that they could stand in for.
    """
    with by.database.transaction() as session:
        user = _user(session, user_id)
        if not _has_factor(session, user_id):
            raise NotFound("there is no second factor yet")
        codes = recovery_codes.draw_in(session, user_id=user_id, now=by.now)
        _tell(session, by, user, Change.CODES_DRAWN)
        return codes


def add_passkey(by: Circumstances, new: passkeys.New, *, user_id: int, label: str) -> tuple[str, ...]:
    """Keep a new passkey; return recovery codes if the person had none. Errors as in `passkeys.add_in`."""
    with by.database.transaction() as session:
        user = _user(session, user_id)
        passkeys.add_in(session, new, user_id=user_id, label=label, now=by.now)
        codes = recovery_codes.draw_first_in(session, user_id=user_id, now=by.now)
        _tell(session, by, user, Change.PASSKEY_ADDED, what=label)
        return codes


def remove_passkey(by: Circumstances, *, user_id: int, passkey_id: int, providers: tuple[str, ...]) -> None:
    """Take a passkey away.

    Raises:
        NotFound: there is no such passkey.
        Conflict: it is the last way into the account.
    """
    with by.database.transaction() as session:
        user = _user(session, user_id)
        label = passkeys.remove_in(session, user_id=user_id, passkey_id=passkey_id)
        _keep_a_way_in(session, user, providers)
        _drop_codes_without_factor(session, user_id)
        _tell(session, by, user, Change.PASSKEY_REMOVED, what=label)


def link(by: Circumstances, identity: Identity, *, provider: str, user_id: int) -> None:
    """Link an identity to a person who is logged in and has agreed. Errors as in `identities.link_in`."""
    with by.database.transaction() as session:
        user = _user(session, user_id)
        email = identities.link_in(session, identity, provider=provider, user_id=user_id, now=by.now)
        _tell(session, by, user, Change.IDENTITY_LINKED, what=f"{provider}, {email}")


def unlink(by: Circumstances, *, user_id: int, identity_id: int, providers: tuple[str, ...]) -> None:
    """Take a link away.

    Args:
        by: who does it, when, and with what.
        user_id: whose.
        identity_id: which.
        providers: names of those that are configured: a link to another one is no way in.

    Raises:
        NotFound: there is no such link.
        Conflict: it is the last way into the account.
    """
    with by.database.transaction() as session:
        user = _user(session, user_id)
        provider, email = identities.unlink_in(session, user_id=user_id, identity_id=identity_id)
        _keep_a_way_in(session, user, providers)
        _tell(session, by, user, Change.IDENTITY_UNLINKED, what=f"{provider}, {email}")


def tell(by: Circumstances, change: Change, *, user_id: int, what: str = "") -> None:
    """Write down and tell the owner what has happened to a way in, where nothing else changes."""
    with by.database.transaction() as session:
        _tell(session, by, _user(session, user_id), change, what=what)


def _user(session: Session, user_id: int) -> User:
    """The person, locked: of two changes at once the second sees the first."""
    user = session.scalar(select(User).where(User.id == user_id).with_for_update())
    if user is None:
        raise NotFound("there is no such person")
    return user


def _has_factor(session: Session, user_id: int) -> bool:
    app = exists().where(TotpDevice.user_id == user_id, TotpDevice.confirmed_at.is_not(None))
    key = exists().where(Passkey.user_id == user_id)
    return bool(session.scalar(select(app | key)))


def _drop_codes_without_factor(session: Session, user_id: int) -> None:
    if not _has_factor(session, user_id):
        recovery_codes.remove_in(session, user_id=user_id)


def _keep_a_way_in(session: Session, user: User, providers: tuple[str, ...]) -> None:
    if user.password_hash:
        return
    key = exists().where(Passkey.user_id == user.id)
    linked = exists().where(ExternalIdentity.user_id == user.id, ExternalIdentity.provider.in_(providers))
    if not session.scalar(select(key | linked)):
        raise Conflict("this is the last way into your account: set a password or add another one first")


def _tell(session: Session, by: Circumstances, user: User, change: Change, *, what: str = "") -> None:
    audit.record_in(
        session,
        by.actor,
        action=change,
        on=f"account:{user.email}",
        now=by.now,
        details={"what": what} if what else None,
    )
    message = factor_letters.changed(
        by.head, change, recipient=user.email, what=what, language=user.language or "", now=by.now
    )
    notices.post_in(
        session,
        by.sealer,
        recipient=user.email,
        message=message,
        now=by.now,
        expires_at=by.now + LETTER_LIFETIME,
    )
