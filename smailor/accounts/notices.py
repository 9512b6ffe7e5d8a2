"""The outbox for letters of the service: posted within the transaction that they tell of, sent afterwards.

So a letter goes out exactly when what it says has happened, and a mail server that is away costs time only. Letters
are sealed: they may hold a link that opens an account.
"""

import base64
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from smailor import log
from smailor.accounts.models import Notice
from smailor.database.engine import Database
from smailor.delivery import Deliver, Delivery
from smailor.errors import TemporaryFailure
from smailor.sealing import Sealer

LEASE = timedelta(minutes=5)
"""A letter that is being sent is nobody else's for this long."""
FIRST_RETRY = timedelta(minutes=1)
LONGEST_RETRY = timedelta(hours=2)
LASTS = timedelta(days=3)
"""A letter that only tells of something is tried for this long."""
BATCH = 100
"""Letters that one run sends at most."""

_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Run:
    """What one run did.

    Attributes:
        sent: letters handed over.
        refused: letters that will never be taken.
        waiting: letters that are tried again later.
        expired: letters that could not be sent in time.
    """

    sent: int = 0
    refused: int = 0
    waiting: int = 0
    expired: int = 0


def post_in(
    session: Session, sealer: Sealer, *, recipient: str, message: bytes, now: datetime, expires_at: datetime
) -> None:
    """Put a letter into the outbox, within the transaction of what it tells of.

    Args:
        session: the transaction.
        sealer: seals it.
        recipient: to whom.
        message: from `letters`.
        now: the present moment.
        expires_at: when it is of no use any more, such as the end of the link in it.
    """
    session.add(
        Notice(
            recipient=recipient,
            sealed_message=sealer.seal(base64.b64encode(message).decode("ascii")),
            created_at=now,
            next_try_at=now,
            attempts=0,
            expires_at=expires_at,
        )
    )


def send_due(database: Database, sealer: Sealer, *, deliver: Deliver, now: datetime) -> Run:
    """Send the letters that are due, oldest first. Two runs beside each other send nothing twice.

    Args:
        database: where they are.
        sealer: unseals them.
        deliver: hands one over.
        now: the present moment.
    """
    run = Run()
    with database.transaction() as session:
        gone = delete(Notice).where(Notice.expires_at <= now).returning(Notice.id)
        run.expired = len(session.scalars(gone).all())
    for _ in range(BATCH):
        notice = _claim(database, now)
        if notice is None:
            break
        try:
            outcome = deliver(notice.recipient, base64.b64decode(sealer.unseal(notice.sealed_message)))
        except TemporaryFailure as error:
            log.event(_logger, logging.WARNING, None, "notice-not-sent", notice=notice.id, reason=error)
            outcome = Delivery.LATER
        _settle(database, notice, outcome, now)
        if outcome is Delivery.SENT:
            run.sent += 1
        elif outcome is Delivery.REFUSED:
            log.event(_logger, logging.WARNING, None, "notice-refused", notice=notice.id)
            run.refused += 1
        else:
            # The mail server may be away: the next run goes on, and begins with the others.
            run.waiting += 1
            break
    return run


@dataclass(frozen=True, slots=True)
class _Claimed:
    id: int
    recipient: str
    sealed_message: str
    attempts: int


def _claim(database: Database, now: datetime) -> _Claimed | None:
    """Take the oldest letter that is due; whoever reads it after us finds it due later only."""
    with database.transaction() as session:
        due = select(Notice).where(Notice.next_try_at <= now).order_by(Notice.next_try_at, Notice.id).limit(1)
        notice = session.scalar(due.with_for_update(skip_locked=True))
        if notice is None:
            return None
        notice.next_try_at = now + LEASE
        return _Claimed(notice.id, notice.recipient, notice.sealed_message, notice.attempts)


def _settle(database: Database, notice: _Claimed, outcome: Delivery, now: datetime) -> None:
    with database.transaction() as session:
        if outcome in {Delivery.SENT, Delivery.REFUSED}:
            session.execute(delete(Notice).where(Notice.id == notice.id))
            return
        # UNKNOWN waits like LATER: a link that comes twice is better than one that never comes.
        wait = min(FIRST_RETRY * 2 ** min(notice.attempts, 10), LONGEST_RETRY)
        session.execute(
            update(Notice).where(Notice.id == notice.id).values(next_try_at=now + wait, attempts=notice.attempts + 1)
        )
