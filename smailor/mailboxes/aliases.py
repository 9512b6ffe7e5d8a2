"""Use cases around aliases, groups and catch-alls. Each function owns its transaction and returns plain values."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from smailor import clock
from smailor.accounts import audit
from smailor.accounts.audit import SERVICE, Actor
from smailor.address import Address, DomainName
from smailor.database.engine import Database
from smailor.domains import service as domains
from smailor.errors import Conflict, InvalidInput, NotFound
from smailor.mailboxes.models import Alias, Inbox
from smailor.mailboxes.service import plain_address


@dataclass(frozen=True, slots=True)
class AliasView:
    """One target of an alias.

    Attributes:
        source: the alias's address, `@domain` for the catch-all.
        target: where its mail goes.
    """

    id: int
    source: str
    target: str


def create_alias(
    database: Database, *, workspace: str, source: str, target: str, actor: Actor = SERVICE, now: datetime
) -> AliasView:
    """Deliver mail for one address to another; several targets for one source make a group.

    Args:
        database: where to.
        workspace: the workspace's slug.
        source: an address in one of its domains, or `@domain` for the catch-all.
        target: an address, ours or a stranger's.
        actor: who.
        now: the present moment.

    Raises:
        InvalidInput: a value cannot be used, or the alias would point to itself.
        NotFound: the workspace has no such domain.
        Conflict: the source is an inbox, or the alias has that target already.
    """
    address, domain_name = _source(source)
    to = Address.parse(target)
    if str(to) == address:
        raise InvalidInput("target", "is the alias itself")
    try:
        with database.transaction() as session:
            domain = domains.domain_in(session, workspace, domain_name)
            inbox = select(Inbox.id).where(Inbox.domain_id == domain.id, Inbox.address == address)
            if session.scalar(inbox) is not None:
                raise Conflict(f"{address} is an inbox already")
            row = Alias(domain_id=domain.id, source=address, target=str(to), created_at=now)
            session.add(row)
            session.flush()
            audit.record_in(
                session,
                actor,
                action="alias.add",
                on=f"alias:{address}",
                workspace=workspace,
                details={"target": str(to)},
                now=now,
            )
            return AliasView(row.id, row.source, row.target)
    except IntegrityError as error:
        raise Conflict(f"{address} delivers to {to} already") from error


def list_aliases(
    database: Database, *, workspace: str | None = None, among: Sequence[domains.DomainView] | None = None
) -> tuple[AliasView, ...]:
    """Return the aliases of one workspace, or of all, by source and target.

    Args:
        database: where they are.
        workspace: its slug; None: all.
        among: its domains, where the caller has them already.

    Raises:
        NotFound: no such workspace.
    """
    with database.reading() as session:
        known = domains.list_domains_in(session, workspace) if among is None else among
        ids = [domain.id for domain in known]
        rows = session.scalars(select(Alias).where(Alias.domain_id.in_(ids)).order_by(Alias.source, Alias.target))
        return tuple(AliasView(row.id, row.source, row.target) for row in rows)


def delete_alias(
    database: Database,
    *,
    workspace: str,
    source: str,
    target: str | None = None,
    actor: Actor = SERVICE,
    now: datetime | None = None,
) -> None:
    """Delete an alias with all its targets, or one target of it.

    Args:
        database: where to.
        workspace: the workspace's slug.
        source: the alias.
        target: the one target to delete; None: all.
        actor: who.
        now: the present moment; None: by the clock.

    Raises:
        InvalidInput: source or target is no address.
        NotFound: the workspace has no such alias.
    """
    address, domain_name = _source(source)
    with database.transaction() as session:
        domain = domains.domain_in(session, workspace, domain_name)
        query = delete(Alias).where(Alias.domain_id == domain.id, Alias.source == address)
        if target is not None:
            query = query.where(Alias.target == str(Address.parse(target)))
        targets = session.scalars(query.returning(Alias.target)).all()
        if not targets:
            raise NotFound(f"{workspace} has no such alias {source}")
        audit.record_in(
            session,
            actor,
            action="alias.delete",
            on=f"alias:{address}",
            workspace=workspace,
            details={"targets": sorted(targets)},
            now=now or clock.now(),
        )


def _source(source: str) -> tuple[str, str]:
    """Read an alias's source, written `@domain` or `*@domain` for the catch-all; raises InvalidInput.

    Returns:
        The source in normal form, and its domain.
    """
    local_part, at, domain = source.strip().rpartition("@")
    if at and local_part in {"", "*"}:
        name = DomainName.parse(domain).name
        return f"@{name}", name
    parsed = plain_address(source)
    return str(parsed), parsed.domain.name
