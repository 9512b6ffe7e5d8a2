"""Use cases around people and workspaces. Each function owns its transaction and returns plain values."""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from smailor.accounts import audit, passwords
from smailor.accounts.audit import Actor, clean_reason
from smailor.accounts.models import Member, User, WebSession, Workspace
from smailor.accounts.permissions import Role
from smailor.accounts.user_view import UserView as UserView
from smailor.accounts.user_view import user_view
from smailor.address import Address
from smailor.database.engine import Database
from smailor.errors import Conflict, InvalidInput, NotFound

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?\Z")
MAX_NAME = 200
STANDARD_PLAN = "standard"
"""The plan of a workspace that was given no other."""
_PLAN = re.compile(r"[a-z0-9][a-z0-9-]{0,49}\Z")


@dataclass(frozen=True, slots=True)
class WorkspaceView:
    """A workspace, as other rooms and faces see it.

    Attributes:
        sender_privacy: whether what its people send hides from which network and computer it came.
    """

    id: int
    slug: str
    name: str
    plan: str
    sender_privacy: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Membership:
    """A person's place in one workspace."""

    workspace: WorkspaceView
    role: Role


@dataclass(frozen=True, slots=True)
class MemberView:
    """A workspace's member."""

    user: UserView
    role: Role


def create_user(
    database: Database, *, email: str, name: str, password: str, operator: bool = False, now: datetime
) -> UserView:
    """Create a person who can log in.

    Args:
        database: where to.
        email: their address; it need not be one of our inboxes.
        name: what to call them.
        password: at least 12 characters.
        operator: whether they run the service.
        now: the present moment.

    Raises:
        InvalidInput: address, name or password cannot be used.
        Conflict: the address is taken.
    """
    address = str(Address.parse(email))
    password_hash = passwords.hash_password(password)
    user = User(
        email=address,
        name=clean_name("name", name),
        password_hash=password_hash,
        operator=operator,
        email_verified_at=now,
        created_at=now,
    )
    try:
        with database.transaction() as session:
            session.add(user)
            session.flush()
            return user_view(user)
    except IntegrityError as error:
        raise Conflict(f"there is already a person with the address {address}") from error


def list_users(database: Database) -> tuple[UserView, ...]:
    """Return all people, by address."""
    with database.snapshot() as session:
        return tuple(user_view(user) for user in session.scalars(select(User).order_by(User.email)))


def set_password(database: Database, *, email: str, password: str) -> None:
    """Give a person a new password and end all their web sessions.

    Raises:
        NotFound: nobody has that address.
        InvalidInput: the password cannot be used.
    """
    password_hash = passwords.hash_password(password)
    with database.transaction() as session:
        user = _user(session, email)
        user.password_hash = password_hash
        session.execute(delete(WebSession).where(WebSession.user_id == user.id))


def verify_password(database: Database, *, email: str, password: str) -> UserView | None:
    """Return the person whose address and password these are, else None.

    An unknown address costs the same time as a wrong password, so that the answer does not tell who has an account.
    """
    try:
        address = str(Address.parse(email))
    except InvalidInput:
        address = ""
    with database.snapshot() as session:
        user = session.scalar(select(User).where(User.email == address))
        # Whoever has no password of their own logs in by a provider or a passkey only.
        password_hash = (user.password_hash if user else "") or _decoy_hash()
        view = user_view(user) if user else None
    return view if passwords.password_matches(password, password_hash) else None


@functools.cache
def _decoy_hash() -> str:
    return passwords.hash_password(passwords.draw_secret())


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
            return _workspace_view(workspace)
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
        found = _workspace(session, workspace)
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
        return _workspace_view(found)


def list_workspaces(database: Database) -> tuple[WorkspaceView, ...]:
    """Return all workspaces, by slug."""
    with database.snapshot() as session:
        return tuple(_workspace_view(entry) for entry in session.scalars(select(Workspace).order_by(Workspace.slug)))


def workspace(database: Database, *, slug: str) -> WorkspaceView:
    """Return one workspace.

    Raises:
        NotFound: there is none of that name.
    """
    with database.snapshot() as session:
        return workspace_in(session, slug)


def set_sender_privacy(database: Database, *, workspace: str, on: bool) -> WorkspaceView:
    """Say whether what a workspace's people send hides the client's address and host; it does when it is created.

    Raises:
        NotFound: no such workspace.
    """
    with database.transaction() as session:
        found = _workspace(session, workspace)
        found.sender_privacy = on
        return _workspace_view(found)


def workspace_in(session: Session, slug: str) -> WorkspaceView:
    """Return one workspace within a transaction of a room above this one; raises NotFound."""
    return _workspace_view(_workspace(session, slug))


def workspace_slugs_in(session: Session, ids: Sequence[int]) -> dict[int, str]:
    """Return the slugs of these workspaces by id, within a transaction of a room above this one."""
    query = select(Workspace.id, Workspace.slug).where(Workspace.id.in_(ids))
    return {row.id: row.slug for row in session.execute(query)}


def user_in(session: Session, email: str) -> UserView:
    """Return one person within a transaction of a room above this one; raises NotFound."""
    return user_view(_user(session, email))


def users_in(session: Session, ids: Sequence[int]) -> tuple[UserView, ...]:
    """Return these people, by address, within a transaction of a room above this one."""
    return tuple(user_view(user) for user in session.scalars(select(User).where(User.id.in_(ids)).order_by(User.email)))


def add_member(database: Database, *, workspace: str, email: str, role: str, now: datetime) -> MemberView:
    """Make a person a member of a workspace, or change their role.

    Raises:
        NotFound: no such workspace or person.
        InvalidInput: no such role.
    """
    if role not in list(Role):
        raise InvalidInput("role", f"one of {', '.join(Role)}")
    with database.transaction() as session:
        place, user = _workspace(session, workspace), _user(session, email)
        member = session.scalar(select(Member).where(Member.workspace_id == place.id, Member.user_id == user.id))
        if member is None:
            member = Member(workspace_id=place.id, user_id=user.id, role=role, created_at=now)
            session.add(member)
        member.role = role
        return MemberView(user=user_view(user), role=Role(role))


def list_members(database: Database, *, workspace: str) -> tuple[MemberView, ...]:
    """Return a workspace's members, by address.

    Raises:
        NotFound: no such workspace.
    """
    with database.snapshot() as session:
        place = _workspace(session, workspace)
        query = select(Member).join(Member.user).where(Member.workspace_id == place.id).order_by(User.email)
        return tuple(MemberView(user_view(member.user), Role(member.role)) for member in session.scalars(query))


def memberships(database: Database, *, user_id: int) -> tuple[Membership, ...]:
    """Return the workspaces that a person belongs to, by slug."""
    query = (
        select(Member.role, Workspace).join(Member.workspace).where(Member.user_id == user_id).order_by(Workspace.slug)
    )
    with database.snapshot() as session:
        return tuple(Membership(_workspace_view(place), Role(role)) for role, place in session.execute(query))


def clean_name(field: str, name: str) -> str:
    """Return a name that people see, with white space folded.

    Raises:
        InvalidInput: it is empty, longer than 200 characters, or has control characters.
    """
    folded = " ".join(name.split())
    if not folded or len(folded) > MAX_NAME:
        raise InvalidInput(field, f"has 1 to {MAX_NAME} characters")
    if not folded.isprintable():
        raise InvalidInput(field, "has characters that cannot be shown")
    return folded


def _user(session: Session, email: str) -> User:
    address = str(Address.parse(email))
    user = session.scalar(select(User).where(User.email == address))
    if user is None:
        raise NotFound(f"there is no person with the address {address}")
    return user


def _workspace(session: Session, slug: str) -> Workspace:
    found = session.scalar(select(Workspace).where(Workspace.slug == slug))
    if found is None:
        raise NotFound(f"there is no workspace {slug}")
    return found


def _workspace_view(found: Workspace) -> WorkspaceView:
    return WorkspaceView(
        id=found.id,
        slug=found.slug,
        name=found.name,
        plan=found.plan,
        sender_privacy=found.sender_privacy,
        created_at=found.created_at,
    )
