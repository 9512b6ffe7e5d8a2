"""How much of its limits a domain has, by what became of its mail on a sliding day: a pure function.

A refusal for reputation or policy (5.7.x, Gmail's 421 and 550 5.7.26 …) is no hard bounce: it says nothing about the
recipient, and whoever counts must not count it as one.
"""

from dataclasses import dataclass

AT_LEAST = 50
"""Messages sent in the day below which nothing follows from a rate."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What became of a sliding day's messages, by recipients."""

    sent: int
    hard_bounces: int
    complaints: int


@dataclass(frozen=True, slots=True)
class Reputation:
    """What follows.

    Attributes:
        factor: of each limit, 0 to 1.
        suspend: sending is to be suspended and an abuse case opened.
        words: why, for the tenant; empty: nothing is wrong.
    """

    factor: float = 1.0
    suspend: bool = False
    words: str = ""


def judge(outcomes: Outcomes) -> Reputation:
    """Return what follows from a day's outcomes; the worse of bounces and complaints decides."""
    if outcomes.sent < AT_LEAST:
        return Reputation()
    bounces = outcomes.hard_bounces / outcomes.sent
    complaints = outcomes.complaints / outcomes.sent
    if bounces > 0.10:
        return Reputation(0.0, suspend=True, words=f"{bounces:.1%} of the mail went to mailboxes that do not exist")
    found = [Reputation()]
    if bounces > 0.02:
        factor = 0.25 if bounces > 0.05 else 0.5
        found.append(Reputation(factor, words=f"{bounces:.1%} of the mail went to mailboxes that do not exist"))
    if complaints > 0.001:
        factor = 0.25 if complaints > 0.003 else 0.5
        found.append(Reputation(factor, words=f"{complaints:.2%} of the mail was marked as spam"))
    return min(found, key=lambda reputation: reputation.factor)
