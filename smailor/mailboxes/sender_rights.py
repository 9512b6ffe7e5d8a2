"""Use cases around rights to send: as another inbox (delegated), or as any address of a domain (domain-wide).

Both stay within a workspace, are given by who manages its inboxes, and count and end with the next message. An inbox's
own address and the aliases that deliver to it need no such right. What it comes to is the view `mta_senders`, which
Postfix and `service.may_send_as` read; it leaves out whatever is not verified or not in one workspace any more.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from smailor.address import DomainName
from smailor.database.engine import Database
from smailor.domains import service as domains
from smailor.errors import Conflict, InvalidInput, NotFound
from smailor.mailboxes.models import Inbox, SenderDelegation, SenderDomain
from smailor.mailboxes.service import inbox_in, plain_address


@dataclass(frozen=True, slots=True)
class SenderRight:
    """A right that was given.

    Attributes:
        login: the inbox that has it.
        sender: the address that it may send as, `@domain` for all of a domain.
    """

    login: str
    sender: str
    created_at: datetime


def allow(database: Database, *, workspace: str, login: str, sender: str, now: datetime) -> SenderRight:
    """Let an inbox send as another inbox, or as any address of a domain.

    Args:
        database: where to.
        workspace: the workspace's slug; both sides are in it.
        login: the inbox that gets the right.
        sender: the other inbox's address, or `@domain`.
        now: the present moment.

    Raises:
        InvalidInput: login or sender is no address, or they are the same.
        NotFound: the workspace has no such inbox or domain.
        Conflict: the domain is not verified, or the inbox may do so already.
    """
    address = str(plain_address(login))
    try:
        with database.transaction() as session:
            inbox, _ = inbox_in(session, workspace, address)
            row = _right(session, workspace, inbox, sender, now)
            session.add(row)
            session.flush()
            return SenderRight(address, _normal(sender), now)
    except IntegrityError as error:
        raise Conflict(f"{address} may send as {_normal(sender)} already") from error


def disallow(database: Database, *, workspace: str, login: str, sender: str) -> None:
    """Take such a right away: the next message is refused.

    Raises:
        InvalidInput: login or sender is no address.
        NotFound: the workspace has no such inbox or domain, or the inbox no such right.
    """
    address, wanted = str(plain_address(login)), _normal(sender)
    with database.transaction() as session:
        inbox, _ = inbox_in(session, workspace, address)
        if wanted.startswith("@"):
            domain = delete(SenderDomain).where(SenderDomain.inbox_id == inbox.id, SenderDomain.sender == wanted)
            gone = session.scalars(domain.returning(SenderDomain.id)).all()
        else:
            other, _ = inbox_in(session, workspace, wanted)
            one = delete(SenderDelegation).where(
                SenderDelegation.inbox_id == inbox.id, SenderDelegation.sender_id == other.id
            )
            gone = session.scalars(one.returning(SenderDelegation.id)).all()
        if not gone:
            raise NotFound(f"{address} has no right to send as {wanted}")


def list_rights(database: Database, *, workspace: str, login: str | None = None) -> tuple[SenderRight, ...]:
    """Return the rights that were given in a workspace, or to one of its inboxes, by inbox and sender.

    Raises:
        InvalidInput: login is no address.
        NotFound: no such workspace, or the workspace has no such inbox.
    """
    with database.snapshot() as session:
        if login is None:
            ids = [domain.id for domain in domains.list_domains_in(session, workspace)]
            among: ColumnElement[bool] = Inbox.domain_id.in_(ids)
        else:
            among = Inbox.id == inbox_in(session, workspace, login)[0].id
        other = aliased(Inbox)
        delegated = (
            select(Inbox.address, other.address, SenderDelegation.created_at)
            .join(SenderDelegation, SenderDelegation.inbox_id == Inbox.id)
            .join(other, other.id == SenderDelegation.sender_id)
            .where(among)
        )
        domain_wide = (
            select(Inbox.address, SenderDomain.sender, SenderDomain.created_at)
            .join(SenderDomain, SenderDomain.inbox_id == Inbox.id)
            .where(among)
        )
        rows = [*session.execute(domain_wide), *session.execute(delegated)]
        return tuple(sorted((SenderRight(*row) for row in rows), key=lambda right: (right.login, right.sender)))


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
    with database.snapshot() as session:
        addresses = session.scalars(may, {"login": login}).all()
        own = set(session.scalars(comes, {"login": login}))
        rows = session.execute(select(Inbox.address, Inbox.name, Inbox.domain_id).where(Inbox.address.in_(addresses)))
        found = rows.all()
        among = domains.domains_in(session, list({row.domain_id for row in found}))
    names = {row.address: row.name for row in found if among[row.domain_id].verified_at is not None}
    ordered = sorted(addresses, key=lambda address: (address != login, address))
    return tuple(Sender(address, names.get(address, ""), address in own) for address in ordered)


def _right(
    session: Session, workspace: str, inbox: Inbox, sender: str, now: datetime
) -> SenderDelegation | SenderDomain:
    """Return the row of a right that may be given; raises InvalidInput, NotFound, Conflict."""
    wanted = _normal(sender)
    if wanted.startswith("@"):
        domain = _verified(domains.domain_in(session, workspace, wanted[1:]))
        return SenderDomain(inbox_id=inbox.id, domain_id=domain.id, sender=wanted, created_at=now)
    other, domain = inbox_in(session, workspace, wanted)
    _verified(domain)
    if other.id == inbox.id:
        raise InvalidInput("sender", "is the inbox's own address, which it may use anyway")
    return SenderDelegation(inbox_id=inbox.id, sender_id=other.id, created_at=now)


def _verified(domain: domains.DomainView) -> domains.DomainView:
    if domain.verified_at is None:
        raise Conflict(f"{domain.name} is not verified yet, so nobody sends as it")
    return domain


def _normal(sender: str) -> str:
    """Return an inbox's address or `@domain` in normal form; raises InvalidInput."""
    stripped = sender.strip()
    try:
        if stripped.startswith("@"):
            return f"@{DomainName.parse(stripped[1:]).name}"
        return str(plain_address(stripped))
    except InvalidInput as error:
        raise InvalidInput("sender", error.message) from error
