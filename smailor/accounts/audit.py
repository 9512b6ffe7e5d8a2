"""The audit trail: who did what to which object, from where, when, why, and how it ended.

It is only added to; the database refuses to change or delete an entry (migration 0008). A change writes its entry in
its own transaction, so that neither is there without the other. An entry is written once and read as it is: all that it
says stands in its own columns, none of which refers to a row that may be gone tomorrow.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

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


def record_in(
    session: Session,
    actor: Actor,
    *,
    action: str,
    on: str,
    now: datetime,
    workspace: str = "",
    reason: str = "",
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write down what is done in this transaction.

    Args:
        session: the transaction of the change itself.
        actor: who.
        action: what, `noun.verb`.
        on: to what: `account:…`, `domain:…`, `workspace:…`.
        now: when.
        workspace: whose business it is.
        reason: why.
        details: further values, such that JSON can hold them.
    """
    session.add(
        AuditEntry(
            at=now,
            actor=actor.name[:320],
            source=actor.source[:200],
            action=action,
            object=on[:400],
            workspace=workspace,
            reason=reason[:MAX_REASON],
            outcome=DONE,
            details=dict(details or {}),
        )
    )


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
    query = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit)
    if workspace is not None:
        query = query.where(AuditEntry.workspace == workspace)
    if on is not None:
        query = query.where(AuditEntry.object == on)
    with database.snapshot() as session:
        return tuple(
            Entry(
                at=row.at,
                actor=row.actor,
                source=row.source,
                action=row.action,
                object=row.object,
                workspace=row.workspace,
                reason=row.reason,
                outcome=row.outcome,
                details=row.details,
            )
            for row in session.scalars(query)
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
