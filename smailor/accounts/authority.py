"""Who changes a workspace's people, what their role lets them do, and the owner who must stay.

All of it is read within the transaction of the change, after the workspace's row is locked: of two changes at the same
time the second sees what the first has done. A trigger of the database (migration 0010) stands behind it.
"""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from smailor.accounts.audit import Actor
from smailor.accounts.models import Member, User, Workspace
from smailor.accounts.permissions import GRANTS, Permission, Role, may_give
from smailor.accounts.workspaces import workspace_row
from smailor.errors import Conflict, NotFound, PermissionDenied


@dataclass(frozen=True, slots=True)
class By:
    """Who changes something.

    Attributes:
        actor: for the audit trail.
        user_id: the member, bound by their role; None: the operator, bound by none.
    """

    actor: Actor
    user_id: int | None = None


def enter(session: Session, slug: str, by: By, permission: Permission) -> tuple[Workspace, Role]:
    """Lock a workspace, and return it with the role of who acts.

    Args:
        session: the transaction; nothing of the workspace's members was read in it before.
        slug: the workspace.
        by: who acts.
        permission: what they need.

    Raises:
        NotFound: no such workspace, or not for them.
        PermissionDenied: their role does not include it.
    """
    place = workspace_row(session, slug, locked=True)
    if by.user_id is None:
        return place, Role.OWNER
    role = session.scalar(select(Member.role).where(Member.workspace_id == place.id, Member.user_id == by.user_id))
    if role is None:
        raise NotFound(f"there is no workspace {slug}")
    if permission not in GRANTS[Role(role)]:
        raise PermissionDenied("Your role in this workspace does not include this. An owner can change that.")
    return place, Role(role)


def demand(own: Role, *roles: Role) -> None:
    """Go on only if who has the role `own` may give, change and take all these roles; raises PermissionDenied."""
    for role in roles:
        if not may_give(own, role):
            raise PermissionDenied("Only somebody with at least that role can give, change or take it.")


def member_in(session: Session, place: Workspace, member_id: int) -> Member:
    """Return a member with their person; raises NotFound."""
    query = select(Member).options(joinedload(Member.user)).where(Member.workspace_id == place.id)
    found = session.scalar(query.where(Member.id == member_id))
    if found is None:
        raise NotFound(f"{place.slug} has no such member")
    return found


def owners_in(session: Session, place: Workspace) -> list[User]:
    """Return a workspace's owners, by address."""
    query = select(User).join(Member, Member.user_id == User.id).where(Member.workspace_id == place.id)
    return list(session.scalars(query.where(Member.role == Role.OWNER).order_by(User.email)))


def keep_an_owner(session: Session, place: Workspace, leaving: Member) -> None:
    """Refuse that the last owner goes or becomes something else.

    Raises:
        Conflict: nobody else owns the workspace.
    """
    if leaving.role != Role.OWNER:
        return
    others = select(func.count()).where(
        Member.workspace_id == place.id, Member.role == Role.OWNER, Member.id != leaving.id
    )
    if not session.scalar(others):
        raise Conflict("a workspace keeps at least one owner: make somebody else an owner first")
