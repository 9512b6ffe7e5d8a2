"""A member goes, and with them what they could open: their rows as readers, in the transaction that takes them out.

App passwords belong to an inbox, not to a person. Those of an inbox that nobody else reads are revoked with its reader;
those of a shared one stay, since they are its other readers' devices, too: the caller is told which to look after.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from smailor.accounts import app_passwords, audit, member_changes
from smailor.accounts.authority import By
from smailor.accounts.members import MemberView
from smailor.accounts.posting import Post
from smailor.database.engine import Database
from smailor.domains import service as domains
from smailor.mailboxes.models import Inbox, InboxReader


@dataclass(frozen=True, slots=True)
class Departure:
    """A member who is gone.

    Attributes:
        member: who, and what they were.
        closed: inboxes that nobody reads now; their app passwords are revoked, their connections are to be ended.
        shared: inboxes that others read on; app passwords that the departed knows may be among theirs.
    """

    member: MemberView
    closed: tuple[str, ...]
    shared: tuple[str, ...]


def remove(database: Database, *, workspace: str, member_id: int, by: By, post: Post, now: datetime) -> Departure:
    """Take a member out of a workspace and its inboxes; arguments and errors as of `member_changes.remove_in`."""
    return _depart(
        database,
        workspace,
        lambda session: member_changes.remove_in(
            session, workspace=workspace, member_id=member_id, by=by, post=post, now=now
        ),
        by,
        now,
    )


def leave(database: Database, *, workspace: str, user_id: int, by: By, post: Post, now: datetime) -> Departure:
    """Leave a workspace and its inboxes; arguments and errors as of `member_changes.leave_in`."""
    return _depart(
        database,
        workspace,
        lambda session: member_changes.leave_in(
            session, workspace=workspace, user_id=user_id, by=by, post=post, now=now
        ),
        by,
        now,
    )


def _depart(
    database: Database, workspace: str, take_out: Callable[[Session], MemberView], by: By, now: datetime
) -> Departure:
    with database.transaction() as session:
        member = take_out(session)
        owned = domains.list_domains_in(session, workspace)
        among = [domain.id for domain in owned]
        # Of a domain that is only claimed, an inbox may have the address of somebody else's.
        live = {domain.id for domain in owned if domain.verified_at is not None}
        mine = (
            select(Inbox)
            .join(InboxReader, InboxReader.inbox_id == Inbox.id)
            .where(Inbox.domain_id.in_(among), InboxReader.user_id == member.user.id)
            .order_by(Inbox.address)
        )
        read = session.scalars(mine).all()
        ids = [inbox.id for inbox in read]
        session.execute(delete(InboxReader).where(InboxReader.inbox_id.in_(ids), InboxReader.user_id == member.user.id))
        others = set(session.scalars(select(InboxReader.inbox_id).where(InboxReader.inbox_id.in_(ids))))
        closed = tuple(inbox.address for inbox in read if inbox.id not in others and inbox.domain_id in live)
        for address in closed:
            app_passwords.revoke_all_in(session, address)
        for inbox in read:
            audit.record_in(
                session,
                by.actor,
                action="inbox-reader.remove",
                on=f"account:{inbox.address}",
                workspace=workspace,
                details={"reader": member.user.email, "app_passwords_revoked": inbox.address in closed},
                now=now,
            )
        shared = tuple(inbox.address for inbox in read if inbox.id in others and inbox.domain_id in live)
        return Departure(member=member, closed=closed, shared=shared)
