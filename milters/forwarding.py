"""What forwarded mail needs to survive at the next host: our seal on what we found, and a sender that SPF lets us use.

The DMARC milter asks, once a message's recipients and header are known, whether an alias sends it outside. If so it
leaves with an ARC set of the service's own domain (RFC 8617) and with an envelope sender of ours (SRS, see
smailor/authentication/srs.py), whether or not some copies stay here: those show the rewritten sender in Return-Path,
and answers to it find their way. A bounce keeps its empty sender. No protocol, no database here.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from milters import events
from milters.tenant import AddHeader, ChangeSender, Edit
from smailor.authentication import srs
from smailor.authentication.arc import ArcStatus
from smailor.authentication.arc_seal import Sealer
from smailor.authentication.dkim import SigningIdentity
from smailor.authentication.evaluate import AuthenticationResult
from smailor.errors import InvalidInput

MAX_RECIPIENTS = 1_000
"""That are looked at; Postfix's smtpd_recipient_limit."""
FRESH_SECONDS = 5.0
"""How long it is remembered where an address leads."""
MAX_REMEMBERED = 20_000

_LOG = logging.getLogger(__name__)


class Onward(Protocol):
    """A message that goes outside."""

    def feed(self, chunk: bytes) -> None:
        """Take the next octets of the body."""

    def edits(self, result: AuthenticationResult, *, queue_id: str, sender: str) -> tuple[Edit, ...]:
        """Return what changes about it, once it is accepted; raises TemporaryFailure."""


class Routes:
    """Where addresses lead, remembered shortly. Used by many threads at once.

    Args:
        is_forwarded_outside: answers for an address; raises TemporaryFailure.
        srs_domain: whose addresses lead outside by themselves: bounces of what was forwarded.
        monotonic: seconds of a clock that only moves forward.
    """

    def __init__(
        self, is_forwarded_outside: Callable[[str], bool], *, srs_domain: str, monotonic: Callable[[], float]
    ) -> None:
        self._ask = is_forwarded_outside
        self._srs_domain = srs_domain
        self._monotonic = monotonic
        self._known: dict[str, tuple[bool, float]] = {}

    def lead_outside(self, recipients: Sequence[str]) -> bool:
        """Tell whether mail for one of these addresses goes outside.

        Raises:
            TemporaryFailure: it cannot be known now.
        """
        return any(self._leads_outside(recipient) for recipient in recipients[:MAX_RECIPIENTS])

    def _leads_outside(self, recipient: str) -> bool:
        if recipient.rpartition("@")[2].lower() == self._srs_domain:
            return True
        now = self._monotonic()
        known = self._known.get(recipient)
        if known is not None and now - known[1] < FRESH_SECONDS:
            return known[0]
        outside = self._ask(recipient)
        if len(self._known) >= MAX_REMEMBERED:
            self._known.clear()
        self._known[recipient] = (outside, now)
        return outside


class Forwarder:
    """Prepares messages for their way on.

    Args:
        routes: where recipients lead.
        identity: what the service itself signs with; raises TemporaryFailure.
        authserv_id: in whose name our findings are told.
        srs_domain: domain of rewritten senders.
        srs_secret: what their hashes are keyed with.
        now: the present moment.
    """

    def __init__(
        self,
        *,
        routes: Routes,
        identity: Callable[[], SigningIdentity],
        authserv_id: str,
        srs_domain: str,
        srs_secret: bytes,
        now: Callable[[], datetime],
    ) -> None:
        self.authserv_id = authserv_id
        self.srs_domain = srs_domain
        self.srs_secret = srs_secret
        self.identity = identity
        self.now = now
        self._routes = routes

    def begin(self, recipients: Sequence[str], fields: Sequence[tuple[str, bytes]]) -> "Forwarded | None":
        """Return the message if it goes outside, None otherwise.

        Args:
            recipients: of the envelope, with or without angle brackets.
            fields: name and value of every header field in order.

        Raises:
            TemporaryFailure: it cannot be known now.
        """
        addresses = [recipient.removeprefix("<").removesuffix(">") for recipient in recipients]
        return Forwarded(self, fields) if self._routes.lead_outside(addresses) else None


class Forwarded:
    """One message on its way in and out again: fed its body, asked for the changes."""

    __slots__ = ("_forwarder", "_sealer")

    def __init__(self, forwarder: Forwarder, fields: Sequence[tuple[str, bytes]]) -> None:
        self._forwarder = forwarder
        self._sealer = Sealer(fields)

    def feed(self, chunk: bytes) -> None:
        """Take the next octets of the body."""
        self._sealer.feed(chunk)

    def edits(self, result: AuthenticationResult, *, queue_id: str, sender: str) -> tuple[Edit, ...]:
        """Return what changes about the message.

        Args:
            result: what was found about it.
            queue_id: its name in the log.
            sender: of the envelope; empty for a bounce.

        Raises:
            TemporaryFailure: our key cannot be read now.
        """
        seal = self._seal(result)
        rewritten = self._rewritten(sender.removeprefix("<").removesuffix(">"), queue_id)
        events.forwarded(_LOG, queue_id, sealed=bool(seal), sender=rewritten or sender)
        # Each is put on top of the one before.
        edits: tuple[Edit, ...] = tuple(AddHeader(name, value, on_top=True) for name, value in reversed(seal))
        return (*edits, ChangeSender(rewritten)) if rewritten else edits

    def _seal(self, result: AuthenticationResult) -> tuple[tuple[str, str], ...]:
        if result.arc.status is ArcStatus.TEMPERROR:
            return ()  # a seal would have to say whether the chain holds
        forwarder = self._forwarder
        return self._sealer.seal(
            forwarder.identity(), authserv_id=forwarder.authserv_id, results=result.methods(), now=forwarder.now()
        )

    def _rewritten(self, sender: str, queue_id: str) -> str:
        """Return the sender's new form; empty: it stays as it is."""
        forwarder = self._forwarder
        try:
            new = srs.forward(sender, domain=forwarder.srs_domain, secret=forwarder.srs_secret, now=forwarder.now())
        except InvalidInput as error:
            events.not_rewritten(_LOG, queue_id, sender=sender, reason=error.message)
            return ""
        return "" if new == sender else new
