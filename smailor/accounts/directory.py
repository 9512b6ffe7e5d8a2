"""What the operator looks up: workspaces and people, found by a part of their names, a page at a time.

Lists show what running the service takes. Whoever opens one workspace or one person says why, and the tenant reads it.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from smailor.accounts import audit
from smailor.accounts.audit import Actor
from smailor.accounts.impersonation import clean_access_reason, record_for_person_in
from smailor.accounts.models import Member, User, Workspace
from smailor.accounts.user_view import UserView, user_view
from smailor.accounts.workspaces import WorkspaceView, workspace_row, workspace_view
from smailor.database.engine import Database
from smailor.errors import NotFound

PAGE = 25
MAX_SEARCH = 200


@dataclass(frozen=True, slots=True)
class WorkspaceRow:
    """A workspace in the list.

    Attributes:
        members: how many it has.
    """

    workspace: WorkspaceView
    members: int


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A person in the list.

    Attributes:
        since: when they signed up.
    """

    user: UserView
    since: datetime


def workspaces(
    database: Database, *, search: str = "", after: str = "", limit: int = PAGE
) -> tuple[tuple[WorkspaceRow, ...], str]:
    """Return workspaces whose slug or name contains a text, by slug, and after which slug to go on; empty: no more."""
    query = select(Workspace).where(Workspace.slug > after).order_by(Workspace.slug).limit(limit + 1)
    if search.strip():
        query = query.where(or_(_contains(Workspace.slug, search), _contains(Workspace.name, search)))
    with database.reading() as session:
        found = session.scalars(query).all()
        shown = found[:limit]
        counts = select(Member.workspace_id, func.count()).group_by(Member.workspace_id)
        ids = [row.id for row in shown]
        members = {row[0]: row[1] for row in session.execute(counts.where(Member.workspace_id.in_(ids)))}
        rows = tuple(WorkspaceRow(workspace_view(row), members.get(row.id, 0)) for row in shown)
    return rows, shown[-1].slug if len(found) > limit else ""


def people(
    database: Database, *, search: str = "", after: str = "", limit: int = PAGE
) -> tuple[tuple[PersonRow, ...], str]:
    """Return people whose address or name contains a text, by address, and after which to go on; empty: no more."""
    query = select(User).where(User.email > after).order_by(User.email).limit(limit + 1)
    if search.strip():
        query = query.where(or_(_contains(User.email, search), _contains(User.name, search)))
    with database.reading() as session:
        found = session.scalars(query).all()
        shown = found[:limit]
        rows = tuple(PersonRow(user_view(row), row.created_at) for row in shown)
    return rows, shown[-1].email if len(found) > limit else ""


def person(database: Database, *, user_id: int) -> PersonRow:
    """Return one person; raises NotFound."""
    with database.reading() as session:
        user = session.get(User, user_id)
        if user is None:
            raise NotFound("there is no such person")
        return PersonRow(user_view(user), user.created_at)


def open_workspace(database: Database, *, slug: str, actor: Actor, reason: str, now: datetime) -> None:
    """Write down that an operator looks at a workspace, and why.

    Raises:
        NotFound: there is no such workspace.
        InvalidInput: the reason is none.
    """
    reason = clean_access_reason(reason)
    with database.transaction() as session:
        place = workspace_row(session, slug)
        on = f"workspace:{place.slug}"
        audit.record_in(session, actor, action="workspace.open", on=on, workspace=place.slug, reason=reason, now=now)


def open_person(database: Database, *, user_id: int, actor: Actor, reason: str, now: datetime) -> None:
    """Write down that an operator looks at a person, and why, in each of the person's workspaces.

    Raises:
        NotFound: there is no such person.
        InvalidInput: the reason is none.
    """
    reason = clean_access_reason(reason)
    with database.transaction() as session:
        user = session.get(User, user_id)
        if user is None:
            raise NotFound("there is no such person")
        record_for_person_in(session, actor, action="person.open", user=user, reason=reason, now=now)


def note_reset(database: Database, *, user_id: int, actor: Actor, now: datetime) -> None:
    """Write down that an operator had the letter for a new password sent; raises NotFound."""
    with database.transaction() as session:
        user = session.get(User, user_id)
        if user is None:
            raise NotFound("there is no such person")
        record_for_person_in(session, actor, action="password.send-reset", user=user, reason="", now=now)


def _contains(column: InstrumentedAttribute[str], search: str) -> ColumnElement[bool]:
    return func.lower(column).contains(search.strip().lower()[:MAX_SEARCH], autoescape=True)
