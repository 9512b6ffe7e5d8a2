"""What the adapter tells a tenant about a message, and what a tenant answers: values only, no protocol, no I/O."""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the MTA knows of a message beside its content.

    Attributes:
        queue_id: Postfix's name for it in the log.
        login: who logged in to hand it over; None: nobody, it came from this machine's own mail system.
        sender: the envelope sender without angle brackets, empty for the null sender.
        client_name: host name of whoever handed it over, `unknown` where DNS has none that fits; empty where the milter
            does not ask.
        client_ip: their address, likewise.
    """

    queue_id: str
    login: str | None
    sender: str
    client_name: str = ""
    client_ip: str = ""


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a message reaches us; all empty where the milter does not ask.

    Attributes:
        client_ip: address of the SMTP client, empty where the MTA does not know it.
        helo: what it said in HELO or EHLO.
        mail_from: the reverse path as it was given, in angle brackets.
        recipients: the forward paths that were accepted, likewise.
    """

    client_ip: str = ""
    helo: str = ""
    mail_from: str = ""
    recipients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AddHeader:
    """Add a header field.

    Attributes:
        name: without the colon.
        value: all after the colon, so with its leading space; folds by CRLF.
        on_top: in front of all others, as trace fields and signatures are; otherwise behind them.
        below: how many fields stay in front of it even so.
    """

    name: str
    value: str
    on_top: bool = False
    below: int = 0


@dataclass(frozen=True, slots=True)
class RemoveHeader:
    """Remove one header field.

    Attributes:
        name: without the colon.
        occurrence: which of that name, the first is 1. Edits are applied in order: remove the last one first.
    """

    name: str
    occurrence: int


HeaderEdit = AddHeader | RemoveHeader


@dataclass(frozen=True, slots=True)
class ChangeSender:
    """Give the message another envelope sender.

    Attributes:
        sender: without angle brackets.
    """

    sender: str


Edit = HeaderEdit | ChangeSender


@dataclass(frozen=True, slots=True)
class Reply:
    """An SMTP reply (RFC 5321 section 4.2, RFC 3463), ASCII or made so by the adapter."""

    code: int
    enhanced: str
    text: str


class Action(Enum):
    """What becomes of the message."""

    ACCEPT = "accept"
    REFUSE = "refuse"
    TRY_LATER = "try later"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A tenant's answer.

    Attributes:
        action: what becomes of the message.
        reply: what the client is told where it is not accepted.
        edits: changes to the message where it is, in order.
        outcome: what it counts as (`milters.metrics.OUTCOMES`).
    """

    action: Action
    reply: Reply | None = None
    edits: tuple[Edit, ...] = ()
    outcome: str = "accepted"


def accept(*edits: Edit, outcome: str = "accepted") -> Verdict:
    """Let the message pass with these changes."""
    return Verdict(Action.ACCEPT, None, edits, outcome)


def refuse(enhanced: str, text: str) -> Verdict:
    """Refuse the message for good (550)."""
    return Verdict(Action.REFUSE, Reply(550, enhanced, text), outcome="refused")


def try_later(enhanced: str, text: str, *, outcome: str = "deferred") -> Verdict:
    """Refuse the message for now (451): it waits at the client or in the queue."""
    return Verdict(Action.TRY_LATER, Reply(451, enhanced, text), outcome=outcome)


class Conversation(Protocol):
    """One message; its methods are called in message order by one thread."""

    def header(self, name: str, value: bytes) -> Verdict | None:
        """Take a header field; a verdict decides the message, nothing more of it is shown then."""

    def body(self, chunk: bytes) -> Verdict | None:
        """Take the next octets of the body; a verdict decides the message."""

    def end(self, envelope: Envelope) -> Verdict:
        """Decide at the end of the message."""

    def close(self) -> None:
        """Let go of what the message holds; the last call, decided or given up."""


class Tenant(Protocol):
    """A milter's mail knowledge; used by many threads at once."""

    def begin(self, arrival: Arrival) -> Conversation:
        """Begin a message; called at its first header field."""

    def close(self) -> None:
        """Finish what runs beside the messages; called once, when the process ends."""
