"""Coming in by an invitation: seen, accepted, and a newcomer's account, verified address and membership in one.

Each function owns its transaction; those ending in `_in` run within the caller's.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from smailor.accounts import audit, invitations, member_changes, password_rules, passwords
from smailor.accounts import workspace_letters as words
from smailor.accounts.audit import Actor
from smailor.accounts.authority import By
from smailor.accounts.desk import Asked, Desk
from smailor.accounts.models import Invitation, Member, User, Workspace
from smailor.accounts.names import clean_name
from smailor.accounts.permissions import Role
from smailor.accounts.posting import Post
from smailor.accounts.workspaces import workspace_row
from smailor.database.engine import Database
from smailor.errors import NotFound

MAX_TOKEN = 200


@dataclass(frozen=True, slots=True)
class Offer:
    """An invitation, as the one sees it who holds its token.

    Attributes:
        workspace: the workspace's slug.
        name: what people call the workspace.
        email: the address that it was made to.
    """

    workspace: str
    name: str
    email: str
    role: Role
    invited_by: str
    expires_at: datetime


def look(database: Database, *, token: str, now: datetime) -> Offer:
    """Return what an invitation offers, without using it up.

    Raises:
        NotFound: there is none of that token, or it was accepted, withdrawn or is over.
    """
    with database.reading() as session:
        row, place = _by_token(session, token, now)
        return _offer(row, place)


def accept(database: Database, *, token: str, user_id: int, by: By, post: Post, now: datetime) -> str:
    """Become a member by an invitation, which is used up.

    Args:
        database: where to.
        token: of the letter.
        user_id: who is logged in; their verified address is the invited one.
        by: the same, for the audit trail.
        post: writes to who invited them.
        now: the present moment.

    Returns:
        The workspace's slug. Who is a member already stays what they are.

    Raises:
        NotFound: there is no such invitation any more, or it was made to somebody else.
    """
    with database.transaction() as session:
        user = session.get(User, user_id)
        if user is None or user.email_verified_at is None:
            raise NotFound("there is no such invitation")
        return accept_in(session, token=token, user=user, by=by, post=post, now=now)


def accept_in(session: Session, *, token: str, user: User, by: By, post: Post, now: datetime) -> str:
    """Become a member by an invitation, within a transaction of this room; the rest as in `accept`."""
    _, place = _by_token(session, token, now)
    workspace_row(session, place.slug, locked=True)
    session.expire_all()
    row, place = _by_token(session, token, now)  # once more: somebody may have used it up until the lock was ours
    if row.email != user.email:
        raise NotFound("there is no such invitation")
    row.accepted_at = now
    known = session.scalar(select(Member).where(Member.workspace_id == place.id, Member.user_id == user.id))
    if known is None:
        member = Member(workspace_id=place.id, user_id=user.id, role=row.role, created_at=now)
        session.add(member)
        session.flush()
        member_changes.put_domains(session, member, row.domains)
    invitations.record_in(session, by, "invitation.accept", place, row, now)
    inviter = session.scalar(select(User).where(User.email == row.invited_by))
    if inviter is not None:
        post.put_in(
            session,
            recipient=inviter.email,
            language=inviter.language,
            text=words.joined(inviter.language, workspace=place.slug, member=user.email, role=Role(row.role)),
            now=now,
            expires_at=now + member_changes.LETTER_LIFETIME,
        )
    return place.slug


def join(
    database: Database,
    desk: Desk,
    *,
    token: str,
    name: str,
    password: str,
    asked: Asked,
) -> None:
    """Open an account for the invited address, and accept the invitation.

    Where the address has a verified account nothing at all changes, and it takes as long: its owner logs in and accepts
    there. Whoever asks is told the same.

    Args:
        database: where to.
        desk: letters and breached passwords.
        token: of the invitation's letter, which shows that the address is theirs.
        name: what to call them.
        password: what they chose.
        asked: language, source and moment.

    Raises:
        NotFound: there is no such invitation any more.
        InvalidInput: name or password cannot be used.
    """
    now = asked.now
    offer = look(database, token=token, now=now)
    wanted = clean_name("name", name)
    about = (offer.email, wanted, desk.head.service)
    password_rules.check(password, about=about, breached=desk.breached)
    password_hash = passwords.hash_password(password)
    actor = Actor(offer.email, asked.source)
    with database.transaction() as session:
        user = session.scalar(select(User).where(User.email == offer.email))
        if user is not None and user.email_verified_at is not None:
            return
        if user is None:
            user = User(email=offer.email, operator=False, created_at=now)
            session.add(user)
        # An address that somebody signed up with and nobody has verified: what was typed there is not its owner's.
        user.name, user.password_hash, user.language = wanted, password_hash, asked.language
        user.email_verified_at = now
        session.flush()
        audit.record_in(session, actor, action="account.verify", on=f"account:{user.email}", now=now)
        accept_in(session, token=token, user=user, by=By(actor, user.id), post=Post(desk.head, desk.sealer), now=now)


def _by_token(session: Session, token: str, now: datetime) -> tuple[Invitation, Workspace]:
    if not token or len(token) > MAX_TOKEN:
        raise NotFound("there is no such invitation")
    row = session.scalar(
        select(Invitation).where(
            Invitation.token_sha256 == passwords.digest_secret(token),
            Invitation.accepted_at.is_(None),
            Invitation.withdrawn_at.is_(None),
            Invitation.expires_at > now,
        )
    )
    if row is None:
        raise NotFound("there is no such invitation")
    return row, session.get_one(Workspace, row.workspace_id)


def _offer(row: Invitation, place: Workspace) -> Offer:
    return Offer(
        workspace=place.slug,
        name=place.name,
        email=row.email,
        role=Role(row.role),
        invited_by=row.invited_by,
        expires_at=row.expires_at,
    )
