"""Use cases around workspaces: made, named, put on a plan, found. Each function owns its transaction.

Who belongs to one is the business of `members.py`, how one goes that of `deletion.py`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from smailor import clock
from smailor.accounts import audit
from smailor.accounts.audit import SERVICE, Actor, clean_reason
from smailor.accounts.models import Workspace
from smailor.accounts.names import clean_name
from smailor.database.engine import Database
from smailor.errors import Conflict, InvalidInput, NotFound

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?\Z")
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


def create_workspace(database: Database, *, slug: str, name: str, now: datetime) -> WorkspaceView:
    """Create a workspace without members.

    Args:
        database: where to.
        slug: its name in addresses of pages: lower-case letters, digits and hyphens, at most 50.
        name: what people call it.
        now: the present moment.

    Raises:
        InvalidInput: slug or name cannot be used.
        Conflict: the slug is taken.
    """
    if not _SLUG.match(slug):
        raise InvalidInput("workspace", "1 to 50 lower-case letters, digits and hyphens, such as acme-gmbh")
    workspace = Workspace(
        slug=slug, name=clean_name("name", name), plan=STANDARD_PLAN, sender_privacy=True, created_at=now
    )
    try:
        with database.transaction() as session:
            session.add(workspace)
            session.flush()
            return workspace_view(workspace)
    except IntegrityError as error:
        raise Conflict(f"there is already a workspace {slug}") from error


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
