"""Counting in the background: a message is noted in memory at once and written with many others a few seconds later.

A message never waits for this and never fails by it. What is noted is bounded; while the database is away the notes
wait, and what does not fit is dropped, counted and logged. The thread begins with the first note, so that a fork before
it is safe.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from smailor import log
from smailor.authentication.dmarc_record import Policy
from smailor.authentication.evaluate import AuthenticationResult
from smailor.authentication.report_row import Counted, Override, report_row
from smailor.errors import TemporaryFailure

FLUSH_SECONDS = 3.0
MAX_KINDS = 10_000
"""Kinds of messages noted and not yet written; about a kilobyte each."""

logger = logging.getLogger(__name__)


class EvaluationRecorder:
    """Notes what was found about messages. Used by many threads at once.

    Args:
        write: writes counts and returns how many messages found no room; raises TemporaryFailure
            (`record_service.record`).
        seconds: from a note to its being written, at most.
        limit: kinds of messages that may wait.

    Attributes:
        dropped: messages that were not counted, for metrics.
    """

    def __init__(
        self, write: Callable[[Mapping[Counted, int]], int], *, seconds: float = FLUSH_SECONDS, limit: int = MAX_KINDS
    ) -> None:
        self.dropped = 0
        self._write = write
        self._seconds = seconds
        self._limit = limit
        self._noted: dict[Counted, int] = {}
        self._overflow = 0
        self._guard = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def note(
        self,
        result: AuthenticationResult,
        *,
        source_ip: str,
        mail_from: str,
        applied: Policy,
        override: Override | None = None,
        now: datetime,
    ) -> None:
        """Note a message that was accepted or refused for good; returns at once.

        Args:
            result: what was found about it.
            source_ip: the SMTP client's address.
            mail_from: the reverse path.
            applied: what was done with it for DMARC's sake.
            override: why, where that is not what its policy wants; None: as `report_row` sees it.
            now: when it came.
        """
        row = report_row(result, source_ip=source_ip, mail_from=mail_from, applied=applied, override=override)
        if row is None or result.dmarc.record is None:
            return
        counted = Counted(now.astimezone(UTC).date(), row, result.dmarc.record.text)
        with self._guard:
            self._add(counted, 1)
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(target=self._run, name="evaluations", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Write what is noted, once, and end the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self.flush()
        if self._noted:
            self._drop(sum(self._noted.values()), "the process ends")
            self._noted.clear()

    def flush(self) -> None:
        """Write what is noted; where the database does not answer it stays noted."""
        with self._guard:
            batch, self._noted = self._noted, {}
            overflow, self._overflow = self._overflow, 0
        if overflow:
            # Told here and not where it happens, which is while a message waits.
            log.event(logger, logging.WARNING, None, "evaluations dropped", messages=overflow, reason="too many wait")
        if not batch:
            return
        try:
            without_room = self._write(batch)
        except TemporaryFailure as error:
            log.event(logger, logging.WARNING, None, "evaluations wait", kinds=len(batch), error=error)
            with self._guard:
                for counted, count in batch.items():
                    self._add(counted, count)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a batch, the next one is to be written
            self._drop(sum(batch.values()), f"{type(error).__name__}: {error}")
        else:
            if without_room:
                self._drop(without_room, "too many kinds of messages on this day")

    def _add(self, counted: Counted, count: int) -> None:
        if counted in self._noted or len(self._noted) < self._limit:
            self._noted[counted] = self._noted.get(counted, 0) + count
        else:
            self.dropped += count
            self._overflow += count

    def _drop(self, messages: int, reason: str) -> None:
        self.dropped += messages
        log.event(logger, logging.WARNING, None, "evaluations dropped", messages=messages, reason=reason)

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            self.flush()
