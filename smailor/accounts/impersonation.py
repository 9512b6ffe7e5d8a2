"""Use cases around impersonation: an operator's session that acts as another person for a while. Owns its transactions.

It is bound to one session of the operator, gives a reason, ends by itself after half an hour at most, and never reaches
whoever runs the service. Beginning and end are in the audit trail of every workspace that the person belongs to.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from smailor.accounts import audit
from smailor.accounts.access_models import Impersonation
from smailor.accounts.audit import Actor, clean_reason
from smailor.accounts.models import Member, User, Workspace
from smailor.accounts.user_view import UserView, user_view
from smailor.database.engine import Database
from smailor.errors import InvalidInput, NotFound

LONGEST = timedelta(minutes=30)
MIN_REASON = 10
MAX_WORKSPACES = 100
"""A person's workspaces whose trails get an entry; nobody is in more."""


@dataclass(frozen=True, slots=True)
class ActingAs:
    """An impersonation that holds.

    Attributes:
        user: as whom.
        operator: who, by address.
        reason: why.
        ends_at: when it ends by itself.
    """

    id: int
    user: UserView
    operator: str
    reason: str
    ends_at: datetime

    @property
    def actor_name(self) -> str:
        """Both names, for the audit trail."""
        return f"{self.operator} as {self.user.email}"


def clean_access_reason(reason: str) -> str:
    """Return a reason for looking at a tenant's data; raises InvalidInput where it is none."""
    reason = clean_reason(reason)
    if len(reason) < MIN_REASON:
        raise InvalidInput("reason", f"at least {MIN_REASON} characters: the tenant reads it")
    return reason


def start(
    database: Database,
    *,
    session_id: int,
    operator: UserView,
    user_id: int,
    reason: str,
    minutes: int,
    source: str,
    now: datetime,
) -> ActingAs:
    """Let an operator's session act as another person.

    Args:
        database: where to.
        session_id: the operator's session.
        operator: who.
        user_id: as whom.
        reason: why; at least ten characters. The person's workspaces read it.
        minutes: for how long; 1 to 30.
        source: from where.
        now: the present moment.

    Raises:
        NotFound: there is no such person.
        InvalidInput: reason or time cannot be used, or the person runs the service, too.
    """
    reason = clean_access_reason(reason)
    if not 1 <= minutes <= LONGEST // timedelta(minutes=1):
        raise InvalidInput("minutes", f"is 1 to {LONGEST // timedelta(minutes=1)}")
    with database.transaction() as session:
        user = session.get(User, user_id)
        if user is None:
            raise NotFound("there is no such person")
        if user.operator or not operator.operator:
            raise InvalidInput("reason", "nobody acts as somebody who runs the service")
        _end(session, session_id, now)
        row = Impersonation(
            session_id=session_id,
            user_id=user.id,
            operator=operator.email,
            reason=reason,
            started_at=now,
            ends_at=now + timedelta(minutes=minutes),
        )
        session.add(row)
        session.flush()
        actor = Actor(operator.email, source)
        record_for_person_in(
            session,
            actor,
            action="impersonation.start",
            user=user,
            reason=reason,
            details={"minutes": minutes},
            now=now,
        )
        return _view(row, user)


def find(database: Database, *, session_id: int, now: datetime) -> ActingAs | None:
    """Return as whom a session acts now; None: as itself."""
    query = (
        select(Impersonation, User)
        .join(User, User.id == Impersonation.user_id)
        .where(Impersonation.session_id == session_id, Impersonation.ended_at.is_(None), Impersonation.ends_at > now)
        .order_by(Impersonation.id.desc())
        .limit(1)
    )
    with database.reading() as session:
        found = session.execute(query).first()
        # Whoever was made an operator meanwhile is out of reach.
        return _view(*found) if found and not found[1].operator else None


def end(database: Database, *, session_id: int, source: str, now: datetime) -> None:
    """End what a session does in another's name; doing so twice changes nothing."""
    with database.transaction() as session:
        for row, user in _end(session, session_id, now):
            actor = Actor(row.operator, source)
            record_for_person_in(session, actor, action="impersonation.end", user=user, reason=row.reason, now=now)


def record_for_person_in(
    session: Session,
    actor: Actor,
    *,
    action: str,
    user: User,
    reason: str,
    details: dict[str, int] | None = None,
    now: datetime,
) -> None:
    """Write down what an operator does with a person, once for each of the person's workspaces, so that they see it."""
    query = (
        select(Workspace.slug)
        .join(Member, Member.workspace_id == Workspace.id)
        .where(Member.user_id == user.id)
        .order_by(Workspace.slug)
        .limit(MAX_WORKSPACES)
    )
    for workspace in session.scalars(query).all() or [""]:
        audit.record_in(
            session,
            actor,
            action=action,
            on=f"account:{user.email}",
            workspace=workspace,
            reason=reason,
            details=details,
            now=now,
        )


def _end(session: Session, session_id: int, now: datetime) -> list[tuple[Impersonation, User]]:
    query = (
        select(Impersonation, User)
        .join(User, User.id == Impersonation.user_id)
        .where(Impersonation.session_id == session_id, Impersonation.ended_at.is_(None))
    )
    rows = [(row, user) for row, user in session.execute(query)]
    ids = [row.id for row, _ in rows]
    session.execute(update(Impersonation).where(Impersonation.id.in_(ids)).values(ended_at=now))
    return rows


def _view(row: Impersonation, user: User) -> ActingAs:
    return ActingAs(id=row.id, user=user_view(user), operator=row.operator, reason=row.reason, ends_at=row.ends_at)
