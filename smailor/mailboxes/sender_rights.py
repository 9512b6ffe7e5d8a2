"""Use cases around rights to send: as another inbox (delegated), or as any address of a domain (domain-wide).

Both stay within a workspace, are given by who manages its inboxes, and count and end with the next message. An inbox's
own address and the aliases that deliver to it need no such right. What it comes to is the view `mta_senders`, which
Postfix and `may_send.may_send_as` read; it leaves out whatever is not verified or not in one workspace any more.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from smailor import clock
from smailor.accounts import audit
from smailor.accounts.audit import SERVICE, Actor
from smailor.address import DomainName
from smailor.database.engine import Database
from smailor.domains import service as domains
from smailor.errors import Conflict, InvalidInput, NotFound
from smailor.mailboxes.models import Inbox, SenderRight
from smailor.mailboxes.service import InboxView, inbox_in, plain_address


@dataclass(frozen=True, slots=True)
class SenderRightView:
    """A right that was given.

    Attributes:
        login: the inbox that has it.
        sender: the address that it may send as, `@domain` for all of a domain.
    """

    login: str
    sender: str
    created_at: datetime


def allow(
    database: Database, *, workspace: str, login: str, sender: str, actor: Actor = SERVICE, now: datetime
) -> SenderRightView:
    """Let an inbox send as another inbox, or as any address of a domain.

    Args:
        database: where to.
        workspace: the workspace's slug; both sides are in it.
        login: the inbox that gets the right.
        sender: the other inbox's address, or `@domain`.
        actor: who.
        now: the present moment.

    Raises:
        InvalidInput: login or sender is no address, or they are the same.
        NotFound: the workspace has no such inbox or domain.
        Conflict: the domain is not verified, or the inbox may do so already.
    """
    wanted = _normal(sender)
    try:
        with database.transaction() as session:
            inbox, home = inbox_in(session, workspace, login)
            other, domain = _sender_in(session, workspace, wanted)
            if domain.verified_at is None:
                raise Conflict(f"{domain.name} is not verified yet, so nobody sends as it")
            if other is not None and other.id == inbox.id:
                raise InvalidInput("sender", "is the inbox's own address, which it may use anyway")
            row = SenderRight(
                inbox_id=inbox.id,
                home_id=home.id,
                sender_id=other.id if other is not None else None,
                domain_id=domain.id,
                login=inbox.address,
                sender=wanted,
                created_at=now,
            )
            session.add(row)
            session.flush()
            audit.record_in(
                session,
                actor,
                action="sender-right.add",
                on=f"account:{inbox.address}",
                workspace=workspace,
                details={"sender": wanted},
                now=now,
            )
            return _view(row)
    except IntegrityError as error:
        raise Conflict(f"{plain_address(login)} may send as {wanted} already") from error


def disallow(
    database: Database,
    *,
    workspace: str,
    login: str,
    sender: str,
    actor: Actor = SERVICE,
    now: datetime | None = None,
) -> None:
    """Take such a right away: the next message is refused.

    Args:
        database: where to.
        workspace: the workspace's slug.
        login: the inbox that has the right.
        sender: the other inbox's address, or `@domain`.
        actor: who.
        now: the present moment; None: by the clock.

    Raises:
        InvalidInput: login or sender is no address.
        NotFound: the workspace has no such inbox, or the inbox no such right.
    """
    wanted = _normal(sender)
    with database.transaction() as session:
        inbox, _ = inbox_in(session, workspace, login)
        right = delete(SenderRight).where(SenderRight.inbox_id == inbox.id, SenderRight.sender == wanted)
        if not session.scalars(right.returning(SenderRight.id)).all():
            raise NotFound(f"{inbox.address} has no right to send as {wanted}")
        audit.record_in(
            session,
            actor,
            action="sender-right.remove",
            on=f"account:{inbox.address}",
            workspace=workspace,
            details={"sender": wanted},
            now=now or clock.now(),
        )


def list_rights(database: Database, *, workspace: str, login: str | None = None) -> tuple[SenderRightView, ...]:
    """Return the rights that were given in a workspace, or to one of its inboxes, by inbox and sender.

    Raises:
        InvalidInput: login is no address.
        NotFound: no such workspace, or the workspace has no such inbox.
    """
    with database.reading() as session:
        if login is None:
            ids = [domain.id for domain in domains.list_domains_in(session, workspace)]
            among: ColumnElement[bool] = SenderRight.home_id.in_(ids)
        else:
            among = SenderRight.inbox_id == inbox_in(session, workspace, login)[0].id
        rows = session.scalars(select(SenderRight).where(among).order_by(SenderRight.login, SenderRight.sender))
        return tuple(_view(row) for row in rows)


def rights_of(database: Database, *, inbox: InboxView) -> tuple[SenderRightView, ...]:
    """Return the rights that were given to an inbox, which the caller has found in its workspace, by sender."""
    with database.reading() as session:
        rows = session.scalars(select(SenderRight).where(SenderRight.inbox_id == inbox.id).order_by(SenderRight.sender))
        return tuple(_view(row) for row in rows)


@dataclass(frozen=True, slots=True)
class Sender:
    """An address to choose as sender.

    Attributes:
        name: of the inbox with this address, "" for an alias.
        own: whether its mail comes to the account itself.
    """

    address: str
    name: str
    own: bool


def senders(database: Database, *, login: str) -> tuple[Sender, ...]:
    """Return the addresses that an account may send as, its own first: of a whole domain those that there are."""
    may = text("SELECT DISTINCT sender FROM mta_senders WHERE login = :login AND sender NOT LIKE '@%'")
    comes = text("SELECT source FROM mta_aliases WHERE destination = :login")
    with database.reading() as session:
        addresses = session.scalars(may, {"login": login}).all()
        own = set(session.scalars(comes, {"login": login}))
        rows = session.execute(select(Inbox.address, Inbox.name, Inbox.domain_id).where(Inbox.address.in_(addresses)))
        found = rows.all()
        among = domains.domains_in(session, list({row.domain_id for row in found}))
    names = {row.address: row.name for row in found if among[row.domain_id].verified_at is not None}
    ordered = sorted(addresses, key=lambda address: (address != login, address))
    return tuple(Sender(address, names.get(address, ""), address in own) for address in ordered)


def _sender_in(session: Session, workspace: str, sender: str) -> tuple[Inbox | None, domains.DomainView]:
    """Return the inbox, None for a whole domain, and the domain that a sender names; raises NotFound."""
    if sender.startswith("@"):
        return None, domains.domain_in(session, workspace, sender[1:])
    return inbox_in(session, workspace, sender)


def _view(row: SenderRight) -> SenderRightView:
    return SenderRightView(row.login, row.sender, row.created_at)


def _normal(sender: str) -> str:
    """Return an inbox's address or `@domain` in normal form; raises InvalidInput."""
    stripped = sender.strip()
    try:
        if stripped.startswith("@"):
            return f"@{DomainName.parse(stripped[1:]).name}"
        return str(plain_address(stripped))
    except InvalidInput as error:
        raise InvalidInput("sender", error.message) from error
