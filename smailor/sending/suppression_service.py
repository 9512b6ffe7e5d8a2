"""Use cases around suppression: the addresses that a workspace does not write to, by hand and from files.

One list decides for submission, webmail and whatever sends through them: the policy daemon asks it at each recipient.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from sqlalchemy import Select, delete, func, select, text
from sqlalchemy.orm import Session

from smailor.accounts import audit, workspaces
from smailor.accounts.audit import Actor
from smailor.address import Address
from smailor.database.engine import Database
from smailor.errors import Conflict, InvalidInput, NotFound
from smailor.sending.suppression import Imported, Source, Suppressed, clean_reason, read_csv
from smailor.sending.terms_models import Suppression

MAX_ENTRIES = 1_000_000
"""Of one workspace."""
_AT_ONCE = 500
_LENGTH = text(
    "SELECT id, (SELECT count(*) FROM suppressions WHERE workspace_id = sending_workspaces.id)"
    " FROM sending_workspaces WHERE workspace = :workspace"
)


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a workspace's list.

    Attributes:
        entries: by address.
        count: how many addresses the whole list has.
    """

    entries: tuple[Suppressed, ...]
    count: int


def add(
    database: Database,
    *,
    workspace: str,
    address: str,
    reason: str = "",
    source: Source = Source.HAND,
    actor: Actor,
    now: datetime,
) -> Suppressed:
    """Put an address on a workspace's list.

    Args:
        database: where to.
        workspace: the workspace's slug.
        address: of the recipient who is not to be written to.
        reason: why; empty: added by hand.
        source: where the entry comes from.
        actor: who adds it.
        now: the present moment.

    Raises:
        InvalidInput: it is no address, or the list is full.
        NotFound: no such workspace.
        Conflict: it is on the list already.
    """
    entry = Suppressed(str(Address.parse(address)), clean_reason(reason), source, now)
    with database.transaction() as session:
        if not _add(session, workspace, [entry]):
            raise Conflict(f"{entry.address} is on the list already")
        _record(session, actor, "suppression.add", workspace, {"address": entry.address, "reason": entry.reason}, now)
    return entry


def import_csv(database: Database, *, workspace: str, text: str, actor: Actor, now: datetime) -> tuple[Imported, int]:
    """Put the addresses of a CSV file on a workspace's list; those that are on it stay as they are.

    Returns:
        What was read, and how many addresses are new.

    Raises:
        InvalidInput: it is no such file, or the list would be too long.
        NotFound: no such workspace.
    """
    imported = read_csv(text, now=now)
    with database.transaction() as session:
        added = _add(session, workspace, imported.entries)
        details = {"read": len(imported.entries), "added": added, "unread": imported.unread}
        _record(session, actor, "suppression.import", workspace, details, now)
    return imported, added


def remove(database: Database, *, workspace: str, address: str, actor: Actor, now: datetime) -> None:
    """Let a workspace write to an address again.

    Raises:
        InvalidInput: it is no address.
        NotFound: no such workspace, or the address is not on its list.
    """
    normal = str(Address.parse(address))
    with database.transaction() as session:
        place = workspaces.workspace_in(session, workspace)
        gone = delete(Suppression).where(Suppression.workspace_id == place.id, Suppression.address == normal)
        if session.scalar(gone.returning(Suppression.reason)) is None:
            raise NotFound(f"{normal} is not on the list")
        _record(session, actor, "suppression.remove", workspace, {"address": normal}, now)


def list_suppressed(database: Database, *, workspace: str, search: str = "") -> tuple[Suppressed, ...]:
    """Return a workspace's list, by address; arguments and errors as in `page_suppressed`."""
    with database.reading() as session:
        place = workspaces.workspace_in(session, workspace)
        return tuple(_view(row) for row in session.scalars(_listed(place.id, search)))


def page_suppressed(database: Database, *, workspace: str, search: str = "", after: str = "", limit: int) -> Page:
    """Return a part of a workspace's list; two statements.

    Args:
        database: where to look.
        workspace: the workspace's slug.
        search: part of the address; empty: all.
        after: only addresses that follow this one.
        limit: how many at most.

    Raises:
        NotFound: no such workspace.
    """
    with database.reading() as session:
        place = session.execute(_LENGTH, {"workspace": workspace}).one_or_none()
        if place is None:
            raise NotFound(f"there is no workspace {workspace}")
        query = _listed(place[0], search).where(Suppression.address > after).limit(limit)
        return Page(tuple(_view(row) for row in session.scalars(query)), place[1])


def _listed(workspace_id: int, search: str) -> Select[Suppression]:
    query = select(Suppression).where(Suppression.workspace_id == workspace_id).order_by(Suppression.address)
    if search:
        query = query.where(Suppression.address.contains(search.strip().lower(), autoescape=True))
    return query


def _add(session: Session, workspace: str, entries: Sequence[Suppressed]) -> int:
    """Add what is not there yet; return how many that were."""
    place = workspaces.workspace_in(session, workspace)
    if _count(session, place.id) + len(entries) > MAX_ENTRIES:
        raise InvalidInput("address", f"the list is full: it has at most {MAX_ENTRIES} addresses")
    added = 0
    for chunk in _chunks(entries):
        addresses = [entry.address for entry in chunk]
        known = set(
            session.scalars(
                select(Suppression.address).where(
                    Suppression.workspace_id == place.id, Suppression.address.in_(addresses)
                )
            )
        )
        new = [entry for entry in chunk if entry.address not in known]
        session.add_all(
            Suppression(
                workspace_id=place.id,
                address=entry.address,
                reason=entry.reason,
                source=entry.source.value,
                since=entry.since,
            )
            for entry in new
        )
        session.flush()
        added += len(new)
    return added


def _chunks(entries: Iterable[Suppressed]) -> Iterator[list[Suppressed]]:
    waiting = iter(entries)
    while chunk := list(islice(waiting, _AT_ONCE)):
        yield chunk


def _count(session: Session, workspace_id: int) -> int:
    query = select(func.count()).select_from(Suppression).where(Suppression.workspace_id == workspace_id)
    return session.scalar(query) or 0


def _record(
    session: Session, actor: Actor, action: str, workspace: str, details: Mapping[str, object], now: datetime
) -> None:
    audit.record_in(
        session, actor, action=action, on=f"workspace:{workspace}", workspace=workspace, details=details, now=now
    )


def _view(row: Suppression) -> Suppressed:
    return Suppressed(row.address, row.reason, Source(row.source), row.since)
