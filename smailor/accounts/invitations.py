"""Use cases around invitations: made, sent again, withdrawn. Each function owns its transaction. Accepted: joining.py.

An invitation is known by the digest of its token, which stands in one letter only. It works once, for seven days, and
for the address that it was made to. Whether that address has an account is told to nobody: who invites gets the same
answer, the same list and the same letter either way.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from smailor.accounts import audit, authority, member_changes, passwords
from smailor.accounts import workspace_letters as words
from smailor.accounts.authority import By
from smailor.accounts.models import Invitation, Member, User, Workspace
from smailor.accounts.permissions import Permission, Role
from smailor.accounts.posting import Post
from smailor.accounts.workspaces import workspace_row
from smailor.address import Address
from smailor.database.engine import Database
from smailor.errors import Conflict, InvalidInput, NotFound

LIFETIME = timedelta(days=7)
DAY = timedelta(days=1)
LETTERS_A_DAY = 100
"""Invitations that a workspace makes or sends again in 24 hours: nobody sends mass mail through us this way."""
LETTERS_A_DAY_TO_ONE = 3
MAX_OPEN = 200


@dataclass(frozen=True, slots=True)
class InvitationView:
    """An invitation, as those see it who manage the workspace's members.

    Attributes:
        domains: the domains that they would administer, whatever their role.
        invited_by: the address of who invited them.
        created_at: when its letter was posted.
        expires_at: until when it can be accepted.
    """

    id: int
    email: str
    role: Role
    domains: tuple[str, ...]
    invited_by: str
    created_at: datetime
    expires_at: datetime


def invite(
    database: Database,
    *,
    workspace: str,
    email: str,
    role: Role,
    domains: Collection[str] = (),
    by: By,
    post: Post,
    now: datetime,
) -> InvitationView:
    """Invite somebody by a letter.

    Args:
        database: where to.
        workspace: its slug.
        email: whom.
        role: what they would be.
        domains: what they would administer beside; the caller knows that the workspace has them.
        by: who invites.
        post: writes the letter.
        now: the present moment.

    Raises:
        InvalidInput: address or domains cannot be used, or too many letters were sent.
        PermissionDenied: who invites may not, or not with that role.
        Conflict: they are a member, or have an open invitation.
        NotFound: no such workspace.
    """
    address, wanted = str(Address.parse(email)), member_changes.clean_domains(domains)
    with database.transaction() as session:
        place, own = authority.enter(session, workspace, by, Permission.MANAGE_MEMBERS)
        authority.demand(own, role)
        member = select(Member.id).join(Member.user).where(Member.workspace_id == place.id, User.email == address)
        if session.scalar(member) is not None:
            raise Conflict(f"{address} is a member already")
        if session.scalar(_open(place, now).where(Invitation.email == address)) is not None:
            raise Conflict(f"{address} has an open invitation: send it again")
        _bound(session, place, address, now)
        row = Invitation(
            workspace_id=place.id,
            email=address,
            role=role,
            domains=list(wanted),
            token_sha256="",
            invited_by=by.actor.name,
            created_at=now,
            expires_at=now,
        )
        _send(session, place, row, post, now)
        session.add(row)
        session.flush()
        record_in(session, by, "invitation.create", place, row, now)
        return _view(row)


def resend(
    database: Database, *, workspace: str, invitation_id: int, by: By, post: Post, now: datetime
) -> InvitationView:
    """Send an open invitation once more, with a new token and new seven days; the old letter's link is dead.

    Raises:
        NotFound: no such workspace, or it never had such an invitation.
        Conflict: it was accepted or withdrawn.
        PermissionDenied: who asks for it may not, or not with that role.
        InvalidInput: too many letters were sent.
    """
    with database.transaction() as session:
        place, own = authority.enter(session, workspace, by, Permission.MANAGE_MEMBERS)
        old = _pending(session, place, invitation_id)
        authority.demand(own, Role(old.role))
        _bound(session, place, old.email, now)
        old.withdrawn_at = now
        row = Invitation(
            workspace_id=place.id,
            email=old.email,
            role=old.role,
            domains=old.domains,
            token_sha256="",
            invited_by=by.actor.name,
            created_at=now,
            expires_at=now,
        )
        _send(session, place, row, post, now)
        session.add(row)
        session.flush()
        record_in(session, by, "invitation.resend", place, row, now)
        return _view(row)


def withdraw(database: Database, *, workspace: str, invitation_id: int, by: By, now: datetime) -> InvitationView:
    """Take an invitation back: its link is dead.

    Raises:
        NotFound: no such workspace, or it never had such an invitation.
        Conflict: it was accepted or withdrawn.
        PermissionDenied: who withdraws it may not, or not one with that role.
    """
    with database.transaction() as session:
        place, own = authority.enter(session, workspace, by, Permission.MANAGE_MEMBERS)
        row = _pending(session, place, invitation_id)
        authority.demand(own, Role(row.role))
        row.withdrawn_at = now
        record_in(session, by, "invitation.withdraw", place, row, now)
        return _view(row)


def list_open(database: Database, *, workspace: str, now: datetime) -> tuple[InvitationView, ...]:
    """Return the invitations that were neither accepted nor withdrawn and have not been over for a week, newest first.

    Raises:
        NotFound: no such workspace.
    """
    with database.reading() as session:
        place = workspace_row(session, workspace)
        query = _waiting(place).where(Invitation.expires_at > now - LIFETIME)
        rows = session.scalars(query.order_by(Invitation.id.desc()).limit(MAX_OPEN))
        return tuple(_view(row) for row in rows)


def _send(session: Session, place: Workspace, row: Invitation, post: Post, now: datetime) -> None:
    """Draw a token, and post the letter that alone has it."""
    token = passwords.draw_secret()
    row.token_sha256, row.expires_at = passwords.digest_secret(token), now + LIFETIME
    inviter = session.scalar(select(User.language).where(User.email == row.invited_by))
    # In the inviter's language: whether the invited one has an account, and a language, must not show.
    language = inviter or ""
    text = words.invitation(
        language,
        workspace=place.slug,
        inviter=row.invited_by,
        role=Role(row.role),
        link=f"{post.head.public_url}/invitations/{token}",
        until=row.expires_at,
    )
    post.put_in(session, recipient=row.email, language=language, text=text, now=now, expires_at=row.expires_at)


def _bound(session: Session, place: Workspace, address: str, now: datetime) -> None:
    """Refuse what would make a mail cannon of us; raises InvalidInput."""
    recent = select(func.count()).where(Invitation.workspace_id == place.id, Invitation.created_at > now - DAY)
    if (session.scalar(recent.where(Invitation.email == address)) or 0) >= LETTERS_A_DAY_TO_ONE:
        raise InvalidInput("email", f"at most {LETTERS_A_DAY_TO_ONE} letters a day to one address: try tomorrow")
    if (session.scalar(recent) or 0) >= LETTERS_A_DAY:
        raise InvalidInput("email", f"at most {LETTERS_A_DAY} invitations a day: try tomorrow")


def _waiting(place: Workspace) -> Select[Invitation]:
    return select(Invitation).where(
        Invitation.workspace_id == place.id, Invitation.accepted_at.is_(None), Invitation.withdrawn_at.is_(None)
    )


def _open(place: Workspace, now: datetime) -> Select[Invitation]:
    return _waiting(place).where(Invitation.expires_at > now)


def _pending(session: Session, place: Workspace, invitation_id: int) -> Invitation:
    """Return an invitation that can be sent again or withdrawn, its time up or not.

    Raises:
        NotFound: the workspace never had it.
        Conflict: it was accepted or withdrawn.
    """
    query = select(Invitation).where(Invitation.workspace_id == place.id, Invitation.id == invitation_id)
    row = session.scalar(query)
    if row is None:
        raise NotFound(f"{place.slug} has no such invitation")
    if row.accepted_at is not None or row.withdrawn_at is not None:
        raise Conflict("that invitation is not open any more")
    return row


def record_in(session: Session, by: By, action: str, place: Workspace, row: Invitation, now: datetime) -> None:
    """Write down what is done with an invitation; for the files of this room."""
    details = {"role": row.role, "domains": list(row.domains)}
    on = f"invitation:{row.email}"
    audit.record_in(session, by.actor, action=action, on=on, workspace=place.slug, details=details, now=now)


def _view(row: Invitation) -> InvitationView:
    return InvitationView(
        id=row.id,
        email=row.email,
        role=Role(row.role),
        domains=tuple(row.domains),
        invited_by=row.invited_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )
