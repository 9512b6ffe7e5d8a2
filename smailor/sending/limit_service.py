"""Use cases around limits: what holds for an account, domain or workspace, what is used, and setting another one."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, select, text
from sqlalchemy.orm import Session

from smailor.accounts import audit
from smailor.accounts.audit import Actor, clean_reason
from smailor.config import MAX_LIMIT
from smailor.database.engine import Database
from smailor.errors import InvalidInput, NotFound
from smailor.sending import plans, subjects
from smailor.sending.plans import UNIQUE, Plans
from smailor.sending.subject import Scope, Subject
from smailor.sending.terms_models import LimitOverride
from smailor.sending.usage import different_recipients_in, used_by_many_in, used_in

_PLAN = text("SELECT plan FROM sending_workspaces WHERE workspace = :workspace")


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


@dataclass(frozen=True, slots=True)
class AccountUse:
    """What an account has used of the limits that people meet first."""

    account: str
    messages_hour: int
    messages_hour_maximum: int
    recipients_day: int
    recipients_day_maximum: int


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
    with database.snapshot() as session:
        workspace = subjects.workspace_in(session, subject)
        limits = plans.limits(session.scalar(_PLAN, {"workspace": workspace})).of(subject.scope, {})
        overrides = {
            row.measure: row for row in _overrides(session, subject) if row.expires_at is None or row.expires_at > now
        }
        used: dict[str, int] = used_in(session, str(subject), now)
        if subject.scope is Scope.ACCOUNT:
            used[UNIQUE] = different_recipients_in(session, str(subject), now)
    return tuple(
        _view(subject, measure, maximum, overrides.get(measure), used.get(measure))
        for measure, maximum in limits.items()
    )


def account_use(
    database: Database,
    *,
    workspace: str,
    plans: Plans,
    now: datetime,
    among: Collection[str] | None = None,
    limit: int = 50,
) -> tuple[AccountUse, ...]:
    """Return what the accounts of a workspace have used, those first that have sent the most today.

    Args:
        database: where to look.
        workspace: the workspace's slug.
        plans: of the configuration.
        now: the present moment.
        among: the domains to look at; None: all.
        limit: how many at most.

    Raises:
        NotFound: no such workspace.
    """
    with database.snapshot() as session:
        subjects.workspace_in(session, Subject(Scope.WORKSPACE, workspace))
        plan = plans.limits(session.scalar(_PLAN, {"workspace": workspace}))
        accounts = [
            account
            for domain in subjects.domains_in(session, workspace)
            if among is None or domain in among
            for account in subjects.inboxes_in(session, domain)
        ]
        used = used_by_many_in(session, [f"account:{account}" for account in accounts], now)
        busiest = sorted(accounts, key=lambda account: (-used[f"account:{account}"]["recipients/day"], account))[:limit]
        rows = session.scalars(select(LimitOverride).where(LimitOverride.subject.in_(busiest)))
        own: dict[str, dict[str, int]] = {}
        for row in rows:
            if row.expires_at is None or row.expires_at > now:
                own.setdefault(row.subject, {})[row.measure] = row.maximum
    found = []
    for account in busiest:
        maxima, count = plan.of(Scope.ACCOUNT, own.get(account, {})), used[f"account:{account}"]
        found.append(
            AccountUse(
                account,
                count["messages/hour"],
                maxima["messages/hour"],
                count["recipients/day"],
                maxima["recipients/day"],
            )
        )
    return tuple(found)


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


def _overrides(session: Session, subject: Subject) -> list[LimitOverride]:
    return list(session.scalars(select(LimitOverride).where(_is(subject, None))))


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
