"""Use cases around app passwords: the secrets with which mail clients, and the web for a minute, open one inbox.

The database keeps digests only. Whether somebody may make a password for an inbox is decided by the caller.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from smailor import clock
from smailor.accounts import audit, passwords
from smailor.accounts.audit import SERVICE, Actor
from smailor.accounts.models import AppPassword
from smailor.accounts.names import clean_name
from smailor.database.engine import Database
from smailor.errors import InvalidInput, NotFound

ANY_SERVICE = "*"
SERVICES = (ANY_SERVICE, "imap", "smtp", "sieve")
"""What an app password can be limited to, in Dovecot's words."""


@dataclass(frozen=True, slots=True)
class AppPasswordView:
    """An app password as its owner sees it: everything but the secret."""

    id: int
    login: str
    label: str
    service: str
    created_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewAppPassword:
    """A new app password with its secret, which is shown once and kept nowhere."""

    view: AppPasswordView
    secret: str


def create_app_password(
    database: Database,
    *,
    login: str,
    label: str,
    service: str = ANY_SERVICE,
    expires_at: datetime | None,
    workspace: str = "",
    actor: Actor = SERVICE,
    now: datetime,
) -> NewAppPassword:
    """Draw an app password for an inbox.

    Args:
        database: where to.
        login: the inbox's address in normal form.
        label: what the owner calls it, such as `phone`.
        service: one of `SERVICES`.
        expires_at: when it ends; None: when it is revoked.
        workspace: the inbox's, for the audit trail.
        actor: who.
        now: the present moment.

    Raises:
        InvalidInput: label, service or expiry cannot be used.
    """
    if service not in SERVICES:
        raise InvalidInput("service", f"one of {', '.join(SERVICES)}")
    if expires_at is not None and expires_at <= now:
        raise InvalidInput("expires", "lies in the past")
    label = clean_name("label", label)
    secret = passwords.draw_secret()
    with database.transaction() as session:
        row = _row(login, label, service, secret, now, expires_at, web=False)
        session.add(row)
        session.flush()
        details = {"label": label, "service": service, "number": row.id}
        _record(session, actor, "app-password.add", login, workspace, now, details)
        return NewAppPassword(_view(row), secret)


def list_app_passwords(database: Database, *, login: str) -> tuple[AppPasswordView, ...]:
    """Return an inbox's app passwords, oldest first, expired ones included."""
    query = select(AppPassword).where(AppPassword.login == login, AppPassword.web.is_(False)).order_by(AppPassword.id)
    with database.reading() as session:
        return tuple(_view(row) for row in session.scalars(query))


def revoke_app_password(
    database: Database,
    *,
    login: str,
    password_id: int,
    workspace: str = "",
    actor: Actor = SERVICE,
    now: datetime | None = None,
) -> None:
    """Revoke one app password: from the commit on, nobody logs in with it.

    Args:
        database: where to.
        login: the inbox's address.
        password_id: its number.
        workspace: the inbox's, for the audit trail.
        actor: who.
        now: the present moment; None: by the clock.

    Raises:
        NotFound: the inbox has no such app password.
    """
    with database.transaction() as session:
        gone = delete(AppPassword).where(
            AppPassword.login == login, AppPassword.id == password_id, AppPassword.web.is_(False)
        )
        label = session.scalar(gone.returning(AppPassword.label))
        if label is None:
            raise NotFound(f"{login} has no app password {password_id}")
        details = {"label": label, "number": password_id}
        _record(session, actor, "app-password.revoke", login, workspace, now or clock.now(), details)


def revoke_all_in(session: Session, login: str) -> None:
    """Revoke every secret of an inbox, within the transaction that deletes the inbox."""
    session.execute(delete(AppPassword).where(AppPassword.login == login))


def issue_web_token(
    database: Database, *, login: str, now: datetime, lifetime: timedelta, service: str = ANY_SERVICE
) -> str:
    """Draw a token with which the web opens one connection on behalf of a logged-in person.

    Args:
        database: where to.
        login: the inbox's address.
        now: the present moment.
        lifetime: how long the token can be used to log in.
        service: one of `SERVICES`.
    """
    secret = passwords.draw_secret()
    with database.transaction() as session:
        session.add(_row(login, "web", service, secret, now, now + lifetime, web=True))
    return secret


def prune_expired(database: Database, *, now: datetime) -> int:
    """Delete web tokens that have run out; return how many. App passwords stay to be seen as expired."""
    query = delete(AppPassword).where(AppPassword.web.is_(True), AppPassword.expires_at <= now)
    with database.transaction() as session:
        return len(session.scalars(query.returning(AppPassword.id)).all())


def _record(
    session: Session,
    actor: Actor,
    action: str,
    login: str,
    workspace: str,
    now: datetime,
    details: Mapping[str, Any],
) -> None:
    on = f"account:{login}"
    audit.record_in(session, actor, action=action, on=on, workspace=workspace, details=details, now=now)


def _row(
    login: str, label: str, service: str, secret: str, now: datetime, expires_at: datetime | None, *, web: bool
) -> AppPassword:
    return AppPassword(
        login=login,
        label=label,
        service=service,
        web=web,
        token_sha256=passwords.digest_secret(secret),
        created_at=now,
        expires_at=expires_at,
    )


def _view(row: AppPassword) -> AppPasswordView:
    return AppPasswordView(
        id=row.id,
        login=row.login,
        label=row.label,
        service=row.service,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )
