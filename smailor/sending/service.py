"""May this message leave, and why not? One answer for the policy daemon, the web and whoever else sends.

Each process that asks keeps one `SendingService`.
"""

from concurrent.futures import Future

from smailor.sending.counter import Counter
from smailor.sending.decision import Decision, SendingRequest
from smailor.sending.store import Clock
from smailor.sending.stores import open_store
from smailor.sending.terms import TermsReader
from smailor.sending.watch import Watch


class SendingService:
    """Answers requests to send, and counts what it permits.

    Args:
        url: of the database, shared by all who answer for the same accounts.
        reader: of the terms.
        leasing: hold units in memory; for a daemon. Without, each permission is a transaction of its own.
        clock: in place of the store's own, for tests.
    """

    def __init__(self, url: str, reader: TermsReader, *, leasing: bool = False, clock: Clock | None = None) -> None:
        self._counter = Counter(open_store(url, clock), reader, leasing=leasing)
        self._watch = Watch(url, self._counter.forget_terms) if leasing else None
        if self._watch:
            self._watch.start()

    def answer(self, words: str, instance: str, recipients: int) -> Decision | None:
        """Answer a complete message from memory, without waiting for anything.

        Args:
            words: account and sender domain, as `submit` was given them before.
            instance: as in `SendingRequest`.
            recipients: how many it has.

        Returns:
            None: it has to be submitted.
        """
        return self._counter.answer(words, hash((words, instance)), recipients)

    def submit(self, request: SendingRequest, words: str = "") -> "Future[Decision]":
        """Ask whether a message may leave.

        A peek charges nothing. A charge counts the message once if it is permitted: asked again with the same
        instance within five minutes, it is answered the same by this process, and not counted again. Another process
        does not know of it, and counts it again: as after a crash, fewer may leave then, never more.

        Args:
            request: what is asked.
            words: account and sender domain as they were written, under which `answer` will know them; empty: in
                normal form.

        Returns:
            The decision to come; permissions are durable by the time it is there. It fails with TemporaryFailure
            where the database does not answer: then nothing may leave. Cancelled in time, it counts nothing.
        """
        words = words or f"{request.account} {request.sender_domain}"
        return self._counter.submit(request, words, hash((words, request.instance)))

    def decide(self, request: SendingRequest, timeout: float | None = None) -> Decision:
        """Ask as `submit` does, and wait for the decision.

        Args:
            request: what is asked.
            timeout: seconds to wait; None: as long as it takes.

        Raises:
            TemporaryFailure: the database does not answer.
            TimeoutError: it did not in time.
        """
        return self.submit(request).result(timeout)

    @property
    def transactions(self) -> int:
        """How many transactions all answers so far have cost."""
        return self._counter.transactions

    @property
    def leases(self) -> int:
        """How many leases are out."""
        return self._counter.leases

    def close(self, timeout: float | None = None) -> None:
        """Answer what was asked, give back what is held, and stop; later requests fail with TemporaryFailure."""
        if self._watch:
            self._watch.stop()
        self._counter.close(timeout)
