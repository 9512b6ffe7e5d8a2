"""Use cases around a workspace that is to go: asked for by an owner, withdrawn in the grace period, done at its end.

In the grace period everything goes on as before, mail too: whoever changes their mind has lost nothing. At its end a
job deletes top-down (`smailor jobs run delete-workspaces`): each room above takes away what is its own, this one last.
A slug is never given again: the audit trail, and what the operator decided about a workspace, go by it.
"""

from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from smailor.accounts import audit, authority
from smailor.accounts import workspace_letters as words
from smailor.accounts.audit import Actor
from smailor.accounts.authority import By
from smailor.accounts.models import Workspace
from smailor.accounts.permissions import Permission
from smailor.accounts.posting import Post
from smailor.accounts.workspaces import WorkspaceView, workspace_row, workspace_view
from smailor.database.engine import Database
from smailor.errors import Conflict

GRACE = timedelta(days=30)


def ask(database: Database, *, workspace: str, by: By, post: Post, link: str, now: datetime) -> WorkspaceView:
    """Ask for a workspace's deletion in 30 days, and write to all its owners.

    Args:
        database: where to.
        workspace: its slug.
        by: who asks.
        post: writes to the owners.
        link: where they can withdraw it.
        now: the present moment.

    Raises:
        NotFound: no such workspace.
        PermissionDenied: who asks is no owner.
        Conflict: it was asked for already.
    """
    with database.transaction() as session:
        place, _ = authority.enter(session, workspace, by, Permission.DELETE_WORKSPACE)
        if place.delete_after is not None:
            raise Conflict(f"the deletion of {workspace} was asked for already")
        place.deletion_asked_at, place.delete_after = now, now + GRACE
        details = {"delete_after": place.delete_after.isoformat()}
        _record(session, by.actor, "workspace.delete-asked", place, now, details)
        for owner in authority.owners_in(session, place):
            text = words.deletion_asked(
                owner.language, workspace=place.slug, by=by.actor.name, at=place.delete_after, link=link
            )
            post.put_in(
                session,
                recipient=owner.email,
                language=owner.language,
                text=text,
                now=now,
                expires_at=place.delete_after,
            )
        return workspace_view(place)


def withdraw(database: Database, *, workspace: str, by: By, post: Post, now: datetime) -> WorkspaceView:
    """Keep a workspace after all, and write to all its owners.

    Raises:
        NotFound: no such workspace.
        PermissionDenied: who withdraws is no owner.
        Conflict: nobody has asked for its deletion.
    """
    with database.transaction() as session:
        place, _ = authority.enter(session, workspace, by, Permission.DELETE_WORKSPACE)
        if place.delete_after is None:
            raise Conflict(f"nobody has asked for the deletion of {workspace}")
        place.deletion_asked_at = place.delete_after = None
        _record(session, by.actor, "workspace.delete-withdrawn", place, now, {})
        for owner in authority.owners_in(session, place):
            post.put_in(
                session,
                recipient=owner.email,
                language=owner.language,
                text=words.deletion_withdrawn(owner.language, workspace=place.slug, by=by.actor.name),
                now=now,
                expires_at=now + GRACE,
            )
        return workspace_view(place)


def due(database: Database, *, now: datetime, limit: int = 100) -> tuple[str, ...]:
    """Return the slugs of workspaces whose grace period is over, the longest first."""
    query = select(Workspace.slug).where(Workspace.delete_after <= now).order_by(Workspace.delete_after).limit(limit)
    with database.reading() as session:
        return tuple(session.scalars(query))


def lock_due_in(session: Session, *, workspace: str, now: datetime) -> None:
    """Make sure, within the transaction that deletes, that nobody has withdrawn it, and that nobody can any more.

    Raises:
        Conflict: it is to stay, for now at least.
        NotFound: it is gone already.
    """
    place = workspace_row(session, workspace, locked=True)
    if place.delete_after is None or place.delete_after > now:
        raise Conflict(f"{workspace} is not to be deleted")


def delete_in(session: Session, *, workspace: str, actor: Actor, post: Post, now: datetime) -> None:
    """Delete a workspace with its members and invitations, within the transaction of the rooms above.

    They have taken away what was theirs. The people stay, and so does the audit trail.

    Raises:
        NotFound: no such workspace.
    """
    place = workspace_row(session, workspace, locked=True)
    asked = place.deletion_asked_at
    details = {"name": place.name, "asked_at": asked.isoformat() if asked else ""}
    _record(session, actor, "workspace.delete", place, now, details)
    for owner in authority.owners_in(session, place):
        post.put_in(
            session,
            recipient=owner.email,
            language=owner.language,
            text=words.deleted(owner.language, workspace=place.slug),
            now=now,
            expires_at=now + GRACE,
        )
    session.execute(delete(Workspace).where(Workspace.id == place.id))


def _record(
    session: Session, actor: Actor, action: str, place: Workspace, now: datetime, details: dict[str, str]
) -> None:
    on = f"workspace:{place.slug}"
    audit.record_in(session, actor, action=action, on=on, workspace=place.slug, details=details, now=now)
