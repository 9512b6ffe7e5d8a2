"""How often the DNS was asked and how it answered: numbers for metrics, safe to share between threads."""

import threading
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DnsCounts:
    """Since the start of the process.

    Attributes:
        cached: questions answered from the cache.
        answered: questions that a server answered, with or without records.
        failed: questions that no server answered in time.
        seconds: time spent waiting for servers, all threads together.
    """

    cached: int = 0
    answered: int = 0
    failed: int = 0
    seconds: float = 0.0


class DnsCounter:
    """Counts questions."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cached = self._answered = self._failed = 0
        self._seconds = 0.0

    def cached(self) -> None:
        """Count a question that the cache answered."""
        with self._lock:
            self._cached += 1

    def asked(self, seconds: float, *, answered: bool) -> None:
        """Count a question that servers were asked, and how long that took."""
        with self._lock:
            self._seconds += seconds
            if answered:
                self._answered += 1
            else:
                self._failed += 1

    @property
    def counts(self) -> DnsCounts:
        """The numbers now."""
        with self._lock:
            return DnsCounts(self._cached, self._answered, self._failed, self._seconds)
