"""Sends letters as soon as they are posted, so that nobody waits a minute for a link; the job `notices` catches up.

One thread at a time, begun when there is something to send and gone when there is not. What it does not manage stays in
the outbox.
"""

import logging
import threading
from collections.abc import Callable
from datetime import datetime

from smailor import log
from smailor.accounts import notices
from smailor.database.engine import Database
from smailor.delivery import Deliver
from smailor.errors import SmailorError
from smailor.sealing import Sealer

_logger = logging.getLogger(__name__)


class Courier:
    """Carries letters from the outbox.

    Args:
        database: where the outbox is.
        sealer: unseals them.
        deliver: hands one over; None: this service writes no letters.
        clock: gives the present moment.
    """

    def __init__(
        self, database: Database, sealer: Sealer, *, deliver: Deliver | None, clock: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._deliver = deliver
        self._clock = clock
        self._lock = threading.Lock()
        self._wanted = False
        self._thread: threading.Thread | None = None

    def send_soon(self) -> None:
        """Send what is in the outbox, without making anybody wait. After the commit of what the letters tell of."""
        if self._deliver is None:
            return
        with self._lock:
            self._wanted = True
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="courier", daemon=True)
                self._thread.start()

    def wait(self, seconds: float) -> None:
        """Wait until what was to be sent has been tried, at most so long."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._wanted or self._deliver is None:
                    self._thread = None
                    return
                self._wanted = False
                deliver = self._deliver
            try:
                notices.send_due(self._database, self._sealer, deliver=deliver, now=self._clock())
            except SmailorError as error:
                log.event(_logger, logging.WARNING, None, "letters-wait", reason=error)
