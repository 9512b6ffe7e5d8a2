"""May this message leave, and why not? One answer for the policy daemon, the web and whoever else sends.

So far one limit holds: messages per hour for each account. Each process that asks keeps one `SendingService`.
"""

from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from functools import partial

from sqlalchemy.orm import Session

from smailor.database.engine import Database
from smailor.sending import permission
from smailor.sending.counter import Counter, Question, store_clock
from smailor.sending.decision import Decision, Phase, SendingRequest
from smailor.sending.limits import HOUR, Limit


class SendingService:
    """Answers requests to send, and counts what it permits.

    Args:
        database: shared by all who answer for the same accounts.
        messages_per_hour: that each account may send in any 60 minutes.
        now: see `Counter`.
    """

    def __init__(
        self, database: Database, *, messages_per_hour: int, now: Callable[[Session], datetime] = store_clock
    ) -> None:
        self._limit = Limit("messages", HOUR, messages_per_hour)
        self._counter = Counter(database, now=now)

    def submit(self, request: SendingRequest) -> Future[Decision]:
        """Ask whether a message may leave.

        A peek charges nothing. A charge counts the message once if it is permitted: asked again with the same
        instance within five minutes, it is answered the same, by whichever process, and not counted again.

        Returns:
            The decision to come; permissions are durable by the time it is there. It fails with TemporaryFailure
            where the database does not answer: then nothing may leave. Cancelled in time, it counts nothing.
        """
        key = permission.account_key(request.account)
        return self._counter.submit(
            Question(
                keys=(key,),
                decide=partial(permission.decide, request, self._limit),
                charged_to=key if request.phase is Phase.CHARGE else None,
                instance=request.instance,
            )
        )

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

    def close(self, timeout: float | None = None) -> None:
        """Answer what was asked and stop; later requests fail with TemporaryFailure."""
        self._counter.close(timeout)
