"""Counting in the database, exactly and durably, many requests a transaction (group commit). No limit is known here.

One thread writes. What arrives while it is in the database waits, and is the next batch: the busier it gets, the more
requests share one commit. A batch locks the rows of all its keys in key order (PostgreSQL: SELECT … FOR UPDATE; SQLite:
BEGIN IMMEDIATE), lets each request decide on what they hold, writes, commits, and only then answers. So two daemons, or
ten hosts, on one database never count past each other, and what was answered survives a crash.

All counters of one database go by one clock: PostgreSQL's own, or, as SQLite never leaves its machine, the machine's.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from sqlalchemy import delete, func, insert, select, text, tuple_, update
from sqlalchemy.orm import Session

from smailor import clock, log
from smailor.database.engine import Database
from smailor.errors import TemporaryFailure
from smailor.sending.decision import Decision, Kind
from smailor.sending.ledger import Ledger
from smailor.sending.models import SendingAnswer, SendingUsage

MAX_BATCH = 500
ANSWERED_THE_SAME = timedelta(minutes=5)
"""Postfix repeats a request whose answer it did not get after a second, and its client may do so later."""
MAX_WAIT_SECONDS = 9
"""Postfix waits 10 s for an answer; a message must not be charged for which nobody waits any more."""
PRUNE_EVERY = timedelta(minutes=1)
MAX_PRUNED = 10_000

logger = logging.getLogger(__name__)

Rows: TypeAlias = dict[str, dict[str, list[int]]]
Name: TypeAlias = tuple[str, str]
"""An answer is remembered under the charged key and the instance."""


@dataclass(frozen=True, slots=True)
class Question:
    """One request, as the counter sees it.

    Attributes:
        keys: the rows that the decision is made on; all of them are locked for a charge.
        decide: looks at the ledger and answers; for a charge, and if the answer is yes, it charges the ledger.
        charged_to: the key under which the answer is remembered; None: nothing is charged nor remembered (a peek).
        instance: tells a new message from the same one asked about again.
    """

    keys: tuple[str, ...]
    decide: Callable[[Ledger], Decision]
    charged_to: str | None = None
    instance: str = ""


@dataclass(frozen=True, slots=True)
class _Waiting:
    question: Question
    future: Future[Decision]
    since: float


def store_clock(session: Session) -> datetime:
    """Return the present moment by the clock that all counters of this database share."""
    if session.get_bind().dialect.name == "postgresql":
        moment: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
        return moment.astimezone(UTC)
    return clock.now()


class Counter:
    """The one writer of this process. Its thread begins with the first question, so that a fork before it is safe.

    Args:
        database: where the counts are kept.
        now: asks for the time inside a batch's transaction, after its rows are locked.

    Attributes:
        transactions: how many were begun for charges and peeks, for metrics.
    """

    def __init__(self, database: Database, *, now: Callable[[Session], datetime] = store_clock) -> None:
        self.transactions = 0
        self._database = database
        self._now = now
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._last_charge: datetime | None = None
        self._pruned_at: datetime | None = None

    def submit(self, question: Question) -> Future[Decision]:
        """Put a question into the next batch.

        Returns:
            The answer to come; cancelled before its batch begins, it charges nothing. It fails with TemporaryFailure
            where the database does not answer or the counter was closed.
        """
        future: Future[Decision] = Future()
        with self._guard:
            if self._closed:
                future.set_exception(TemporaryFailure("the counter is closed"))
                return future
            if self._thread is None:
                self._thread = threading.Thread(target=self._write, name="sending-counter", daemon=True)
                self._thread.start()
            self._queue.put(_Waiting(question, future, time.monotonic()))
        return future

    def close(self, timeout: float | None = None) -> None:
        """Answer what waits and end the thread.

        Args:
            timeout: seconds to wait for that; None: as long as it takes.
        """
        with self._guard:
            self._closed = True
            thread = self._thread
        if thread is not None:
            self._queue.put(None)
            thread.join(timeout)

    def _write(self) -> None:
        more = True
        while more:
            waiting = [self._queue.get()]
            while len(waiting) < MAX_BATCH and not self._queue.empty():
                waiting.append(self._queue.get())
            more = None not in waiting
            self._answer([item for item in waiting if item is not None and _is_waited_for(item)])

    def _answer(self, batch: list[_Waiting]) -> None:
        charges = [item for item in batch if item.question.charged_to is not None]
        peeks = [item for item in batch if item.question.charged_to is None]
        for part, run in ((charges, self._charge), (peeks, self._peek)):
            if not part:
                continue
            try:
                decisions = run([item.question for item in part])
            except Exception as error:  # noqa: BLE001 - whoever waits must hear of it, and the thread must live on
                log.event(logger, logging.ERROR, None, "sending store failed", requests=len(part), error=_reason(error))
                failure = error if isinstance(error, TemporaryFailure) else TemporaryFailure("the counter failed")
                for item in part:
                    item.future.set_exception(failure)
            else:
                for item, decision in zip(part, decisions, strict=True):
                    item.future.set_result(decision)
        if charges:
            self._prune()

    def _charge(self, questions: list[Question]) -> list[Decision]:
        keys = sorted({key for question in questions for key in question.keys})
        while True:
            self.transactions += 1
            with self._database.transaction() as session:
                rows = _read(session, keys, lock=True)
                if len(rows) == len(keys):
                    return self._decide(session, questions, rows)
            # A row that is not there cannot be locked. Adding it in a transaction of its own, which holds no lock
            # on another key, is what keeps two writers from waiting for each other.
            with self._database.transaction() as session:
                _add_rows(session, [key for key in keys if key not in rows])

    def _decide(self, session: Session, questions: list[Question], rows: Rows) -> list[Decision]:
        now = self._last_charge = self._now(session)
        ledger = Ledger(rows, now)
        names = [(question.charged_to or "", question.instance) for question in questions]
        known = _remembered(session, set(names), since=now - ANSWERED_THE_SAME)
        new: dict[Name, Decision] = {}
        decisions = []
        for name, question in zip(names, questions, strict=True):
            if name not in known:
                known[name] = new[name] = question.decide(ledger)
            decisions.append(known[name])
        _remember(session, new, now)
        if changed := ledger.changed():
            session.execute(update(SendingUsage), [{"key": key, "counts": row} for key, row in changed.items()])
        return decisions

    def _peek(self, questions: list[Question]) -> list[Decision]:
        keys = sorted({key for question in questions for key in question.keys})
        self.transactions += 1
        with self._database.snapshot() as session:
            rows = _read(session, keys, lock=False)
            ledger = Ledger({key: rows.get(key, {}) for key in keys}, self._now(session))
            return [question.decide(ledger) for question in questions]

    def _prune(self) -> None:
        """Forget old answers now and then, after everybody was answered."""
        now = self._last_charge
        if now is None or (self._pruned_at is not None and abs(now - self._pruned_at) < PRUNE_EVERY):
            return
        self._pruned_at = now
        try:
            with self._database.transaction() as session:
                prune_answers(session, before=now - ANSWERED_THE_SAME)
        except Exception as error:  # noqa: BLE001 - the next round tries again
            log.event(logger, logging.WARNING, None, "sending answers not pruned", error=_reason(error))


def _is_waited_for(item: _Waiting) -> bool:
    if not item.future.set_running_or_notify_cancel():
        return False
    if time.monotonic() - item.since > MAX_WAIT_SECONDS:
        item.future.set_exception(TemporaryFailure("the database took too long"))
        return False
    return True


def prune_answers(session: Session, *, before: datetime) -> None:
    """Delete answers that nobody asks for any more; those that another writer deletes just now are left to it."""
    name = tuple_(SendingAnswer.key, SendingAnswer.instance)
    old = select(SendingAnswer.key, SendingAnswer.instance).where(SendingAnswer.decided_at < before)
    session.execute(
        delete(SendingAnswer).where(name.in_(old.limit(MAX_PRUNED).with_for_update(skip_locked=True))),
        execution_options={"synchronize_session": False},
    )


def _read(session: Session, keys: list[str], *, lock: bool) -> Rows:
    query = select(SendingUsage.key, SendingUsage.counts).where(SendingUsage.key.in_(keys))
    if lock:
        query = query.order_by(SendingUsage.key).with_for_update()
    return {row.key: row.counts for row in session.execute(query)}


def _add_rows(session: Session, keys: Iterable[str]) -> None:
    session.execute(
        text("INSERT INTO sending_usage (key, counts) VALUES (:key, '{}') ON CONFLICT DO NOTHING"),
        [{"key": key} for key in keys],
    )


def _remembered(session: Session, names: set[Name], *, since: datetime) -> dict[Name, Decision]:
    # Two plain conditions find a few rows too many, but have the same plan on both engines.
    query = select(SendingAnswer).where(
        SendingAnswer.key.in_({key for key, _ in names}),
        SendingAnswer.instance.in_({instance for _, instance in names}),
    )
    found = {(row.key, row.instance): row for row in session.scalars(query)}
    if expired := [name for name, row in found.items() if row.decided_at <= since]:
        session.execute(
            delete(SendingAnswer).where(tuple_(SendingAnswer.key, SendingAnswer.instance).in_(expired)),
            execution_options={"synchronize_session": False},
        )
    return {
        name: Decision(Kind(row.kind), row.code, row.enhanced_code, row.text)
        for name, row in found.items()
        if name not in expired
    }


def _remember(session: Session, new: dict[Name, Decision], now: datetime) -> None:
    if new:
        session.execute(
            insert(SendingAnswer),
            [
                {
                    "key": key,
                    "instance": instance,
                    "decided_at": now,
                    "kind": decision.kind.value,
                    "code": decision.code,
                    "enhanced_code": decision.enhanced_code,
                    "text": decision.text,
                }
                for (key, instance), decision in new.items()
            ],
        )


def _reason(error: BaseException) -> str:
    """Return the innermost cause in one line; SQLAlchemy's own text spells out the statement and all its values."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"
