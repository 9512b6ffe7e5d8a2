"""Entries of the audit trail wait here for the end of their transaction, and are linked into the chain there.

The chain has one end, so whoever lengthens it must be alone. That lock is taken last of all, when the transaction has
changed everything else: whoever holds it waits for nobody, so it cannot be part of a deadlock, and it is held for one
insert and the commit. PostgreSQL: an advisory lock until the commit is seen; SQLite: the write lock, held since BEGIN.
What is rolled back, wholly or to a savepoint, leaves no entry and no gap.
"""

from typing import Any

from sqlalchemy import event, insert, select, text
from sqlalchemy.orm import Session, SessionTransaction

from smailor.accounts.audit_chain import Head, entry_hash
from smailor.accounts.models import AuditEntry

LOCK = 0x536D61696C6F72
"""The advisory lock's number: `Smailor` in ASCII."""
_QUEUE = "smailor-audit"


def put(session: Session, values: dict[str, Any]) -> None:
    """Let an entry be written when the transaction commits.

    Args:
        session: the transaction.
        values: its columns but those of the chain.
    """
    if _QUEUE not in session.info:
        session.info[_QUEUE] = []
        event.listen(session, "before_commit", _before_commit)
        event.listen(session, "after_soft_rollback", _after_rollback)
    session.info[_QUEUE].append((session.get_nested_transaction(), values))


def head_in(session: Session) -> Head:
    """Return the chain's end within a transaction."""
    query = select(AuditEntry.sequence, AuditEntry.hash).order_by(AuditEntry.sequence.desc()).limit(1)
    row = session.execute(query).one_or_none()
    return Head(row.sequence, row.hash) if row else Head()


def _before_commit(session: Session) -> None:
    waiting: list[tuple[SessionTransaction | None, dict[str, Any]]] = session.info[_QUEUE]
    savepoint = session.get_nested_transaction()
    if savepoint is not None:
        # It is released: what waits in it now stands and falls with what is around it.
        around = savepoint.parent if savepoint.parent and savepoint.parent.nested else None
        session.info[_QUEUE] = [(around if place is savepoint else place, values) for place, values in waiting]
        return
    if waiting:
        session.info[_QUEUE] = []
        _link(session, [values for _, values in waiting])


def _link(session: Session, entries: list[dict[str, Any]]) -> None:
    session.flush()  # every other lock of this transaction is taken before the chain's
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": LOCK})
    head = head_in(session)
    rows = []
    for values in entries:
        following = Head(head.sequence + 1, entry_hash(values, head))
        rows.append({**values, "sequence": following.sequence, "previous_hash": head.hash, "hash": following.hash})
        head = following
    session.execute(insert(AuditEntry), rows)


def _after_rollback(session: Session, ended: SessionTransaction) -> None:
    waiting = session.info[_QUEUE]
    session.info[_QUEUE] = [entry for entry in waiting if entry[0] is not ended] if ended.nested else []
