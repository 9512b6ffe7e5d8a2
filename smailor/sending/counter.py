"""The thread that asks the store: many requests a transaction (group commit), and leases so that most need none.

What arrives while a transaction is under way waits, and is the next batch: the busier it gets, the more requests share
one commit. What a lease has units for is answered at once, by whichever thread asks; every unit of it was charged and
committed before. So nothing leaves uncounted, and what was answered survives a crash.

While the store is out, nothing is granted: leases run out within half a minute, then every request fails, until the
store is back. There is no reserve to be spent without it: that would be the one way to exceed a limit.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from smailor import log
from smailor.errors import TemporaryFailure
from smailor.sending import peeking
from smailor.sending.book import Book, Stale, Trip, Waiting
from smailor.sending.decision import Decision, Phase, SendingRequest
from smailor.sending.store import Store
from smailor.sending.terms import TermsReader

MAX_BATCH = 500
MAX_WAIT_SECONDS = 8
"""Postfix waits 10 s for an answer; a message must not be charged for which nobody waits any more."""
TIDY_SECONDS = 0.5
GATHER_SECONDS = 0.02
"""Leases to be renewed wait so long for others, as long as nobody waits for a transaction."""
OUT_SECONDS = 0.5
"""A store that has just failed is not asked again before."""
_MOST_STALE = 5

logger = logging.getLogger(__name__)


class Counter:
    """The one user of the store in this process. Its thread begins with the first request: a fork before it is safe.

    Args:
        store: where the counts are kept.
        reader: of the terms.
        leasing: whether units are held in memory; for a daemon that answers all the time, and watches the terms.
    """

    def __init__(self, store: Store, reader: TermsReader, *, leasing: bool) -> None:
        self._store, self._reader, self._leasing = store, reader, leasing
        self._book = Book(leasing=leasing)
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[Waiting | None] = queue.SimpleQueue()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = self._woken = False
        self._out: tuple[float, TemporaryFailure] | None = None
        self._tidied = 0.0
        self._maintenance = peeking.Maintenance()

    def answer(self, words: str, name: int, recipients: int) -> Decision | None:
        """Answer a complete message from memory, if that can be done; see `Book.answer`."""
        with self._lock:
            decision = self._book.answer(words, name, recipients, time.monotonic())
            wake = self._book.renewals and not self._woken
            self._woken = self._book.renewals
        if wake:
            self._queue.put(None)
        return decision

    def submit(self, request: SendingRequest, words: str, name: int) -> "Future[Decision]":
        """Put a request into the next batch.

        Returns:
            The answer to come; cancelled before its batch begins, it charges nothing. It fails with TemporaryFailure
            where the database does not answer or the counter was closed.
        """
        waiting = Waiting(request, words, name, time.monotonic())
        with self._guard:
            if self._closed:
                waiting.future.set_exception(TemporaryFailure("the counter is closed"))
                return waiting.future
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="sending-counter", daemon=True)
                self._thread.start()
            self._queue.put(waiting)
        return waiting.future

    def forget_terms(self, generation: int) -> None:
        """Decide by the terms of this generation from now on."""
        with self._lock:
            self._book.forget_terms(generation)

    @property
    def leases(self) -> int:
        """How many leases hold something."""
        with self._lock:
            return self._book.held

    @property
    def transactions(self) -> int:
        """How many the store has begun."""
        return self._store.transactions

    def close(self, timeout: float | None = None) -> None:
        """Answer what waits, give back what is held, and end the thread.

        Args:
            timeout: seconds to wait for that; None: as long as it takes.
        """
        with self._guard:
            self._closed = True
            thread = self._thread
        if thread is not None:
            self._queue.put(None)
            thread.join(timeout)

    def _run(self) -> None:
        while not (self._closed and self._queue.empty()):
            batch = self._collect()
            self._answer([item for item in batch if item.request.phase is Phase.CHARGE], self._charge)
            self._answer([item for item in batch if item.request.phase is Phase.PEEK], self._peek)
            self._tidy()
            if not batch and self._book.owing:
                self._give_back()
        with self._lock:
            self._book.give_back_all()
        while self._book.owing and self._give_back():
            pass
        self._store.close()

    @property
    def _busy(self) -> bool:
        """Whether there is something to be done for which nobody waits."""
        return (self._book.renewals or self._book.owing) and self._out is None

    def _collect(self) -> list[Waiting]:
        try:
            found = [self._queue.get(timeout=0 if self._busy else TIDY_SECONDS)]
            if found[0] is None and not self._closed:
                found = [self._queue.get(timeout=GATHER_SECONDS)]
        except queue.Empty:
            return []
        while len(found) < MAX_BATCH and not self._queue.empty():
            found.append(self._queue.get())
        return [item for item in found if item is not None and _is_waited_for(item)]

    def _answer(self, batch: list[Waiting], run: Callable[[list[Waiting]], Sequence[tuple[Waiting, Decision]]]) -> None:
        if not batch and not (run == self._charge and self._book.renewals):
            return
        if self._out is not None and self._out[0] > time.monotonic():
            _fail(batch, self._out[1])
            return
        try:
            answers = run(batch)
        except Exception as error:  # noqa: BLE001 - whoever waits must hear of it, and the thread must live on
            _fail(batch, self._failed(error, len(batch)))
        else:
            self._out = None
            for item, decision in answers:
                item.future.set_result(decision)

    def _failed(self, error: Exception, requests: int) -> TemporaryFailure:
        log.event(logger, logging.ERROR, None, "sending store failed", requests=requests, error=_reason(error))
        failure = error if isinstance(error, TemporaryFailure) else TemporaryFailure("the counter failed")
        self._out = (time.monotonic() + OUT_SECONDS, failure)
        return failure

    def _charge(self, batch: list[Waiting]) -> list[tuple[Waiting, Decision]]:
        for _ in range(_MOST_STALE):
            self._read_terms(batch)
            with self._lock:
                trip = self._book.prepare(batch, time.monotonic())
                self._woken = False
            try:
                self._make(trip)
            except Stale as stale:
                with self._lock:
                    self._book.undo(trip)
                    self._book.forget_terms(stale.generation)
                for waiting, decision in trip.answered:
                    waiting.future.set_result(decision)
                answered = {id(waiting) for waiting, _ in trip.answered}
                batch = [waiting for waiting in batch if id(waiting) not in answered]
                continue
            return trip.answered + [(item.waiting, item.decision) for item in trip.pending]
        raise TemporaryFailure("the terms change all the time")

    def _make(self, trip: Trip) -> None:
        """Make a trip, settle it."""
        if keys := trip.keys:
            try:
                self._store.transact(keys, trip.work)
            except Stale:
                raise
            except BaseException:
                with self._lock:
                    self._book.lose(trip)
                raise
        with self._lock:
            self._book.settle(trip)

    def _read_terms(self, batch: list[Waiting]) -> None:
        with self._lock:
            missing = {item.words: item.request for item in batch if self._book.route(item.words) is None}
            generation = self._book.generation
        if not self._leasing or generation < 0:
            found = self._store.peek(()).generation
            if found != generation:
                with self._lock:
                    self._book.forget_terms(found)
                missing = {item.words: item.request for item in batch}
        if missing:
            wanted = [(request.account, request.sender_domain) for request in missing.values()]
            terms = self._reader.read(self._store.connection, wanted)
            with self._lock:
                for words, found_terms in zip(missing, terms, strict=True):
                    self._book.learn(words, found_terms)

    def _peek(self, batch: list[Waiting]) -> list[tuple[Waiting, Decision]]:
        self._read_terms(batch)
        with self._lock:
            routes = [self._book.route(item.words) for item in batch]
        asked = [
            peeking.Asked(route, item.request.recipient) for item, route in zip(batch, routes, strict=True) if route
        ]
        decisions = peeking.decide(self._store, self._reader, asked, time.monotonic())
        return list(zip(batch, decisions, strict=True))

    def _tidy(self) -> None:
        now = time.monotonic()
        if now - self._tidied < TIDY_SECONDS:
            return
        self._tidied = now
        with self._lock:
            self._book.tidy(now)
        try:
            self._maintenance.run(self._store, now)
        except TemporaryFailure as error:
            log.event(logger, logging.WARNING, None, "old counts not pruned", error=_reason(error))

    def _give_back(self) -> bool:
        """Give back a part of what is owed, and return whether the store works; where not, that part stays charged."""
        with self._lock:
            trip = self._book.prepare((), time.monotonic())
        try:
            self._make(trip)
        except Stale as stale:
            with self._lock:
                self._book.undo(trip)
                self._book.forget_terms(stale.generation)
        except Exception as error:  # noqa: BLE001 - nobody waits for it
            self._failed(error, 0)
            return False
        self._out = None
        return True


def _fail(batch: list[Waiting], failure: TemporaryFailure) -> None:
    for item in batch:
        if not item.future.done():
            item.future.set_exception(failure)


def _is_waited_for(item: Waiting) -> bool:
    if not item.future.set_running_or_notify_cancel():
        return False
    if time.monotonic() - item.since > MAX_WAIT_SECONDS:
        item.future.set_exception(TemporaryFailure("the database took too long"))
        return False
    return True


def _reason(error: BaseException) -> str:
    """Return the innermost cause in one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"
