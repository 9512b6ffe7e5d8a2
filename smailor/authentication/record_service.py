"""Counting received messages by what was found about them, for reports (RFC 9990): many messages a transaction.

The space is bounded: equal messages share a row, a policy's owner and a day have at most so many rows, and old days go.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from smailor.authentication.models import DmarcCount, DmarcReport
from smailor.authentication.report_facts import digest_of, facts_of
from smailor.authentication.report_row import Counted
from smailor.database.engine import Database

MAX_ROWS_OF_POLICY = 5_000
"""Of one day: a sender who signs each message with another selector must not fill the disk."""
MAX_ROWS_OF_DAY = 200_000
KEEP = timedelta(days=7)
"""How long a day is kept, sent or not: who was away for a week can do without."""
_ROWS_A_STATEMENT = 500

_Row = dict[str, Any]


def record(database: Database, counts: Mapping[Counted, int], *, now: datetime) -> int:
    """Add to the counts.

    Args:
        database: where to.
        counts: how many messages of each kind came.
        now: the present moment.

    Returns:
        How many messages were not counted, because there are too many kinds of them.

    Raises:
        TemporaryFailure: the database does not answer; nothing was counted.
    """
    rows = _rows(counts, now)
    with database.transaction() as session:
        taken = _within_limits(session, rows)
        insert = postgresql.insert if database.dialect == "postgresql" else sqlite.insert
        for start in range(0, len(taken), _ROWS_A_STATEMENT):
            statement = insert(DmarcCount).values(taken[start : start + _ROWS_A_STATEMENT])
            session.execute(
                statement.on_conflict_do_update(
                    index_elements=[DmarcCount.day, DmarcCount.policy_domain, DmarcCount.digest],
                    set_={
                        "count": DmarcCount.count + statement.excluded.count,
                        "policy": statement.excluded.policy,
                        "seen_at": statement.excluded.seen_at,
                    },
                )
            )
    counted: int = sum(row["count"] for row in taken)
    return sum(counts.values()) - counted


def prune(database: Database, *, now: datetime) -> int:
    """Delete the days that are too old for a report.

    Returns:
        How many rows went.

    Raises:
        TemporaryFailure: the database does not answer.
    """
    before = (now.astimezone(UTC) - KEEP).date()
    with database.transaction() as session:
        gone = len(session.scalars(delete(DmarcCount).where(DmarcCount.day < before).returning(DmarcCount.id)).all())
        session.execute(delete(DmarcReport).where(DmarcReport.day < before))
    return gone


def _rows(counts: Mapping[Counted, int], now: datetime) -> list[_Row]:
    """Return what to insert, one row a key, in one order: so that two processes never wait for each other in a ring."""
    rows: dict[tuple[date, str, str], _Row] = {}
    for counted, count in counts.items():
        facts = facts_of(counted.row)
        digest = digest_of(facts)
        key = (counted.day, counted.row.policy_domain, digest)
        if key in rows:  # the policy's text changed between two equal messages
            rows[key]["count"] += count
            rows[key]["policy"] = counted.policy
        else:
            rows[key] = {
                "day": counted.day,
                "policy_domain": counted.row.policy_domain,
                "digest": digest,
                "facts": facts,
                "policy": counted.policy,
                "count": count,
                "seen_at": now,
            }
    return [rows[key] for key in sorted(rows)]


def _within_limits(session: Session, rows: Sequence[_Row]) -> list[_Row]:
    """Return the rows that are there already or for which there is room."""
    taken: list[_Row] = []
    for day in sorted({row["day"] for row in rows}):
        of_day = [row for row in rows if row["day"] == day]
        known: set[tuple[str, str]] = set()
        for start in range(0, len(of_day), _ROWS_A_STATEMENT):
            digests = [row["digest"] for row in of_day[start : start + _ROWS_A_STATEMENT]]
            query = select(DmarcCount.policy_domain, DmarcCount.digest).where(
                DmarcCount.day == day, DmarcCount.digest.in_(digests)
            )
            known.update((domain, digest) for domain, digest in session.execute(query))
        total = session.scalar(select(func.count()).where(DmarcCount.day == day)) or 0
        used: dict[str, int] = {}
        for row in of_day:
            domain = row["policy_domain"]
            if (domain, row["digest"]) in known:
                taken.append(row)
                continue
            if domain not in used:
                here = select(func.count()).where(DmarcCount.day == day, DmarcCount.policy_domain == domain)
                used[domain] = session.scalar(here) or 0
            if used[domain] < MAX_ROWS_OF_POLICY and total < MAX_ROWS_OF_DAY:
                used[domain] += 1
                total += 1
                taken.append(row)
    return taken
