"""Use cases around suspending a person's log-in, whether their address is an inbox of ours or not.

It is a suspension like all others (`suspension_service`): of the account with that address, of logging in alone.
"""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select

from smailor.accounts import audit, members
from smailor.accounts.audit import Actor, clean_reason
from smailor.accounts.user_view import UserView
from smailor.database.engine import Database
from smailor.errors import InvalidInput, NotFound
from smailor.sending import suspension_service
from smailor.sending.subject import Scope, Subject
from smailor.sending.suspension import Suspension
from smailor.sending.terms_models import Suspension as Row


def suspend_login(database: Database, *, user: UserView, reason: str, actor: Actor, now: datetime) -> None:
    """Keep a person from logging in; their sessions open nothing from the commit on.

    Args:
        database: where to.
        user: whom.
        reason: why; they read it when they try.
        actor: who decides it.
        now: the present moment.

    Raises:
        InvalidInput: there is no reason, or they run the service.
    """
    reason = clean_reason(reason)
    if user.operator:
        raise InvalidInput("reason", "whoever runs the service is not kept out; take that right away first")
    workspaces = _workspaces(database, user)
    with database.transaction() as session:
        session.add(
            Row(
                scope=Scope.ACCOUNT,
                subject=user.email,
                stops_sending=False,
                stops_receiving=False,
                stops_login=True,
                reason=reason,
                set_by=actor.name,
                since=now,
                lifted_by="",
            )
        )
        for workspace in workspaces:
            audit.record_in(
                session,
                actor,
                action="suspension.add",
                on=f"account:{user.email}",
                workspace=workspace,
                reason=reason,
                details={"parts": ["login"]},
                now=now,
            )


def lift_login(database: Database, *, user: UserView, actor: Actor, now: datetime) -> None:
    """Let a person log in again: lifts every suspension of their own address that stops logging in.

    Raises:
        NotFound: there is none.
    """
    workspaces = _workspaces(database, user)
    with database.transaction() as session:
        query = select(Row).where(
            Row.scope == Scope.ACCOUNT.value,
            Row.subject == user.email,
            Row.stops_login.is_(True),
            Row.lifted_at.is_(None),
        )
        rows = session.scalars(query).all()
        if not rows:
            raise NotFound(f"{user.email} is not kept from logging in")
        for row in rows:
            row.lifted_at, row.lifted_by = now, actor.name
        for workspace in workspaces:
            audit.record_in(
                session,
                actor,
                action="suspension.lift",
                on=f"account:{user.email}",
                workspace=workspace,
                details={"lifted": len(rows)},
                now=now,
            )


def suspensions_among(database: Database, *, subjects: Collection[Subject]) -> dict[Subject, Suspension]:
    """Return the suspensions in force of these subjects themselves, the newest of each."""
    query = select(Row).where(Row.lifted_at.is_(None), Row.subject.in_([subject.name for subject in subjects]))
    with database.reading() as session:
        views = [suspension_service.view(row) for row in session.scalars(query.order_by(Row.since, Row.id))]
    wanted = set(subjects)
    return {view.subject: view for view in views if view.subject in wanted}


def _workspaces(database: Database, user: UserView) -> list[str]:
    found = [entry.workspace.slug for entry in members.memberships(database, user_id=user.id)]
    return found or [""]
