"""Use cases around inboxes and their readers. Each function owns its transaction and returns plain values.

Secrets that open an inbox are the business of `smailor.accounts.app_passwords`.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, exists, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from smailor import clock
from smailor.accounts import app_passwords, audit
from smailor.accounts import service as accounts
from smailor.accounts.audit import SERVICE, Actor
from smailor.accounts.names import clean_name
from smailor.address import Address
from smailor.database.engine import Database
from smailor.domains import service as domains
from smailor.errors import Conflict, InvalidInput, NotFound
from smailor.mailboxes.models import Alias, Inbox, InboxReader

DEFAULT_QUOTA_BYTES = 10 * 1024**3
MIN_QUOTA_BYTES = 1024**2
_LOGIN = re.compile(r"[a-z0-9._-]+")
"""An inbox's local part is a login name, for which Dovecot takes these characters, and a directory: no slash in it."""


@dataclass(frozen=True, slots=True)
class InboxView:
    """An inbox, as other rooms and faces see it."""

    id: int
    address: str
    name: str
    workspace: str
    quota_bytes: int
    created_at: datetime


def create_inbox(
    database: Database,
    *,
    workspace: str,
    address: str,
    name: str,
    quota_bytes: int = DEFAULT_QUOTA_BYTES,
    reader: str | None = None,
    actor: Actor = SERVICE,
    now: datetime,
) -> InboxView:
    """Create an inbox in one of the workspace's domains; it takes part in mail once that domain is verified.

    Args:
        database: where to.
        workspace: the workspace's slug.
        address: its address.
        name: whose or what it is; the display name of what it sends.
        quota_bytes: how much mail it may hold.
        reader: address of the person who opens it in the web interface; None: nobody yet.
        actor: who.
        now: the present moment.

    Raises:
        InvalidInput: a value cannot be used.
        NotFound: the workspace has no such domain, or there is no such person.
        Conflict: the address is taken by an inbox or an alias.
    """
    parsed = plain_address(address)
    if not _LOGIN.fullmatch(parsed.local_part):
        raise InvalidInput("address", "an inbox has letters, digits, dots, hyphens and underscores before the @")
    if quota_bytes < MIN_QUOTA_BYTES:
        raise InvalidInput("quota", "is at least 1 MiB")
    display_name = clean_name("name", name)
    try:
        with database.transaction() as session:
            domain = domains.domain_in(session, workspace, parsed.domain.name)
            if _exists(session, select(Alias).where(Alias.domain_id == domain.id, Alias.source == str(parsed))):
                raise Conflict(f"{parsed} is an alias already")
            inbox = Inbox(
                domain_id=domain.id,
                address=str(parsed),
                name=display_name,
                quota_bytes=quota_bytes,
                created_at=now,
            )
            session.add(inbox)
            session.flush()
            if reader is not None:
                session.add(InboxReader(inbox_id=inbox.id, user_id=accounts.user_in(session, reader).id))
            _record(session, actor, "inbox.add", inbox, workspace, now, {"reader": reader} if reader else {})
            return _view(inbox, domain)
    except IntegrityError as error:
        raise Conflict(f"there is already an inbox {parsed}") from error


def list_inboxes(
    database: Database, *, workspace: str | None = None, among: Sequence[domains.DomainView] | None = None
) -> tuple[InboxView, ...]:
    """Return the inboxes of one workspace, or of all, by address.

    Args:
        database: where they are.
        workspace: its slug; None: all.
        among: its domains, where the caller has them already.

    Raises:
        NotFound: no such workspace.
    """
    with database.reading() as session:
        known = domains.list_domains_in(session, workspace) if among is None else among
        by_id = {domain.id: domain for domain in known}
        rows = session.scalars(select(Inbox).where(Inbox.domain_id.in_(by_id)).order_by(Inbox.address))
        return tuple(_view(row, by_id[row.domain_id]) for row in rows)


def addresses_in(session: Session, among: Collection[str]) -> tuple[str, ...]:
    """Return the addresses of the inboxes of some verified domains, within a transaction of a room above.

    Args:
        session: to read by.
        among: names of domains; one that is not verified has no inboxes here.
    """
    query = select(Inbox.address).where(Inbox.domain_id.in_(domains.verified_ids(among)))
    return tuple(session.scalars(query.order_by(Inbox.address)))


def inboxes_of(database: Database, *, user_id: int) -> tuple[InboxView, ...]:
    """Return the inboxes that a person may open, by address; those of unverified domains are not among them."""
    with database.reading() as session:
        return _readable(session, user_id, None)


def inbox_for_reader(database: Database, *, user_id: int, address: str) -> InboxView:
    """Return an inbox that a person may open: the one gate to other people's mail.

    Raises:
        NotFound: there is no such inbox, or it is not theirs to open.
    """
    with database.reading() as session:
        found = _readable(session, user_id, address)
    if not found:
        raise NotFound(f"there is no inbox {address}")
    return found[0]


def add_reader(
    database: Database,
    *,
    workspace: str,
    address: str,
    reader: str,
    actor: Actor = SERVICE,
    now: datetime | None = None,
) -> None:
    """Let a person open an inbox in the web interface; doing so twice changes nothing.

    Args:
        database: where to.
        workspace: the workspace's slug.
        address: the inbox.
        reader: the person's address.
        actor: who decides it.
        now: the present moment; None: by the clock.

    Raises:
        NotFound: no such inbox or person.
    """
    with database.transaction() as session:
        inbox, _ = inbox_in(session, workspace, address)
        user = accounts.user_in(session, reader)
        known = select(InboxReader).where(InboxReader.inbox_id == inbox.id, InboxReader.user_id == user.id)
        if not _exists(session, known):
            session.add(InboxReader(inbox_id=inbox.id, user_id=user.id))
            _record(session, actor, "inbox-reader.add", inbox, workspace, now, {"reader": user.email})


def readers_of(database: Database, *, workspace: str, address: str) -> tuple[accounts.UserView, ...]:
    """Return the people who may open an inbox, by address.

    Raises:
        NotFound: the workspace has no such inbox.
    """
    with database.reading() as session:
        inbox, _ = inbox_in(session, workspace, address)
        ids = session.scalars(select(InboxReader.user_id).where(InboxReader.inbox_id == inbox.id)).all()
        return accounts.users_in(session, ids)


def inbox(database: Database, *, workspace: str, address: str) -> InboxView:
    """Return one inbox of a workspace.

    Raises:
        NotFound: the workspace has no such inbox.
    """
    with database.reading() as session:
        found, domain = inbox_in(session, workspace, address)
        return _view(found, domain)


def delete_inbox(
    database: Database, *, workspace: str, address: str, actor: Actor = SERVICE, now: datetime | None = None
) -> None:
    """Delete an inbox, its readers, rights and secrets; the mail on disk is left to the operator's retention.

    Args:
        database: where to.
        workspace: the workspace's slug.
        address: the inbox.
        actor: who.
        now: the present moment; None: by the clock.

    Raises:
        NotFound: the workspace has no such inbox.
    """
    with database.transaction() as session:
        found, domain = inbox_in(session, workspace, address)
        # Of a domain that is only claimed, the address may be that of somebody else's inbox, and so may the secrets.
        if domain.verified_at is not None:
            app_passwords.revoke_all_in(session, found.address)
        session.delete(found)
        _record(session, actor, "inbox.delete", found, workspace, now)


def sender_addresses(database: Database, *, login: str) -> tuple[str, ...]:
    """Return the addresses that an account may send as, its own first; `@domain` stands for any of a domain."""
    query = text("SELECT DISTINCT sender FROM mta_senders WHERE login = :login")
    with database.reading() as session:
        senders = session.scalars(query, {"login": login}).all()
    return tuple(sorted(senders, key=lambda sender: (sender != login, sender)))


def plain_address(text_: str) -> Address:
    """Read the address of an inbox or alias, which has no sub-address of its own.

    Raises:
        InvalidInput: it is no address, or its local part holds the sub-address delimiter.
    """
    parsed = Address.parse(text_)
    if "+" in parsed.local_part:
        raise InvalidInput("address", "the + begins a sub-address and cannot be part of an inbox's name")
    return parsed


def inbox_in(session: Session, workspace: str, address: str) -> tuple[Inbox, domains.DomainView]:
    """Return an inbox's row and domain, within a transaction of this room; raises InvalidInput, NotFound."""
    parsed = plain_address(address)
    domain = domains.domain_in(session, workspace, parsed.domain.name)
    found = session.scalar(select(Inbox).where(Inbox.domain_id == domain.id, Inbox.address == str(parsed)))
    if found is None:
        raise NotFound(f"{workspace} has no inbox {parsed}")
    return found, domain


def _record(
    session: Session,
    actor: Actor,
    action: str,
    inbox: Inbox,
    workspace: str,
    now: datetime | None,
    details: Mapping[str, str] | None = None,
) -> None:
    on, at = f"account:{inbox.address}", now or clock.now()
    audit.record_in(session, actor, action=action, on=on, workspace=workspace, details=details, now=at)


def _exists(session: Session, query: Select[Any]) -> bool:
    return bool(session.scalar(select(exists(query.subquery()))))


def _readable(session: Session, user_id: int, address: str | None) -> tuple[InboxView, ...]:
    """The inboxes, or the one of that address, that a person may open: those of verified domains."""
    query = select(Inbox).join(InboxReader, InboxReader.inbox_id == Inbox.id).where(InboxReader.user_id == user_id)
    if address is not None:
        query = query.where(Inbox.address == address)
    rows = session.scalars(query.order_by(Inbox.address)).all()
    by_id = domains.domains_in(session, [row.domain_id for row in rows])
    return tuple(_view(row, by_id[row.domain_id]) for row in rows if by_id[row.domain_id].verified_at is not None)


def _view(row: Inbox, domain: domains.DomainView) -> InboxView:
    return InboxView(
        id=row.id,
        address=row.address,
        name=row.name,
        workspace=domain.workspace,
        quota_bytes=row.quota_bytes,
        created_at=row.created_at,
    )
