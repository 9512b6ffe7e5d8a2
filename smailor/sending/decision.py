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


def limit_reached(limit: Limit, of: str, free_at: datetime | None) -> Decision:
    """Return the answer for a limit that is used up.

    Args:
        limit: which one.
        of: whose, as people know it: an address or a domain.
        free_at: when to try again; None: never within this limit.
    """
    again = f"; try again after {free_at:%H:%M} UTC" if free_at else ""
    return Decision(Kind.LIMIT_REACHED, 450, "4.7.1", f"Sending limit reached: {limit} for {of}{again}")
