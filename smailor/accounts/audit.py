"""The audit trail: who did what to which object, from where, when, why, and how it ended.

It is only added to; the database refuses to change or delete an entry, and the entries are chained by their hashes
(`audit_chain`), so that whoever gets round the database is noticed by `smailor audit verify`. A change writes its entry
in its own transaction, so that neither is there without the other. An entry is written once and read as it is: all that
it says stands in its own columns, none of which refers to a row that may be gone tomorrow.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from smailor.accounts import audit_queue
from smailor.accounts.audit_chain import clean_details, clean_text
from smailor.accounts.models import AuditEntry
from smailor.database.engine import Database
from smailor.errors import InvalidInput

MAX_REASON = 1000
DONE = "done"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts.

    Attributes:
        name: a person's address, the operator's system account, or a job's name.
        source: from where: an IP address, `command line` or `job`.
    """

    name: str
    source: str


SERVICE = Actor("service", "")
"""Acts where nobody in particular does: when the demonstration is set up."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry.

    Attributes:
        action: what was done, `noun.verb`: `suspension.add`.
        object: to what: `account:ada@example.com`, `domain:example.com`, `workspace:acme`.
        workspace: whose business it is; empty: the operator's alone.
        reason: why, in the actor's words.
        outcome: `done`, or why not.
        details: the values, as they were set.
        sequence: its place in the chain, counted from 1 without gaps.
    """

    at: datetime
    actor: str
    source: str
    action: str
    object: str
    workspace: str = ""
    reason: str = ""
    outcome: str = DONE
    details: Mapping[str, Any] = field(default_factory=dict)
    sequence: int = 0


def record_in(  # noqa: PLR0913 - everything that an entry says
    session: Session,
    actor: Actor,
    *,
    action: str,
    on: str,
    now: datetime,
    workspace: str = "",
    reason: str = "",
    outcome: str = DONE,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write down what is done in this transaction; the entry joins the chain as the transaction commits.

    Args:
        session: the transaction of the change itself.
        actor: who.
        action: what, `noun.verb`.
        on: to what: `account:…`, `domain:…`, `workspace:…`.
        now: when.
        workspace: whose business it is.
        reason: why.
        outcome: `done`, or why not.
        details: further values, such that JSON can hold them; at most 16 KiB.
    """
    audit_queue.put(
        session,
        {
            "at": now,
            "actor": clean_text(actor.name, 320),
            "source": clean_text(actor.source, 200),
            "action": clean_text(action, 100),
            "object": clean_text(on, 400),
            "workspace": clean_text(workspace, 200),
            "reason": clean_text(reason, MAX_REASON),
            "outcome": clean_text(outcome, 100),
            "details": clean_details(details or {}),
        },
    )


def record(
    database: Database,
    actor: Actor,
    *,
    action: str,
    on: str,
    now: datetime,
    workspace: str = "",
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write down what changes nothing in the database, in a transaction of its own; arguments as in `record_in`."""
    with database.transaction() as session:
        record_in(session, actor, action=action, on=on, now=now, workspace=workspace, details=details)


def entries(
    database: Database, *, workspace: str | None = None, on: str | None = None, limit: int = 100
) -> tuple[Entry, ...]:
    """Return the newest entries, newest first.

    Args:
        database: where they are.
        workspace: of this workspace only.
        on: on this object only.
        limit: how many at most.
    """
    query = select(AuditEntry).order_by(AuditEntry.sequence.desc()).limit(limit)
    if workspace is not None:
        query = query.where(AuditEntry.workspace == workspace)
    if on is not None:
        query = query.where(AuditEntry.object == on)
    with database.reading() as session:
        return tuple(entry_view(row) for row in session.scalars(query))


def entry_view(row: AuditEntry) -> Entry:
    """Return a row as the value that other rooms see."""
    return Entry(
        at=row.at,
        actor=row.actor,
        source=row.source,
        action=row.action,
        object=row.object,
        workspace=row.workspace,
        reason=row.reason,
        outcome=row.outcome,
        details=row.details,
        sequence=row.sequence,
    )


def clean_reason(reason: str, *, needed: bool = True) -> str:
    """Return a reason that people will read, with white space folded.

    Raises:
        InvalidInput: it is missing, too long or cannot be shown.
    """
    folded = " ".join(reason.split())
    if needed and not folded:
        raise InvalidInput("reason", "say why: it is shown to the people concerned and kept in the audit trail")
    if len(folded) > MAX_REASON or not folded.isprintable():
        raise InvalidInput("reason", f"at most {MAX_REASON} printable characters")
    return folded
