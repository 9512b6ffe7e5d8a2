"""What may not be done just now by an account, its domain or its workspace: pure values.

Sending, receiving and logging in are suspended separately. Whoever may not log in may not send either: a mail client
that was logged in before would otherwise go on.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from smailor.errors import InvalidInput
from smailor.sending.subject import Subject


class Part(StrEnum):
    """Something that can be suspended by itself."""

    SENDING = "sending"
    RECEIVING = "receiving"
    LOGIN = "login"


@dataclass(frozen=True, slots=True)
class Suspension:
    """One suspension that is in force.

    Attributes:
        subject: whose.
        parts: what of it.
        reason: why, for the tenant to read.
        set_by: who decided it.
        since: from when on.
    """

    subject: Subject
    parts: frozenset[Part]
    reason: str
    set_by: str
    since: datetime

    def stops(self, part: Part) -> bool:
        """Tell whether this suspension is in the way of something."""
        return part in self.parts or (part is Part.SENDING and Part.LOGIN in self.parts)


def parts(*, sending: bool, receiving: bool, login: bool) -> frozenset[Part]:
    """Return the chosen parts.

    Raises:
        InvalidInput: none was chosen.
    """
    chosen = {Part.SENDING: sending, Part.RECEIVING: receiving, Part.LOGIN: login}
    found = frozenset(part for part, wanted in chosen.items() if wanted)
    if not found:
        raise InvalidInput("parts", "choose at least one of sending, receiving and log-in")
    return found


def in_the_way(suspensions: Iterable[Suspension], part: Part) -> Suspension | None:
    """Return the widest suspension that is in the way of something; None: nothing is."""
    order = {"workspace": 0, "domain": 1, "account": 2}
    found = [entry for entry in suspensions if entry.stops(part)]
    return min(found, key=lambda entry: (order[entry.subject.scope], entry.since), default=None)
