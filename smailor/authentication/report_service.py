"""Sending the DMARC aggregate reports of the days that are over: each to everybody who asked for it, once.

What was sent is remembered for each recipient before and after it is handed over, so that a run that is broken off, a
second one beside it or one more later send nothing twice; what could not be sent waits for the next run. How a message
is handed over, and the DNS, come in.
"""

import contextlib
import enum
import logging
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.exc import IntegrityError

from smailor import log
from smailor.authentication.dmarc_record import parse_record
from smailor.authentication.models import DmarcCount, DmarcReport
from smailor.authentication.record_service import KEEP
from smailor.authentication.report_destinations import destinations
from smailor.authentication.report_facts import row_of
from smailor.authentication.reports import Report, Reporter, in_order, report_id, report_message
from smailor.database.engine import Database
from smailor.delivery import Deliver, Delivery
from smailor.dns.answer import DnsClient
from smailor.errors import TemporaryFailure

SETTLED = timedelta(minutes=10)
"""After midnight: what is noted in memory has been written by then."""
CLAIM = timedelta(hours=1)
"""After which a report is sent again of which nobody knows whether it was; it has the same Report-ID then."""

_CLOSED = ""
logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Run:
    """What one run did.

    Attributes:
        reports: days of policies looked at.
        sent: messages handed over.
        refused: messages that nobody wants.
        waiting: days of policies that the next run looks at again.
    """

    reports: int = 0
    sent: int = 0
    refused: int = 0
    waiting: int = 0


def send_reports(
    database: Database, *, reporter: Reporter, resolver: DnsClient, deliver: Deliver, now: datetime
) -> Run:
    """Send what is due.

    Args:
        database: where evaluations are counted.
        reporter: who reports.
        resolver: answers DNS questions.
        deliver: hands a message over.
        now: the present moment.

    Raises:
        TemporaryFailure: the database does not answer.
    """
    run = Run()
    due = _due(database, now)
    for position, (day, policy_domain) in enumerate(due):
        run.reports += 1
        outcome = _send(database, _load(database, day, policy_domain), reporter, resolver, deliver, now, run)
        if outcome is _Outcome.STOP:
            run.waiting += len(due) - position
            break
        if outcome is _Outcome.DONE:
            _close(database, day, policy_domain, now)
        else:
            run.waiting += 1
    return run


class _Outcome(enum.Enum):
    DONE = enum.auto()
    WAIT = enum.auto()
    STOP = enum.auto()


def _send(
    database: Database,
    report: Report,
    reporter: Reporter,
    resolver: DnsClient,
    deliver: Deliver,
    now: datetime,
    run: Run,
) -> _Outcome:
    try:
        recipients = destinations(report.policy_domain, report.record.aggregate_addresses, resolver)
    except TemporaryFailure as error:
        log.event(logger, logging.WARNING, None, "report waits", policy=report.policy_domain, error=error)
        return _Outcome.WAIT
    outcome = _Outcome.DONE
    for recipient in recipients:
        claimed = _claim(database, report, recipient, report_id(report, reporter), now)
        if claimed is not _Claimed.OURS:
            outcome = outcome if claimed is _Claimed.FINISHED else _Outcome.WAIT
            continue
        delivery = deliver(recipient, report_message(report, reporter, recipient, now=now))
        log.event(
            logger, logging.INFO, None, "report", policy=report.policy_domain, day=report.day, outcome=delivery.value,
            messages=report.messages,
        )  # fmt: skip
        if delivery is Delivery.LATER:
            _release(database, report, recipient)
            return _Outcome.STOP
        if delivery is Delivery.UNKNOWN:
            return _Outcome.STOP
        _finish(database, report, recipient, delivery, now)
        run.sent += delivery is Delivery.SENT
        run.refused += delivery is Delivery.REFUSED
    return outcome


def _due(database: Database, now: datetime) -> list[tuple[date, str]]:
    over = (now.astimezone(UTC) - SETTLED).date()
    oldest = (now.astimezone(UTC) - KEEP).date()
    closed = select(DmarcReport.id).where(
        DmarcReport.day == DmarcCount.day,
        DmarcReport.policy_domain == DmarcCount.policy_domain,
        DmarcReport.recipient == _CLOSED,
    )
    query = (
        select(DmarcCount.day, DmarcCount.policy_domain)
        .distinct()
        .where(DmarcCount.day < over, DmarcCount.day >= oldest, ~closed.exists())
        .order_by(DmarcCount.day, DmarcCount.policy_domain)
    )
    with database.reading() as session:
        return [(day, domain) for day, domain in session.execute(query)]


def _load(database: Database, day: date, policy_domain: str) -> Report:
    query = (
        select(DmarcCount.facts, DmarcCount.count, DmarcCount.policy)
        .where(DmarcCount.day == day, DmarcCount.policy_domain == policy_domain)
        .order_by(DmarcCount.seen_at.desc(), DmarcCount.id.desc())
    )
    with database.reading() as session:
        found = session.execute(query).all()
    # Of several policies on one day the last one is shown (section 3.1).
    policy = parse_record(found[0].policy.encode("ascii", "replace"))
    if policy is None:
        raise ValueError(f"the policy of {policy_domain} was kept as {found[0].policy!r}")
    rows = in_order([(row_of(facts), count) for facts, count, _ in found])
    return Report(day, policy_domain, policy, rows)


class _Claimed(enum.Enum):
    OURS = enum.auto()
    FINISHED = enum.auto()
    ANOTHERS = enum.auto()


def _claim(database: Database, report: Report, recipient: str, unique: str, now: datetime) -> _Claimed:
    """Make sure that nobody else sends this report to this recipient while we do."""
    try:
        with database.transaction() as session:
            row = session.scalar(select(DmarcReport).where(*_this(report, recipient)).with_for_update())
            if row is None:
                session.add(_row(report.day, report.policy_domain, recipient, unique, now))
                return _Claimed.OURS
            if row.finished_at is not None:
                return _Claimed.FINISHED
            if row.claimed_at > now - CLAIM:
                return _Claimed.ANOTHERS
            row.claimed_at = now
            return _Claimed.OURS
    except IntegrityError:
        return _Claimed.ANOTHERS


def _finish(database: Database, report: Report, recipient: str, delivery: Delivery, now: datetime) -> None:
    with database.transaction() as session:
        done = update(DmarcReport).where(*_this(report, recipient))
        session.execute(done.values(finished_at=now, outcome=delivery.value))


def _release(database: Database, report: Report, recipient: str) -> None:
    with database.transaction() as session:
        session.execute(delete(DmarcReport).where(*_this(report, recipient)))


def _close(database: Database, day: date, policy_domain: str, now: datetime) -> None:
    row = _row(day, policy_domain, _CLOSED, "", now)
    row.finished_at, row.outcome = now, "closed"
    # A conflict: another run has come to the same end.
    with contextlib.suppress(IntegrityError), database.transaction() as session:
        session.add(row)


def _row(day: date, policy_domain: str, recipient: str, unique: str, now: datetime) -> DmarcReport:
    return DmarcReport(
        day=day,
        policy_domain=policy_domain,
        recipient=recipient,
        report_id=unique,
        claimed_at=now,
        finished_at=None,
        outcome="",
    )


def _this(report: Report, recipient: str) -> tuple[ColumnElement[bool], ...]:
    return (
        DmarcReport.day == report.day,
        DmarcReport.policy_domain == report.policy_domain,
        DmarcReport.recipient == recipient,
    )
