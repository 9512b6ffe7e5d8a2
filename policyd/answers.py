"""Between Postfix's words and ours: a policy request becomes a sending request, a decision becomes an answer.

No socket and no rule of sending. Who did not log in is not our concern: mail from outside gets DUNNO here. Most
complete messages are answered from memory, here and now; the others, and recipients, wait for the decider's thread.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol

from policyd import protocol
from policyd.metrics import Metrics
from policyd.protocol import PolicyRequest
from smailor import log
from smailor.address import Address, DomainName
from smailor.errors import InvalidInput, TemporaryFailure
from smailor.sending.decision import PERMITTED, UNAVAILABLE, Decision, Phase, SendingRequest

PHASES = {"RCPT": Phase.PEEK, "END-OF-MESSAGE": Phase.CHARGE}
"""At RCPT, so that no body is uploaded for nothing; at END-OF-MESSAGE once for all recipients."""

logger = logging.getLogger(__name__)


class Decider(Protocol):
    """Whoever decides."""

    def answer(self, words: str, instance: str, recipients: int) -> Decision | None:
        """Return the decision on a complete message if that is known at once."""

    def submit(self, request: SendingRequest, words: str) -> "Future[Decision]":
        """Return the decision to come, from a thread of the decider's own."""


class Answers:
    """Answers policy requests; to be made and called in the event loop.

    Args:
        decider: decides.
        metrics: counts.
        note: is told accounts and the addresses that they send from.

    Attributes:
        waiting: how many requests the decider has not answered yet.
    """

    def __init__(self, decider: Decider, metrics: Metrics, note: Callable[[str, str], None] | None = None) -> None:
        self._decider = decider
        self._metrics = metrics
        self._note = note
        self._loop = asyncio.get_running_loop()
        self._guard = threading.Lock()
        self._decided: deque[tuple[PolicyRequest, Future[Decision], asyncio.Future[bytes]]] = deque()
        self._woken = False
        self.waiting = 0

    def __call__(self, request: PolicyRequest) -> "bytes | asyncio.Future[bytes]":
        """Answer at once where that can be done, later otherwise."""
        words = f"{request.sasl_username} {request.sender.rpartition('@')[2]}"
        if request.sasl_username and request.protocol_state == "END-OF-MESSAGE":
            known = self._decider.answer(words, request.instance, request.recipient_count)
            if known is PERMITTED:
                self._metrics.decisions.add("permitted")
                return protocol.DUNNO
            if known is not None:
                return self._words(request, known)
        try:
            question = sending_request(request)
        except InvalidInput as error:
            log.event(logger, logging.ERROR, request.queue_id, "login is no inbox", login=request.sasl_username)
            failed: asyncio.Future[bytes] = self._loop.create_future()
            failed.set_exception(error)
            return failed
        if question is None:
            self._metrics.decisions.add("not_asked")
            return protocol.DUNNO
        if self._note is not None and question.phase is Phase.PEEK:
            self._note(str(question.account), request.client_address)
        answer: asyncio.Future[bytes] = self._loop.create_future()
        self.waiting += 1
        decision = self._decider.submit(question, words)
        answer.add_done_callback(lambda done: done.cancelled() and decision.cancel())
        decision.add_done_callback(lambda done: self._hand_over(request, done, answer))
        return answer

    def _hand_over(self, request: PolicyRequest, decision: "Future[Decision]", answer: "asyncio.Future[bytes]") -> None:
        """Pass a decision from the decider's thread to the event loop, which is woken once for a whole batch."""
        with self._guard:
            self._decided.append((request, decision, answer))
            if self._woken:
                return
            self._woken = True
        self._loop.call_soon_threadsafe(self._give_answers)

    def _give_answers(self) -> None:
        with self._guard:
            decided, self._decided = self._decided, deque()
            self._woken = False
        self.waiting -= len(decided)
        for request, decision, answer in decided:
            if answer.done():
                continue
            error = decision.exception()
            if isinstance(error, TemporaryFailure):
                answer.set_result(self._words(request, UNAVAILABLE))
            elif error:
                answer.set_exception(error)
            else:
                answer.set_result(self._words(request, decision.result()))

    def _words(self, request: PolicyRequest, decision: Decision) -> bytes:
        self._metrics.decisions.add(decision.kind.value)
        if decision.permitted:
            return protocol.DUNNO
        log.event(
            logger,
            logging.INFO,
            request.queue_id,
            "refused",
            kind=decision.kind.value,
            state=request.protocol_state,
            account=request.sasl_username,
        )
        return protocol.format_refusal(decision.code, decision.enhanced_code, decision.text)


def sending_request(request: PolicyRequest) -> SendingRequest | None:
    """Return what is to be decided; None: nothing, as the client did not log in or the state is not one of ours.

    Raises:
        InvalidInput: the login is not an address.
    """
    phase = PHASES.get(request.protocol_state)
    if phase is None or not request.sasl_username:
        return None
    account = Address.parse(request.sasl_username)
    return SendingRequest(
        account=account,
        phase=phase,
        instance=request.instance,
        sender_domain=_domain(request.sender) or account.domain,
        recipient=request.recipient,
        recipient_count=request.recipient_count,
        size=request.size,
    )


def _domain(sender: str) -> DomainName | None:
    """Return the sender's domain; None where there is none to speak of (a bounce, an address literal)."""
    try:
        return DomainName.parse(sender.rpartition("@")[2])
    except InvalidInput:
        return None
