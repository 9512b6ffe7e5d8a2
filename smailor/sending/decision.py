"""The values of a decision: what is asked, what is answered, and the words of the answer. No rule and no I/O here."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from smailor.address import Address, DomainName
from smailor.sending.limits import Limit


class Phase(Enum):
    """How far a message has come when it is asked about."""

    PEEK = "peek"
    """A recipient is named, nothing was uploaded yet: say no early, charge nothing."""
    CHARGE = "charge"
    """The message is complete and leaves with a yes: charge it, once."""


@dataclass(frozen=True, slots=True)
class SendingRequest:
    """May this message leave?

    Attributes:
        account: the inbox that logged in.
        phase: whether to look or to charge.
        instance: tells the attempts to send from one another; asked again, it is the same message.
        sender_domain: of the envelope sender; the account's own where that is empty.
        recipient: envelope recipient as given, while peeking; may be empty.
        recipient_count: recipients of the complete message, Bcc included; 0 while peeking.
        size: octets; 0: not known yet.
    """

    account: Address
    phase: Phase
    instance: str
    sender_domain: DomainName
    recipient: str = ""
    recipient_count: int = 0
    size: int = 0


class Kind(Enum):
    """What sort of answer it is: the label of metrics and logs, never an address."""

    PERMITTED = "permitted"
    LIMIT_REACHED = "limit_reached"
    WARM_UP_REACHED = "warm_up_reached"
    TOO_MANY_RECIPIENTS = "too_many_recipients"
    SUSPENDED = "suspended"
    PAUSED = "paused"
    SUPPRESSED = "suppressed"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer, as a value; only an adapter makes wire text of it.

    Attributes:
        kind: what sort of answer.
        code: SMTP reply code; 0 with a permission.
        enhanced_code: RFC 3463 status code; empty with a permission.
        text: for the person who sends: what is in the way and when it will not be; empty with a permission.
    """

    kind: Kind
    code: int = 0
    enhanced_code: str = ""
    text: str = ""

    @property
    def permitted(self) -> bool:
        """Whether the message may leave."""
        return self.kind is Kind.PERMITTED


PERMITTED = Decision(Kind.PERMITTED)
UNAVAILABLE = Decision(
    Kind.UNAVAILABLE, 451, "4.3.0", "Sending limits cannot be checked at the moment; please try again later"
)
"""The answer while the database is out: nothing leaves uncounted."""


def limit_reached(limit: Limit, of: str, free_at: datetime | None) -> Decision:
    """Return the answer for a limit that is used up.

    Args:
        limit: which one.
        of: whose, as people know it: an address or a domain.
        free_at: when to try again; None: never within this limit.
    """
    again = f"; try again after {free_at:%H:%M} UTC" if free_at else ""
    return Decision(Kind.LIMIT_REACHED, 450, "4.7.1", f"Sending limit reached: {limit} for {of}{again}")


def warm_up_reached(limit: Limit, of: str) -> Decision:
    """Return the answer for a young domain that has sent today what it may.

    Args:
        limit: today's cap.
        of: the domain.
    """
    text = f"Warm-up limit of {of} reached today ({limit.maximum}); resumes 00:00 UTC"
    return Decision(Kind.WARM_UP_REACHED, 450, "4.7.1", text)


def too_many_recipients(count: int, maximum: int) -> Decision:
    """Return the answer for a message with more recipients than one message may have."""
    text = f"Message has {count} recipients, the limit is {maximum}"
    return Decision(Kind.TOO_MANY_RECIPIENTS, 550, "5.7.1", text)


def suspended(what: str, contact: str) -> Decision:
    """Return the answer for whoever may not send until somebody says otherwise.

    Args:
        what: "account", "domain" or "workspace".
        contact: address of whom to ask.
    """
    return Decision(Kind.SUSPENDED, 550, "5.7.1", f"Sending is suspended for this {what}; contact {contact}")


def paused(reason: str, confirm_at: str) -> Decision:
    """Return the answer for an account that waits for its owner to confirm what it did.

    Args:
        reason: what looked unlike it.
        confirm_at: where to say that it was meant: an URL.
    """
    text = f"Sending is paused for this account ({reason}); confirm at {confirm_at}"
    return Decision(Kind.PAUSED, 450, "4.7.1", text)


def suppressed(recipient: str, since: datetime, reason: str) -> Decision:
    """Return the answer for a recipient on the workspace's suppression list."""
    text = f"<{recipient}> is on your suppression list since {since:%Y-%m-%d} ({reason})"
    return Decision(Kind.SUPPRESSED, 550, "5.7.1", text)
