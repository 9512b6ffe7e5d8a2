"""Use cases that change a workspace's members: role, domains, leaving, ownership. Each function owns its transaction.

What one may do is decided in the transaction (`authority.py`); what is done is written down and told in it.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from smailor.accounts import audit, authority
from smailor.accounts import workspace_letters as words
from smailor.accounts.audit import SERVICE, Actor
from smailor.accounts.authority import By
from smailor.accounts.members import MemberView, domains_of, member_view, read_role
from smailor.accounts.models import DomainAdmin, Invitation, Member, User, Workspace
from smailor.accounts.permissions import GRANTS, Permission, Role, may_give
from smailor.accounts.posting import Post
from smailor.accounts.service import user_row
from smailor.accounts.workspace_letters import Text
from smailor.accounts.workspaces import workspace_row
from smailor.address import DomainName
from smailor.database.engine import Database
from smailor.errors import InvalidInput

LETTER_LIFETIME = timedelta(days=3)
MAX_DOMAINS = 100
"""Domains that one member may administer beside their role."""


def add_member(
    database: Database, *, workspace: str, email: str, role: str, actor: Actor = SERVICE, now: datetime
) -> MemberView:
    """Make a person a member of a workspace, or change their role: the operator's way, without an invitation.

    Args:
        database: where to.
        workspace: its slug.
        email: the person's address.
        role: the role's name.
        actor: who does it.
        now: the present moment.

    Raises:
        NotFound: no such workspace or person.
        InvalidInput: no such role.
        Conflict: they are the last owner, and would be none any more.
    """
    wanted = read_role(role)
    with database.transaction() as session:
        place, user = workspace_row(session, workspace, locked=True), user_row(session, email)
        member = session.scalar(select(Member).where(Member.workspace_id == place.id, Member.user_id == user.id))
        before = member.role if member else ""
        if member is None:
            member = Member(workspace_id=place.id, user_id=user.id, role=wanted, created_at=now)
            session.add(member)
        elif wanted is not Role.OWNER:
            authority.keep_an_owner(session, place, member)
        member.role = wanted
        member.user = user
        session.flush()
        _record(session, By(actor), "member.add", place, user, now, {"before": before, "role": wanted})
        return member_view(member, domains_of(session, member.id))


def change(
    database: Database,
    *,
    workspace: str,
    member_id: int,
    role: Role,
    domains: Collection[str],
    by: By,
    post: Post,
    now: datetime,
) -> MemberView:
    """Give a member another role and other domains to administer; it holds from their next request on.

    Args:
        database: where to.
        workspace: its slug.
        member_id: the membership.
        role: what they become.
        domains: which domains they administer, whatever their role; the caller knows that the workspace has them.
        by: who changes it.
        post: writes to the member.
        now: the present moment.

    Raises:
        NotFound: no such workspace or member.
        PermissionDenied: who changes it may not, or not this role.
        Conflict: they are the last owner.
        InvalidInput: too many domains, or names that are none.
    """
    wanted = clean_domains(domains)
    with database.transaction() as session:
        place, own = authority.enter(session, workspace, by, Permission.MANAGE_MEMBERS)
        member = authority.member_in(session, place, member_id)
        before, domains_before = Role(member.role), domains_of(session, member.id)
        authority.demand(own, before, role)
        if role is not Role.OWNER:
            authority.keep_an_owner(session, place, member)
        if (before, domains_before) == (role, wanted):
            return member_view(member, domains_before)
        member.role = role
        put_domains(session, member, wanted)
        withdraw_beyond(session, place, member.user, role, now)
        details = {
            "before": before,
            "role": role,
            "domains_before": list(domains_before),
            "domains": list(wanted),
        }
        _record(session, by, "member.change", place, member.user, now, details)
        if before is not role:
            told = words.role_changed(member.user.language, workspace=place.slug, role=role, by=by.actor.name)
            _tell(session, post, [(member.user, told)], now)
        return member_view(member, wanted)


def remove_in(session: Session, *, workspace: str, member_id: int, by: By, post: Post, now: datetime) -> MemberView:
    """Take a member out of a workspace, within the transaction of the room above that knows what else they had there.

    Raises:
        NotFound: no such workspace or member.
        PermissionDenied: who removes them may not, or not somebody of their role.
        Conflict: they are the last owner.
    """
    place, own = authority.enter(session, workspace, by, Permission.MANAGE_MEMBERS)
    member = authority.member_in(session, place, member_id)
    authority.demand(own, Role(member.role))
    authority.keep_an_owner(session, place, member)
    gone = _take_out(session, place, member, now)
    _record(session, by, "member.remove", place, member.user, now, {"role": gone.role})
    text = words.removed(member.user.language, workspace=place.slug, by=by.actor.name)
    _tell(session, post, [(member.user, text)], now)
    return gone


def leave_in(session: Session, *, workspace: str, user_id: int, by: By, post: Post, now: datetime) -> MemberView:
    """Leave a workspace, within the transaction of the room above that knows what else they had there.

    Raises:
        NotFound: they are no member.
        Conflict: they are the last owner.
    """
    place, _ = authority.enter(session, workspace, by, Permission.LEAVE_WORKSPACE)
    member_id = session.scalar(select(Member.id).where(Member.workspace_id == place.id, Member.user_id == user_id))
    member = authority.member_in(session, place, member_id or 0)
    authority.keep_an_owner(session, place, member)
    gone = _take_out(session, place, member, now)
    _record(session, by, "member.leave", place, member.user, now, {"role": gone.role})
    owners = [
        (owner, words.left(owner.language, workspace=place.slug, member=member.user.email))
        for owner in authority.owners_in(session, place)
    ]
    _tell(session, post, owners, now)
    return gone


def transfer(
    database: Database, *, workspace: str, member_id: int, become: Role, by: By, post: Post, now: datetime
) -> MemberView:
    """Make a member an owner, and who does it whatever they choose to be from then on.

    Args:
        database: where to.
        workspace: its slug.
        member_id: the membership of the new owner.
        become: the role of the former owner; they may stay one.
        by: the former owner.
        post: writes to all who are or were owners.
        now: the present moment.

    Raises:
        NotFound: no such workspace or member.
        PermissionDenied: who does it is no owner.
        InvalidInput: the member is who does it.
    """
    with database.transaction() as session:
        place, _ = authority.enter(session, workspace, by, Permission.TRANSFER_OWNERSHIP)
        member = authority.member_in(session, place, member_id)
        if member.user_id == by.user_id:
            raise InvalidInput("member", "that is you: choose somebody else")
        told = {owner.id: owner for owner in authority.owners_in(session, place)} | {member.user_id: member.user}
        before, member.role = Role(member.role), Role.OWNER
        session.flush()  # the new owner is there before the former one goes
        if by.user_id is not None and become is not Role.OWNER:
            mine = select(Member).where(Member.workspace_id == place.id, Member.user_id == by.user_id)
            former = session.scalars(mine).one()
            former.role = become
            withdraw_beyond(session, place, told[by.user_id], become, now)
        details = {"before": before, "former_becomes": become}
        _record(session, by, "ownership.transfer", place, member.user, now, details)
        names = {"workspace": place.slug, "giver": by.actor.name, "taker": member.user.email}
        _tell(session, post, [(user, words.transferred(user.language, **names)) for user in told.values()], now)
        return member_view(member, domains_of(session, member.id))


def owned_alone_in(session: Session, user_id: int) -> list[str]:
    """Return the slugs of the workspaces that nobody else owns: who has any cannot be removed from the service."""
    mine = select(Member.workspace_id).where(Member.user_id == user_id, Member.role == Role.OWNER)
    others = select(Member.workspace_id).where(Member.user_id != user_id, Member.role == Role.OWNER)
    query = select(Workspace.slug).where(Workspace.id.in_(mine), Workspace.id.not_in(others)).order_by(Workspace.slug)
    return list(session.scalars(query))


def clean_domains(domains: Iterable[str]) -> tuple[str, ...]:
    """Return domains to administer in normal form, sorted; raises InvalidInput."""
    found = tuple(sorted({DomainName.parse(domain).name for domain in domains}))
    if len(found) > MAX_DOMAINS:
        raise InvalidInput("domains", f"at most {MAX_DOMAINS}; the role admin has them all")
    return found


def put_domains(session: Session, member: Member, domains: Iterable[str]) -> None:
    """Make these the domains that a member administers."""
    session.execute(delete(DomainAdmin).where(DomainAdmin.member_id == member.id))
    session.add_all(DomainAdmin(member_id=member.id, domain=domain) for domain in domains)


def withdraw_beyond(session: Session, place: Workspace, inviter: User, role: Role | None, now: datetime) -> None:
    """Withdraw the open invitations of somebody who may not give such roles any more; None: they are gone."""
    invites = role is not None and Permission.MANAGE_MEMBERS in GRANTS[role]
    beyond = [given for given in Role if role is None or not invites or not may_give(role, given)]
    session.execute(
        update(Invitation)
        .where(
            Invitation.workspace_id == place.id,
            Invitation.invited_by == inviter.email,
            Invitation.role.in_(beyond),
            Invitation.accepted_at.is_(None),
            Invitation.withdrawn_at.is_(None),
        )
        .values(withdrawn_at=now)
    )


def _take_out(session: Session, place: Workspace, member: Member, now: datetime) -> MemberView:
    view = member_view(member, domains_of(session, member.id))
    withdraw_beyond(session, place, member.user, None, now)
    put_domains(session, member, ())
    session.delete(member)
    session.flush()
    return view


def _record(
    session: Session, by: By, action: str, place: Workspace, user: User, now: datetime, details: Mapping[str, object]
) -> None:
    on = f"member:{user.email}"
    audit.record_in(session, by.actor, action=action, on=on, workspace=place.slug, details=details, now=now)


def _tell(session: Session, post: Post, letters: Iterable[tuple[User, Text]], now: datetime) -> None:
    for user, text in letters:
        post.put_in(
            session,
            recipient=user.email,
            language=user.language,
            text=text,
            now=now,
            expires_at=now + LETTER_LIFETIME,
        )
