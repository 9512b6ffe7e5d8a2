"""A bounded, thread-safe memory of DNS answers. It keeps no answer longer than its TTL, and no error at all.

Times are seconds of a monotonic clock and come in as arguments.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from smailor.dns.answer import Answer

Question = tuple[str, str]


class AnswerCache:
    """Answers by question, positive and negative alike (RFC 2308); the least recently used goes first."""

    def __init__(self, *, entries: int = 10_000, longest_seconds: int = 3600) -> None:
        """Make an empty one.

        Args:
            entries: how many answers at most.
            longest_seconds: ceiling on a TTL, so that no record stays for ever.
        """
        self._entries = entries
        self._longest_seconds = longest_seconds
        self._lock = threading.Lock()
        self._answers: OrderedDict[Question, tuple[float, Answer]] = OrderedDict()

    def __len__(self) -> int:
        with self._lock:
            return len(self._answers)

    def get(self, question: Question, now: float) -> Answer | None:
        """The answer kept for this question, its TTL counted down to what is left; None if none is fresh."""
        with self._lock:
            kept = self._answers.get(question)
            if kept is None:
                return None
            expires, answer = kept
            if expires <= now:
                del self._answers[question]
                return None
            self._answers.move_to_end(question)
        # Not dataclasses.replace: this runs several times for every message.
        return Answer(
            answer.name, answer.kind, answer.outcome, answer.records, int(expires - now), answer.authenticated
        )

    def put(self, question: Question, answer: Answer, now: float) -> None:
        """Keep an answer for its TTL; one with a TTL of 0 is for the asker only (RFC 1035 §3.2.1)."""
        seconds = min(answer.ttl, self._longest_seconds)
        if seconds <= 0:
            return
        with self._lock:
            self._answers[question] = (now + seconds, answer)
            self._answers.move_to_end(question)
            while len(self._answers) > self._entries:
                self._answers.popitem(last=False)
