"""Whether the audit trail is whole: reads it through from its first entry, a batch at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from smailor.accounts.audit_chain import Head, entry_hash
from smailor.accounts.audit_queue import head_in
from smailor.accounts.models import AuditEntry
from smailor.database.engine import Database

BATCH = 1000
_COLUMNS = AuditEntry.__table__.columns


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found.

    Attributes:
        head: the chain as far as it is whole.
        problem: what is wrong with the entry after that, or with the end; empty: nothing.
    """

    head: Head
    problem: str = ""


def head(database: Database) -> Head:
    """Return the end of the chain: to be kept apart from the database, so that a cut end is noticed."""
    with database.reading() as session:
        return head_in(session)


def verify(database: Database, *, expected: tuple[Head, ...] = ()) -> Verdict:
    """Read the trail through; memory is bounded, however long it is.

    Args:
        database: where it is.
        expected: ends of the chain from earlier: it must still contain them.

    Returns:
        The verdict, which names the first entry that is not as it was written.
    """
    wanted = {entry.sequence: entry.hash for entry in expected}
    so_far = Head()
    if wanted.get(0, so_far.hash) != so_far.hash:
        return Verdict(so_far, "entry 0 was never there")
    for row in _entries(database):
        problem = _problem(row, so_far)
        if not problem and wanted.get(row["sequence"], row["hash"]) != row["hash"]:
            problem = f"entry {row['sequence']} is another one than it was: the chain was made anew"
        if problem:
            return Verdict(so_far, problem)
        so_far = Head(row["sequence"], row["hash"])
    longest = max(wanted, default=0)
    if longest > so_far.sequence:
        return Verdict(so_far, f"entries {so_far.sequence + 1} to {longest} are gone: the end was cut off")
    return Verdict(so_far)


def _problem(row: dict[str, Any], so_far: Head) -> str:
    number = so_far.sequence + 1
    if row["sequence"] != number:
        return f"entry {number} is missing; the next one is {row['sequence']}"
    if "unreadable" in row:
        return f"entry {number} was changed: it cannot be read"
    if row["previous_hash"] != so_far.hash:
        return f"entry {number} was changed: it does not follow the entry before it"
    try:
        right = entry_hash(row, so_far) == row["hash"]
    except (AttributeError, TypeError, ValueError):
        right = False
    return "" if right else f"entry {number} was changed: its hash is another"


def _entries(database: Database) -> Iterator[dict[str, Any]]:
    last: int | None = None
    while True:
        query = select(*_COLUMNS).order_by(AuditEntry.sequence).limit(BATCH)
        if last is not None:
            query = query.where(AuditEntry.sequence > last)
        with database.reading() as session:
            try:
                rows = [dict(row._mapping) for row in session.execute(query)]  # noqa: SLF001 - its public name
            except (ValueError, TypeError, DBAPIError) as error:
                if isinstance(error, OperationalError):
                    raise
                rows = [_one(session, number) for number in _numbers(session, last)]
        yield from rows
        if len(rows) < BATCH:
            return
        last = rows[-1]["sequence"]


def _numbers(session: Session, last: int | None) -> list[int]:
    query = select(AuditEntry.sequence).order_by(AuditEntry.sequence).limit(BATCH)
    return list(session.scalars(query if last is None else query.where(AuditEntry.sequence > last)))


def _one(session: Session, number: int) -> dict[str, Any]:
    """One entry of a batch in which something is no time or no JSON any more."""
    try:
        row: Row[Any] = session.execute(select(*_COLUMNS).where(AuditEntry.sequence == number)).one()
        return dict(row._mapping)  # noqa: SLF001 - its public name
    except (ValueError, TypeError):
        return {"sequence": number, "hash": "", "unreadable": True}
