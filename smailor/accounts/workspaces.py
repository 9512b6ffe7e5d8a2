"""Use cases around workspaces: made, named, put on a plan, found. Each function owns its transaction.

Who belongs to one is the business of `members.py`, how one goes that of `deletion.py`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from smailor import clock
from smailor.accounts import audit
from smailor.accounts.audit import SERVICE, Actor, clean_reason
from smailor.accounts.models import AuditEntry, Member, Workspace
from smailor.accounts.names import clean_name
from smailor.accounts.permissions import Role
from smailor.database.engine import Database
from smailor.errors import Conflict, InvalidInput, NotFound

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?\Z")
MAX_OWNED = 50
STANDARD_PLAN = "standard"
"""The plan of a workspace that was given no other."""
_PLAN = re.compile(r"[a-z0-9][a-z0-9-]{0,49}\Z")


@dataclass(frozen=True, slots=True)
class WorkspaceView:
    """A workspace, as other rooms and faces see it.

    Attributes:
        sender_privacy: whether what its people send hides from which network and computer it came.
        delete_after: when it goes, because an owner asked for it; None: it stays.
    """

    id: int
    slug: str
    name: str
    plan: str
    sender_privacy: bool
    created_at: datetime
    delete_after: datetime | None = None


def create_workspace(
    database: Database,
    *,
    slug: str,
    name: str,
    owner: int | None = None,
    actor: Actor = SERVICE,
    now: datetime,
) -> WorkspaceView:
    """Create a workspace.

    Args:
        database: where to.
        slug: its name in addresses of pages: lower-case letters, digits and hyphens, at most 50. One that a workspace
            had before is taken for ever: the audit trail goes by it.
        name: what people call it.
        owner: the person who owns it; None: nobody is a member yet.
        actor: who creates it.
        now: the present moment.

    Raises:
        InvalidInput: slug or name cannot be used.
        Conflict: the slug is or was taken, or the owner has too many workspaces.
    """
    if not _SLUG.match(slug):
        raise InvalidInput("workspace", "1 to 50 lower-case letters, digits and hyphens, such as acme-gmbh")
    place = Workspace(slug=slug, name=clean_name("name", name), plan=STANDARD_PLAN, sender_privacy=True, created_at=now)
    taken = Conflict(f"there is already a workspace {slug}")
    try:
        with database.transaction() as session:
            if session.scalar(select(AuditEntry.sequence).where(AuditEntry.workspace == slug).limit(1)) is not None:
                raise taken
            session.add(place)
            session.flush()
            if owner is not None:
                _own(session, place, owner, now)
            on = f"workspace:{slug}"
            audit.record_in(session, actor, action="workspace.create", on=on, workspace=slug, now=now)
            return workspace_view(place)
    except IntegrityError as error:
        raise taken from error


def _own(session: Session, place: Workspace, owner: int, now: datetime) -> None:
    owned = select(func.count()).where(Member.user_id == owner, Member.role == Role.OWNER)
    if (session.scalar(owned) or 0) >= MAX_OWNED:
        raise Conflict(f"one person owns at most {MAX_OWNED} workspaces")
    session.add(Member(workspace_id=place.id, user_id=owner, role=Role.OWNER, created_at=now))
    session.flush()


def rename(database: Database, *, workspace: str, name: str, actor: Actor, now: datetime) -> WorkspaceView:
    """Give a workspace another name; its slug stays.

    Raises:
        NotFound: no such workspace.
        InvalidInput: the name cannot be used.
    """
    wanted = clean_name("name", name)
    with database.transaction() as session:
        place = workspace_row(session, workspace)
        if place.name != wanted:
            details = {"before": place.name, "name": wanted}
            place.name = wanted
            _record(session, actor, "workspace.rename", place, details, now)
        return workspace_view(place)


def set_plan(
    database: Database, *, workspace: str, plan: str, reason: str, actor: Actor, now: datetime
) -> WorkspaceView:
    """Put a workspace on another plan, from the next message on.

    Args:
        database: where to.
        workspace: its slug.
        plan: a name in the configuration's `plans`; of one that is not there the standard plan's limits hold.
        reason: why.
        actor: who.
        now: the present moment.

    Raises:
        NotFound: no such workspace.
        InvalidInput: the plan's name or the reason cannot be used.
    """
    if not _PLAN.match(plan):
        raise InvalidInput("plan", "1 to 50 lower-case letters, digits and hyphens")
    reason = clean_reason(reason, needed=False)
    with database.transaction() as session:
        found = workspace_row(session, workspace)
        details = {"before": found.plan, "plan": plan}
        found.plan = plan
        audit.record_in(
            session,
            actor,
            action="plan.set",
            on=f"workspace:{found.slug}",
            workspace=found.slug,
            reason=reason,
            details=details,
            now=now,
        )
        return workspace_view(found)


def list_workspaces(database: Database) -> tuple[WorkspaceView, ...]:
    """Return all workspaces, by slug."""
    with database.snapshot() as session:
        return tuple(workspace_view(entry) for entry in session.scalars(select(Workspace).order_by(Workspace.slug)))


def workspace(database: Database, *, slug: str) -> WorkspaceView:
    """Return one workspace.

    Raises:
        NotFound: there is none of that name.
    """
    with database.snapshot() as session:
        return workspace_in(session, slug)


def set_sender_privacy(
    database: Database, *, workspace: str, on: bool, actor: Actor = SERVICE, now: datetime | None = None
) -> WorkspaceView:
    """Say whether what a workspace's people send hides the client's address and host; it does when it is created.

    Args:
        database: where to.
        workspace: its slug.
        on: whether it hides them.
        actor: who.
        now: the present moment; None: by the clock.

    Raises:
        NotFound: no such workspace.
    """
    with database.transaction() as session:
        found = workspace_row(session, workspace)
        found.sender_privacy = on
        audit.record_in(
            session,
            actor,
            action="sender-privacy.set",
            on=f"workspace:{found.slug}",
            workspace=found.slug,
            details={"on": on},
            now=now or clock.now(),
        )
        return workspace_view(found)


def workspace_in(session: Session, slug: str) -> WorkspaceView:
    """Return one workspace within a transaction of a room above this one; raises NotFound."""
    return workspace_view(workspace_row(session, slug))


def workspace_slugs_in(session: Session, ids: Sequence[int]) -> dict[int, str]:
    """Return the slugs of these workspaces by id, within a transaction of a room above this one."""
    query = select(Workspace.id, Workspace.slug).where(Workspace.id.in_(ids))
    return {row.id: row.slug for row in session.execute(query)}


def workspace_row(session: Session, slug: str, *, locked: bool = False) -> Workspace:
    """Return a workspace's row, within a transaction of this room.

    Args:
        session: the transaction.
        slug: its name in URLs.
        locked: whether others who ask for it locked wait until the transaction ends (SQLite has one writer anyway).

    Raises:
        NotFound: there is none.
    """
    query = select(Workspace).where(Workspace.slug == slug)
    found = session.scalar(query.with_for_update() if locked else query)
    if found is None:
        raise NotFound(f"there is no workspace {slug}")
    return found


def workspace_view(found: Workspace) -> WorkspaceView:
    """Return a row as others see it; for the files of this room."""
    return WorkspaceView(
        id=found.id,
        slug=found.slug,
        name=found.name,
        plan=found.plan,
        sender_privacy=found.sender_privacy,
        created_at=found.created_at,
        delete_after=found.delete_after,
    )


def _record(
    session: Session, actor: Actor, action: str, place: Workspace, details: Mapping[str, object], now: datetime
) -> None:
    on = f"workspace:{place.slug}"
    audit.record_in(session, actor, action=action, on=on, workspace=place.slug, details=details, now=now)
