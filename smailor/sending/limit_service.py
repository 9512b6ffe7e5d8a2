"""Use cases around limits: what holds for an account, domain or workspace, what is used, and setting another one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, select
from sqlalchemy.orm import Session

from smailor.accounts import audit
from smailor.accounts.audit import Actor, clean_reason
from smailor.config import MAX_LIMIT
from smailor.database.engine import Database
from smailor.errors import InvalidInput, NotFound
from smailor.sending import plans, subjects
from smailor.sending.plans import UNIQUE, Limits, Plans
from smailor.sending.subject import Scope, Subject
from smailor.sending.terms_models import LimitOverride
from smailor.sending.usage import Used, different_recipients_in, used_in


@dataclass(frozen=True, slots=True)
class LimitView:
    """A limit as tenants and operators see it.

    Attributes:
        measure: such as `messages/hour`.
        maximum: how many.
        used: of them, at the moment; None: it is not counted over time.
        plan_maximum: what the plan gives.
        reason: why it is another one; empty: it is the plan's.
        set_by: who set it.
        expires_at: when it is the plan's again; None: not by itself.
    """

    scope: str
    subject: str
    measure: str
    maximum: int
    used: int | None
    plan_maximum: int
    reason: str = ""
    set_by: str = ""
    expires_at: datetime | None = None


def show_limits(database: Database, *, subject: Subject, plans: Plans, now: datetime) -> tuple[LimitView, ...]:
    """Return the limits that hold for an account, a domain or a workspace, and what is used of each.

    Args:
        database: where to look.
        subject: whose; those of its domain and workspace hold beside them.
        plans: of the configuration.
        now: the present moment.

    Raises:
        NotFound: there is no such account, verified domain or workspace.
    """
    key = str(subject)
    with database.reading() as session:
        home = subjects.home_in(session, subject)
        used = used_in(session, [key], now)
        if subject.scope is Scope.ACCOUNT:
            used[key][UNIQUE] = different_recipients_in(session, key, now)
        return limits_in(session, [subject], limits=plans.limits(home.plan), used=used, now=now)[subject]


def limits_in(
    session: Session, among: Sequence[Subject], *, limits: Limits, used: Used, now: datetime
) -> dict[Subject, tuple[LimitView, ...]]:
    """Return the limits that hold for accounts, domains and workspaces of one plan; one statement.

    Args:
        session: to read by.
        among: whose; that they are there is the caller's to know.
        limits: of the plan.
        used: what is used (`used_in`), by their keys.
        now: the present moment.
    """
    scopes, names = {subject.scope.value for subject in among}, [subject.name for subject in among]
    query = select(LimitOverride).where(LimitOverride.scope.in_(scopes), LimitOverride.subject.in_(names))
    overrides = {
        (row.scope, row.subject, row.measure): row
        for row in session.scalars(query)
        if row.expires_at is None or row.expires_at > now
    }
    return {
        subject: tuple(
            _view(
                subject,
                measure,
                maximum,
                overrides.get((subject.scope, subject.name, measure)),
                used[str(subject)].get(measure),
            )
            for measure, maximum in limits.of(subject.scope, {}).items()
        )
        for subject in among
    }


def set_limit(
    database: Database,
    *,
    subject: Subject,
    measure: str,
    maximum: int,
    reason: str,
    expires_at: datetime | None,
    actor: Actor,
    now: datetime,
) -> None:
    """Give an account, a domain or a workspace another limit than its plan does, from the next message on.

    Args:
        database: where to.
        subject: whom.
        measure: one of `plans.MEASURES` for it.
        maximum: how many; 0: none at all.
        reason: why; its tenant reads it.
        expires_at: when the plan's limit holds again; None: when it is cleared.
        actor: who sets it.
        now: the present moment.

    Raises:
        InvalidInput: a value cannot be used.
        NotFound: there is no such account, verified domain or workspace.
    """
    plans.check_measure(subject.scope, measure)
    reason = clean_reason(reason)
    if not 0 <= maximum <= MAX_LIMIT:
        raise InvalidInput("maximum", f"a number from 0 to {MAX_LIMIT}")
    if expires_at is not None and expires_at <= now:
        raise InvalidInput("expires", "lies in the past")
    with database.transaction() as session:
        workspace = subjects.workspace_in(session, subject)
        row = session.scalar(select(LimitOverride).where(_is(subject, measure)))
        if row is None:
            row = LimitOverride(scope=subject.scope, subject=subject.name, measure=measure)
            session.add(row)
        before = row.maximum
        row.maximum, row.reason, row.expires_at = maximum, reason, expires_at
        row.set_by, row.set_at = actor.name, now
        audit.record_in(
            session,
            actor,
            action="limit.set",
            on=str(subject),
            workspace=workspace,
            reason=reason,
            details={
                "measure": measure,
                "maximum": maximum,
                "before": before,
                "expires_at": expires_at.isoformat() if expires_at else None,
            },
            now=now,
        )


def clear_limit(
    database: Database, *, subject: Subject, measure: str | None, reason: str, actor: Actor, now: datetime
) -> int:
    """Let the plan's limit hold again, for one measure or for all of them.

    Returns:
        How many limits were cleared.

    Raises:
        NotFound: none was set.
    """
    reason = clean_reason(reason, needed=False)
    if measure is not None:
        plans.check_measure(subject.scope, measure)
    query = delete(LimitOverride).where(_is(subject, measure)).returning(LimitOverride.measure)
    with database.transaction() as session:
        gone = session.scalars(query).all()
        if not gone:
            raise NotFound(f"no limit was set for {subject.scope} {subject.name}")
        audit.record_in(
            session,
            actor,
            action="limit.clear",
            on=str(subject),
            workspace=subjects.workspace_in(session, subject),
            reason=reason,
            details={"measures": sorted(gone)},
            now=now,
        )
        return len(gone)


def prune_expired(database: Database, *, now: datetime) -> int:
    """Delete limits that have run out; return how many. They hold no more from the minute of their end on."""
    query = delete(LimitOverride).where(LimitOverride.expires_at <= now).returning(LimitOverride.id)
    with database.transaction() as session:
        return len(session.scalars(query).all())


def _is(subject: Subject, measure: str | None) -> ColumnElement[bool]:
    found = and_(LimitOverride.scope == subject.scope.value, LimitOverride.subject == subject.name)
    return found if measure is None else and_(found, LimitOverride.measure == measure)


def _view(
    subject: Subject, measure: str, plan_maximum: int, override: LimitOverride | None, used: int | None
) -> LimitView:
    return LimitView(
        scope=subject.scope,
        subject=subject.name,
        measure=measure,
        maximum=override.maximum if override else plan_maximum,
        used=used,
        plan_maximum=plan_maximum,
        reason=override.reason if override else "",
        set_by=override.set_by if override else "",
        expires_at=override.expires_at if override else None,
    )
