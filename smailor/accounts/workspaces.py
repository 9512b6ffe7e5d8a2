"""Use cases around workspaces: made, named, put on a plan, found. Each function owns its transaction.

Who belongs to one is the business of `members.py`, how one goes that of `deletion.py`.
"""

import re
import secrets
import unicodedata
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
MANY_ALIKE = 20
"""So many workspaces of one name are told apart by a number, the rest by chance."""
_MAX_SLUG = 40
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
    wanted = clean_name("name", name)
    taken = Conflict(f"there is already a workspace {slug}")
    try:
        with database.transaction() as session:
            if _taken(session, slug):
                raise taken
            return workspace_view(_create(session, slug, wanted, owner, actor, now))
    except IntegrityError as error:
        raise taken from error


def open_in(session: Session, *, name: str, owner: int, actor: Actor, now: datetime) -> WorkspaceView:
    """Create a workspace for its owner within a transaction of this room, under a slug made of its name.

    Raises:
        InvalidInput: the name cannot be used.
        Conflict: the owner has too many workspaces.
    """
    wanted = slug = slug_of(name)
    number = 1
    while True:
        if not _taken(session, slug):
            try:
                with session.begin_nested():
                    return workspace_view(_create(session, slug, clean_name("name", name), owner, actor, now))
            except IntegrityError:  # somebody took it this moment
                pass
        number += 1
        slug = f"{wanted}-{number}" if number < MANY_ALIKE else f"{wanted}-{secrets.token_hex(4)}"


def slug_of(name: str) -> str:
    """Return a workspace's name as it stands in addresses of pages: `Müller & Söhne` is `muller-sohne`."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii").lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_MAX_SLUG].strip("-") or "workspace"


def _taken(session: Session, slug: str) -> bool:
    """Whether a workspace has this slug, or had it once."""
    live = select(Workspace.id).where(Workspace.slug == slug)
    gone = select(AuditEntry.sequence).where(AuditEntry.workspace == slug)
    return any(session.scalar(query.limit(1)) is not None for query in (live, gone))


def _create(session: Session, slug: str, name: str, owner: int | None, actor: Actor, now: datetime) -> Workspace:
    place = Workspace(slug=slug, name=name, plan=STANDARD_PLAN, sender_privacy=True, created_at=now)
    session.add(place)
    session.flush()
    if owner is not None:
        _own(session, place, owner, now)
    audit.record_in(session, actor, action="workspace.create", on=f"workspace:{slug}", workspace=slug, now=now)
    return place


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
    with database.reading() as session:
        return tuple(workspace_view(entry) for entry in session.scalars(select(Workspace).order_by(Workspace.slug)))


def workspace(database: Database, *, slug: str) -> WorkspaceView:
    """Return one workspace.

    Raises:
        NotFound: there is none of that name.
    """
    with database.reading() as session:
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
