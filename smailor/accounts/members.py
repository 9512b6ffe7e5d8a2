"""Use cases around a workspace's members: who they are and what they may do. Each function owns its transaction."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import contains_eager

from smailor.accounts.models import DomainAdmin, Member, User, Workspace
from smailor.accounts.permissions import Permission, Role, allowed, allowed_somewhere
from smailor.accounts.service import user_row
from smailor.accounts.user_view import UserView, user_view
from smailor.accounts.workspaces import WorkspaceView, workspace_row, workspace_view
from smailor.database.engine import Database
from smailor.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Membership:
    """A person's place in one workspace.

    Attributes:
        workspace: where.
        role: what they are there.
        domains: the domains that they administer, whatever their role.
    """

    workspace: WorkspaceView
    role: Role
    domains: tuple[str, ...] = ()

    def may(self, permission: Permission, *, domain: str | None = None) -> bool:
        """Tell whether they may do this, to a domain or (None) to the workspace."""
        return allowed(self.role, permission, domain=domain, domains=self.domains)

    def may_somewhere(self, permission: Permission) -> bool:
        """Tell whether they may do this in all of the workspace or in a domain of it at least."""
        return allowed_somewhere(self.role, permission, domains=self.domains)


@dataclass(frozen=True, slots=True)
class MemberView:
    """A workspace's member.

    Attributes:
        user: who.
        role: what they are.
        id: the membership's own number; 0 where it is not asked for.
        domains: the domains that they administer, whatever their role.
    """

    user: UserView
    role: Role
    id: int = 0
    domains: tuple[str, ...] = ()


def memberships(database: Database, *, user_id: int) -> tuple[Membership, ...]:
    """Return the workspaces that a person belongs to, by slug; one statement."""
    query = (
        select(Member, DomainAdmin.domain)
        .join(Member.workspace)
        .outerjoin(DomainAdmin, DomainAdmin.member_id == Member.id)
        .options(contains_eager(Member.workspace))
        .where(Member.user_id == user_id)
        .order_by(Workspace.slug, DomainAdmin.domain)
    )
    with database.snapshot() as session:
        found = _with_domains(session.execute(query))
    return tuple(Membership(workspace_view(member.workspace), Role(member.role), domains) for member, domains in found)


def list_members(database: Database, *, workspace: str) -> tuple[MemberView, ...]:
    """Return a workspace's members, by address.

    Raises:
        NotFound: no such workspace.
    """
    with database.snapshot() as session:
        place = workspace_row(session, workspace)
        query = (
            select(Member, DomainAdmin.domain)
            .join(Member.user)
            .outerjoin(DomainAdmin, DomainAdmin.member_id == Member.id)
            .options(contains_eager(Member.user))
            .where(Member.workspace_id == place.id)
            .order_by(User.email, DomainAdmin.domain)
        )
        return tuple(_view(member, domains) for member, domains in _with_domains(session.execute(query)))


def add_member(database: Database, *, workspace: str, email: str, role: str, now: datetime) -> MemberView:
    """Make a person a member of a workspace, or change their role.

    Raises:
        NotFound: no such workspace or person.
        InvalidInput: no such role.
    """
    wanted = read_role(role)
    with database.transaction() as session:
        place, user = workspace_row(session, workspace), user_row(session, email)
        member = session.scalar(select(Member).where(Member.workspace_id == place.id, Member.user_id == user.id))
        if member is None:
            member = Member(workspace_id=place.id, user_id=user.id, role=wanted, created_at=now)
            session.add(member)
        member.role = wanted
        return MemberView(user=user_view(user), role=wanted)


def read_role(text: str) -> Role:
    """Return a role by its name; raises InvalidInput."""
    if text not in list(Role):
        raise InvalidInput("role", f"one of {', '.join(Role)}")
    return Role(text)


def _with_domains(rows: Iterable[tuple[Member, str | None]]) -> list[tuple[Member, tuple[str, ...]]]:
    """Gather the rows of one member, a domain each, in the order in which they come."""
    found: dict[int, tuple[Member, list[str]]] = {}
    for member, domain in rows:
        _, domains = found.setdefault(member.id, (member, []))
        if domain is not None:
            domains.append(domain)
    return [(member, tuple(domains)) for member, domains in found.values()]


def _view(member: Member, domains: tuple[str, ...]) -> MemberView:
    return MemberView(user=user_view(member.user), role=Role(member.role), id=member.id, domains=domains)
