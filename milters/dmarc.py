"""The DMARC milter's knowledge: what comes from outside is checked, told about in the header, refused or marked.

Only what strangers hand in on port 25 comes here. A message's verdict is, in this order:

1. its domain's policy says "reject", or its From field is malformed: 550 5.7.1 with the domain and the reason;
2. the policy says "quarantine", or its From field names no domain: X-Smailor-Quarantine, which Sieve files in Junk;
3. the DNS owes an answer that could still make it pass: 451 4.7.0, and the sender tries again; where no answer could,
   or where the policy asks for nothing, the message is not held back;
4. all others pass.

A chain sealed by somebody whom the operator trusts, or a forwarder known to the operator, makes of 1 (but never of a
malformed From), 2 and 3 a 4, told about in X-Smailor-DMARC. Whatever is accepted carries our Authentication-Results,
and nothing that a stranger wrote in our name: no Authentication-Results of our id (RFC 8601 section 5), no X-Smailor-*.

What an alias sends on to the outside leaves sealed and with a sender of ours (forwarding.py), and every message that is
accepted or refused for good is noted for the reports to its domain's owner.

No protocol here (that is adapter.py's) and no network: the DNS client comes in.
"""

import enum
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from milters import events
from milters.forwarding import Forwarded, Forwarder
from milters.tenant import (
    AddHeader,
    Arrival,
    Edit,
    Envelope,
    HeaderEdit,
    RemoveHeader,
    Verdict,
    accept,
    refuse,
    try_later,
)
from smailor.authentication.authentication_results import forged, write
from smailor.authentication.dmarc_record import Policy
from smailor.authentication.evaluate import AuthenticationResult, Evaluation
from smailor.authentication.evaluate import Envelope as Claims
from smailor.authentication.recorder import EvaluationRecorder
from smailor.authentication.report_row import Override, OverrideType
from smailor.authentication.trust import Trust
from smailor.dns.answer import DnsClient
from smailor.errors import TemporaryFailure

MAX_KEPT_OCTETS = 1024 * 1024
"""Of header, which is kept until the end of the message. Postfix cuts a single field at 60,000 for a milter."""
MAX_REASON = 300
"""Characters of a reason in a header field of ours."""

_RESULTS = "authentication-results"
_OURS = "x-smailor-"
_QUARANTINE = "X-Smailor-Quarantine"
_OVERRIDE = "X-Smailor-DMARC"
_LOG = logging.getLogger(__name__)


class Outcome(enum.Enum):
    """What becomes of a message."""

    PASS = "pass"  # noqa: S105 - no password
    JUNK = "junk"
    REFUSE = "refuse"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What becomes of a message, and why.

    Attributes:
        outcome: what becomes of it.
        reason: in words, for people.
        override: why the domain's policy was not followed; empty where it was.
    """

    outcome: Outcome
    reason: str
    override: str = ""


def judge(result: AuthenticationResult, *, trust: Trust, client_ip: str) -> Judgement:
    """Decide what becomes of a message; see the module's docstring.

    Args:
        result: what was found about it.
        trust: whom the operator believes.
        client_ip: who hands it in.

    Source: RFC 9989 sections 5.3.6 (temporary failures), 5.4 (policy and local exceptions) and 11.5 (From fields).
    """
    dmarc = result.dmarc
    if not dmarc.domain:
        # Nobody else can vouch for an author who is not named.
        return Judgement(_WANTED[dmarc.disposition], dmarc.reason)
    if dmarc.disposition is Policy.NONE and not dmarc.retry:
        return Judgement(Outcome.PASS, dmarc.reason)
    override = trust.override(result, client_ip)
    if override:
        return Judgement(Outcome.PASS, dmarc.reason, override)
    if dmarc.retry or trust.could_override(result):
        return Judgement(Outcome.WAIT, dmarc.reason)
    return Judgement(_WANTED[dmarc.disposition], dmarc.reason)


_WANTED = {Policy.NONE: Outcome.PASS, Policy.QUARANTINE: Outcome.JUNK, Policy.REJECT: Outcome.REFUSE}
_DONE = {outcome: policy for policy, outcome in _WANTED.items()}


class DmarcTenant:
    """Judges what comes from outside.

    Args:
        resolver: answers DNS questions; used by many threads at once.
        seconds: how long one message may wait for the DNS in all.
        authserv_id: our name in Authentication-Results.
        hostname: our name to the domain's owners.
        trust: whose word counts beside the author's domain.
        now: the present moment.
        forwarder: prepares what goes on to the outside; None: nothing does.
        recorder: notes what was found, for reports; None: nobody does.
    """

    def __init__(
        self,
        *,
        resolver: DnsClient,
        seconds: float,
        authserv_id: str,
        hostname: str,
        trust: Trust,
        now: Callable[[], datetime],
        forwarder: Forwarder | None = None,
        recorder: EvaluationRecorder | None = None,
    ) -> None:
        self.authserv_id = authserv_id
        self.trust = trust
        self.forwarder = forwarder
        self._recorder = recorder
        self._resolver = resolver
        self._seconds = seconds
        self._hostname = hostname
        self._now = now

    def begin(self, arrival: Arrival) -> "DmarcConversation":
        """Begin a message."""
        return DmarcConversation(self, arrival)

    def close(self) -> None:
        """Write down what was noted."""
        if self._recorder is not None:
            self._recorder.close()

    def note(self, arrival: Arrival, result: AuthenticationResult, judgement: Judgement) -> None:
        """Note a message for the reports; one that is to be sent again is noted then."""
        if self._recorder is None or judgement.outcome is Outcome.WAIT:
            return
        self._recorder.note(
            result,
            source_ip=arrival.client_ip,
            mail_from=arrival.mail_from,
            applied=_DONE[judgement.outcome],
            override=Override(OverrideType.TRUSTED_FORWARDER, judgement.override) if judgement.override else None,
            now=self._now(),
        )

    def evaluation(self, arrival: Arrival, fields: list[tuple[str, bytes]]) -> Evaluation:
        """Begin the checks of a message whose header has come.

        Each asks the DNS in threads of its own, made when the cache does not know everything: in threads that all
        messages share, those whose DNS is silent would hold up the others.
        """
        return Evaluation(
            Claims(arrival.client_ip, arrival.helo, arrival.mail_from),
            fields,
            resolver=self._resolver,
            now=self._now(),
            seconds=self._seconds,
            receiver=self._hostname,
        )


class DmarcConversation:
    """One message on its way in. Its header is kept, its body is not."""

    __slots__ = ("_arrival", "_evaluation", "_fields", "_kept", "_onward", "_tenant", "_unknown")

    def __init__(self, tenant: DmarcTenant, arrival: Arrival) -> None:
        self._tenant = tenant
        self._arrival = arrival
        self._fields: list[tuple[str, bytes]] = []
        self._kept = 0
        self._evaluation: Evaluation | None = None
        self._onward: Forwarded | None = None
        self._unknown: TemporaryFailure | None = None

    def header(self, name: str, value: bytes) -> Verdict | None:
        """Take a header field."""
        self._kept += len(name) + len(value)
        if self._kept > MAX_KEPT_OCTETS:
            self._fields.clear()
            return refuse("5.6.0", "The header of this message is too large")
        self._fields.append((name, value))
        return None

    def body(self, chunk: bytes) -> None:
        """Take the next octets of the body; the DNS is asked when the first of them come."""
        self._begun().feed(chunk)
        if self._onward is not None:
            self._onward.feed(chunk)

    def end(self, envelope: Envelope) -> Verdict:
        """Judge the message."""
        result = self._begun().result()
        judgement = judge(result, trust=self._tenant.trust, client_ip=self._arrival.client_ip)
        events.judged(
            _LOG,
            envelope.queue_id,
            outcome=judgement.outcome.value,
            client=self._arrival.client_ip,
            domain=result.dmarc.domain,
            dmarc=result.dmarc.status.value,
            reason=judgement.override or judgement.reason,
        )
        if judgement.outcome is Outcome.WAIT:
            return try_later("4.7.0", f"{_capital(judgement.reason)}; please try again later")
        if judgement.outcome is Outcome.REFUSE:
            self._tenant.note(self._arrival, result, judgement)
            return refuse("5.7.1", _refusal(result, judgement))
        try:
            onward = self._onward_edits(envelope, result)
        except TemporaryFailure as error:
            events.undecided(_LOG, envelope.queue_id, reason=str(error))
            return try_later("4.3.0", "This message cannot be handled now, please try again later")
        self._tenant.note(self._arrival, result, judgement)
        edits = (*self._removals(), *self._marks(judgement, result), self._results(result), *onward)
        return accept(*edits, outcome="junk" if judgement.outcome is Outcome.JUNK else "accepted")

    def close(self) -> None:
        """Ask the DNS nothing more."""
        if self._evaluation is not None:
            self._evaluation.close()

    def _begun(self) -> Evaluation:
        if self._evaluation is None:
            self._evaluation = self._tenant.evaluation(self._arrival, self._fields)
            if self._tenant.forwarder is not None:
                try:
                    self._onward = self._tenant.forwarder.begin(self._arrival.recipients, self._fields)
                except TemporaryFailure as error:
                    self._unknown = error  # what is refused anyway need not wait for it
        return self._evaluation

    def _onward_edits(self, envelope: Envelope, result: AuthenticationResult) -> tuple[Edit, ...]:
        """Return what a message needs that goes on to the outside; raises TemporaryFailure."""
        if self._unknown is not None:
            raise self._unknown
        if self._onward is None:
            return ()
        return self._onward.edits(result, queue_id=envelope.queue_id, sender=envelope.sender)

    def _removals(self) -> list[HeaderEdit]:
        """Return the removal of every field that only we may write."""
        by_name: dict[str, list[bytes]] = {}
        for name, value in self._fields:
            key = name.rstrip(" \t").lower()
            if key == _RESULTS or key.startswith(_OURS):
                by_name.setdefault(key, []).append(value)
        edits: list[HeaderEdit] = []
        for name, values in by_name.items():
            ours = forged(values, [self._tenant.authserv_id]) if name == _RESULTS else range(1, len(values) + 1)
            edits += [RemoveHeader(name, position) for position in sorted(ours, reverse=True)]
        return edits

    def _marks(self, judgement: Judgement, result: AuthenticationResult) -> list[HeaderEdit]:
        if judgement.override:
            dmarc = result.dmarc
            policy = f" (p={dmarc.policy.value})" if dmarc.policy is not None else ""
            value = f" {dmarc.status.value}{policy}, accepted: {_plain(judgement.override)}"
            return [AddHeader(_OVERRIDE, value, on_top=True)]
        if judgement.outcome is Outcome.JUNK:
            return [AddHeader(_QUARANTINE, " dmarc", on_top=True)]
        return []

    def _results(self, result: AuthenticationResult) -> AddHeader:
        value = write(self._tenant.authserv_id, result.methods())
        return AddHeader("Authentication-Results", value, on_top=True)


def _refusal(result: AuthenticationResult, judgement: Judgement) -> str:
    if not result.dmarc.domain:
        return f"Message refused: {judgement.reason}"
    return f"Message refused by the DMARC policy of {result.dmarc.domain}: {judgement.reason}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _plain(text: str) -> str:
    """Return the text as one bounded line of printable ASCII."""
    return "".join(character if " " <= character <= "~" else "?" for character in text)[:MAX_REASON]
