"""Use cases around a workspace's members: who they are and what they may do. Each function owns its transaction."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session, contains_eager, joinedload

from smailor.accounts.models import DomainAdmin, Member, User, Workspace
from smailor.accounts.permissions import Permission, Role, allowed, allowed_somewhere
from smailor.accounts.user_view import UserView, user_view
from smailor.accounts.workspaces import WorkspaceView, workspace_row, workspace_view
from smailor.address import Address
from smailor.database.engine import Database
from smailor.errors import InvalidInput, NotFound


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
        id: the membership's own number.
        domains: the domains that they administer, whatever their role.
        created_at: since when they are a member.
    """

    user: UserView
    role: Role
    id: int
    domains: tuple[str, ...]
    created_at: datetime


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
    with database.reading() as session:
        found = _with_domains(session.execute(query))
    return tuple(Membership(workspace_view(member.workspace), Role(member.role), domains) for member, domains in found)


def page_members(
    database: Database, *, workspace: str, search: str = "", after: str = "", limit: int
) -> tuple[MemberView, ...]:
    """Return some members, by address; two statements beside the workspace's, however many there are.

    Args:
        database: where they are.
        workspace: its slug.
        search: a part of the address or the name, in any case; empty: all.
        after: an address: those behind it only.
        limit: how many at most.

    Raises:
        NotFound: no such workspace.
    """
    with database.reading() as session:
        place = workspace_row(session, workspace)
        query = select(Member).join(Member.user).options(contains_eager(Member.user))
        query = query.where(Member.workspace_id == place.id, User.email > after.lower())
        if search:
            part = search.lower()
            query = query.where(
                User.email.contains(part, autoescape=True) | func.lower(User.name).contains(part, autoescape=True)
            )
        found = session.scalars(query.order_by(User.email).limit(limit)).all()
        rows = session.scalars(
            select(DomainAdmin)
            .where(DomainAdmin.member_id.in_([member.id for member in found]))
            .order_by(DomainAdmin.domain)
        ).all()
    domains: dict[int, list[str]] = {}
    for row in rows:
        domains.setdefault(row.member_id, []).append(row.domain)
    return tuple(member_view(member, tuple(domains.get(member.id, ()))) for member in found)


def member(database: Database, *, workspace: str, member_id: int) -> MemberView:
    """Return one member.

    Raises:
        NotFound: no such workspace, or it has no such member.
    """
    with database.reading() as session:
        place = workspace_row(session, workspace)
        found = session.scalar(
            select(Member)
            .options(joinedload(Member.user))
            .where(Member.workspace_id == place.id, Member.id == member_id)
        )
        if found is None:
            raise NotFound(f"{workspace} has no such member")
        return member_view(found, domains_of(session, found.id))


def member_by_email(database: Database, *, workspace: str, email: str) -> MemberView:
    """Return the member with this address.

    Raises:
        InvalidInput: it is no address.
        NotFound: no such workspace, or it has no such member.
    """
    address = str(Address.parse(email))
    with database.reading() as session:
        place = workspace_row(session, workspace)
        query = select(Member).join(Member.user).options(contains_eager(Member.user))
        found = session.scalar(query.where(Member.workspace_id == place.id, User.email == address))
        if found is None:
            raise NotFound(f"{workspace} has no member {address}")
        return member_view(found, domains_of(session, found.id))


def count_members(database: Database, *, workspace: str) -> int:
    """Return how many members there are; raises NotFound."""
    with database.reading() as session:
        place = workspace_row(session, workspace)
        return session.scalar(select(func.count()).where(Member.workspace_id == place.id)) or 0


def list_members(database: Database, *, workspace: str) -> tuple[MemberView, ...]:
    """Return a workspace's members, by address.

    Raises:
        NotFound: no such workspace.
    """
    with database.reading() as session:
        place = workspace_row(session, workspace)
        query = (
            select(Member, DomainAdmin.domain)
            .join(Member.user)
            .outerjoin(DomainAdmin, DomainAdmin.member_id == Member.id)
            .options(contains_eager(Member.user))
            .where(Member.workspace_id == place.id)
            .order_by(User.email, DomainAdmin.domain)
        )
        return tuple(member_view(member, domains) for member, domains in _with_domains(session.execute(query)))


def domains_of(session: Session, member_id: int) -> tuple[str, ...]:
    """Return the domains that a member administers, within a transaction of this room."""
    query = select(DomainAdmin.domain).where(DomainAdmin.member_id == member_id)
    return tuple(session.scalars(query.order_by(DomainAdmin.domain)))


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


def member_view(row: Member, domains: tuple[str, ...]) -> MemberView:
    """Return a row with its person as others see it; for the files of this room."""
    return MemberView(
        user=user_view(row.user), role=Role(row.role), id=row.id, domains=domains, created_at=row.created_at
    )
