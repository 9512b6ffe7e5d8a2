"""Watches for changes of terms, so that none is older than a second in any process that answers from memory.

PostgreSQL tells (LISTEN), SQLite is asked whether anybody wrote (PRAGMA data_version); and then, or once a second in
any case, the generation is read, which each change of terms raises in its own transaction.
"""

import logging
import threading
from collections.abc import Callable
from typing import Final

import psycopg

from smailor import log
from smailor.database import plain
from smailor.database.plain import PostgresqlPlain
from smailor.errors import TemporaryFailure

EVERY_SECONDS: Final = 0.5
CHANNEL: Final = "sending_terms"

logger = logging.getLogger(__name__)


class Watch:
    """A thread with a connection of its own.

    Args:
        url: of the database.
        tell: called from the thread with each generation read.
    """

    def __init__(self, url: str, tell: Callable[[int], None]) -> None:
        self._connection = plain.connect(url)
        self._tell = tell
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sending-terms", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, within `EVERY_SECONDS`; nobody has to wait for it."""
        self._stopped.set()

    def _run(self) -> None:
        failing = False
        while not self._stopped.is_set():
            try:
                self._look()
            except (TemporaryFailure, psycopg.Error) as error:
                if not failing:
                    log.event(logger, logging.WARNING, None, "terms not watched", error=str(error))
                failing = True
                self._connection.close()
                self._stopped.wait(EVERY_SECONDS)
            else:
                failing = False
        self._connection.close()

    def _look(self) -> None:
        if isinstance(self._connection, PostgresqlPlain):
            self._connection.rows("LISTEN " + CHANNEL)
            driver = self._connection.open()
            while not self._stopped.is_set():
                self._read()
                for _ in driver.notifies(timeout=EVERY_SECONDS, stop_after=1):
                    pass
            return
        version = None
        while not self._stopped.is_set():
            ((found,),) = self._connection.rows("PRAGMA data_version")
            if found != version:
                version = found
                self._read()
            self._stopped.wait(EVERY_SECONDS)

    def _read(self) -> None:
        for (generation,) in self._connection.rows("SELECT generation FROM sending_terms"):
            self._tell(generation)
