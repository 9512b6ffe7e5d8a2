"""Use cases around pauses: an account that looks unlike itself waits until its owner says that it was meant."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from smailor.accounts import audit
from smailor.accounts.audit import Actor
from smailor.database.engine import Database
from smailor.errors import NotFound
from smailor.sending import subjects
from smailor.sending.anomalies import Anomaly
from smailor.sending.subject import Scope, Subject
from smailor.sending.terms_models import AccountPause

WATCH = Actor("Smailor", "watch over sending")


@dataclass(frozen=True, slots=True)
class PauseView:
    """A pause that waits to be confirmed.

    Attributes:
        kind: which sign (`anomalies.Kind`).
        reason: what was seen, in words.
    """

    account: str
    kind: str
    reason: str
    since: datetime


def pause(database: Database, *, account: str, anomaly: Anomaly, now: datetime) -> bool:
    """Pause an account.

    Args:
        database: where to.
        account: the inbox.
        anomaly: what was seen.
        now: the present moment.

    Returns:
        Whether it is paused now; False: it was already.

    Raises:
        NotFound: there is no such inbox.
    """
    subject = Subject(Scope.ACCOUNT, account)
    with database.transaction() as session:
        workspace = subjects.workspace_in(session, subject)
        if _open(session, account) is not None:
            return False
        session.add(AccountPause(account=account, kind=anomaly.kind, reason=anomaly.words, since=now, confirmed_by=""))
        audit.record_in(
            session,
            WATCH,
            action="account.pause",
            on=str(subject),
            workspace=workspace,
            reason=anomaly.words,
            details={"kind": anomaly.kind},
            now=now,
        )
    return True


def confirm(database: Database, *, account: str, actor: Actor, now: datetime) -> None:
    """Let a paused account go on, because somebody who may say so says that it was meant.

    Raises:
        NotFound: the account is not paused.
    """
    subject = Subject(Scope.ACCOUNT, account)
    with database.transaction() as session:
        row = _open(session, account)
        if row is None:
            raise NotFound(f"{account} is not paused")
        row.confirmed_at, row.confirmed_by = now, actor.name
        audit.record_in(
            session,
            actor,
            action="account.confirm",
            on=str(subject),
            workspace=subjects.workspace_in(session, subject),
            details={"kind": row.kind},
            now=now,
        )


def pause_of(database: Database, *, account: str) -> PauseView | None:
    """Return why an account is paused; None: it is not."""
    with database.reading() as session:
        row = _open(session, account)
        return _view(row) if row is not None else None


def list_pauses(database: Database) -> tuple[PauseView, ...]:
    """Return the accounts that are paused, oldest first."""
    with database.reading() as session:
        rows = session.scalars(
            select(AccountPause).where(AccountPause.confirmed_at.is_(None)).order_by(AccountPause.since)
        )
        return tuple(_view(row) for row in rows)


def _open(session: Session, account: str) -> AccountPause | None:
    return session.scalar(
        select(AccountPause).where(AccountPause.account == account, AccountPause.confirmed_at.is_(None)).limit(1)
    )


def _view(row: AccountPause) -> PauseView:
    return PauseView(account=row.account, kind=row.kind, reason=row.reason, since=row.since)
