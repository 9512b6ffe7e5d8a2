"""The DNS questions of one message: bounded in number and time, asked side by side, each one only once.

`MessageLookups` is a DnsClient around another one. What is announced is asked at once in a pool of threads, while the
caller goes on; a question asked is answered from what is known, from the other client's cache in the calling thread
(no thread is woken for that), or by waiting, but never longer than the message may wait in all. What passes between
questions does not count: a body may take its time to arrive.
"""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Self

from smailor.dns.answer import Answer, DnsClient
from smailor.errors import TemporaryFailure

SECONDS = 5.0
"""Of waiting, for all questions of one message together."""
MAX_QUESTIONS = 300
"""Of one message that no cache could answer: ten SPF terms with ten hosts each, ten keys, a long chain of seals."""
THREADS = 8
"""Of a pool that is made for one message, when none was handed in."""

_Question = tuple[str, str]


class MessageLookups:
    """The questions of one message. For one thread; use it as a context manager, or close it."""

    def __init__(
        self,
        client: DnsClient,
        *,
        executor: Executor | None = None,
        seconds: float = SECONDS,
        limit: int = MAX_QUESTIONS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Ask nothing yet.

        Args:
            client: who is asked. If it has a method `cached` as `Resolver` has, that is tried first.
            executor: threads to ask in, shared between messages; None: own ones, made when first needed.
            seconds: of waiting for answers, at most, all questions together.
            limit: how many questions may be asked.
            clock: monotonic seconds.
        """
        self._client = client
        self._recall: Callable[[str, str], Answer | None] | None = getattr(client, "cached", None)
        self._executor = executor
        self._own: ThreadPoolExecutor | None = None
        self._limit = limit
        self._clock = clock
        self._left = seconds
        self._known: dict[_Question, Answer | TemporaryFailure] = {}
        self._pending: dict[_Question, Future[Answer]] = {}
        self.asked = 0
        """Questions that no cache could answer, so far."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def announce(self, questions: Iterable[_Question]) -> None:
        """Begin to ask questions (name, kind) whose answers are likely to be wanted; returns at once."""
        for name, kind in questions:
            question = _normal(name, kind)
            if question not in self._known and question not in self._pending and not self._recalled(question):
                future = self._submit(question)
                if future is not None:
                    self._pending[question] = future

    def query(self, name: str, kind: str) -> Answer:
        """Answer one question; see DnsClient.query. Fails beyond the time and the number allowed."""
        question = _normal(name, kind)
        known = self._known.get(question)
        if known is None and question not in self._pending and self._recalled(question):
            known = self._known[question]
        if known is None:
            known = self._known[question] = self._awaited(question)
        if isinstance(known, TemporaryFailure):
            raise known
        return known

    def close(self) -> None:
        """Drop what is still being asked; returns at once."""
        for future in self._pending.values():
            future.cancel()
        self._pending.clear()
        if self._own is not None:
            self._own.shutdown(wait=False, cancel_futures=True)

    def _recalled(self, question: _Question) -> bool:
        answer = None if self._recall is None else self._recall(*question)
        if answer is None:
            return False
        self._known[question] = answer
        return True

    def _submit(self, question: _Question) -> Future[Answer] | None:
        if self.asked >= self._limit or self._left <= 0:
            return None
        self.asked += 1
        executor = self._executor
        if executor is None:
            if self._own is None:
                self._own = ThreadPoolExecutor(THREADS, "dns")
            executor = self._own
        return executor.submit(self._client.query, *question)

    def _awaited(self, question: _Question) -> Answer | TemporaryFailure:
        future = self._pending.pop(question, None) or self._submit(question)
        name, kind = question
        if future is None:
            if self.asked >= self._limit:
                return TemporaryFailure(f"the message asks more than {self._limit} DNS questions")
            return TemporaryFailure(f"no time is left to ask the DNS for {name} {kind}")
        try:
            return self._result(future)
        except TimeoutError:
            future.cancel()
            return TemporaryFailure(f"DNS gave no answer in time for {name} {kind}")
        except TemporaryFailure as failure:
            return failure

    def _result(self, future: Future[Answer]) -> Answer:
        started = self._clock()
        try:
            return future.result(timeout=max(0.0, self._left))
        finally:
            self._left -= self._clock() - started


def _normal(name: str, kind: str) -> _Question:
    return name.removesuffix(".").lower(), kind
