"""How much a young domain may send each day, and when that grows: pure functions over a day's record.

Receivers distrust a domain that they have never seen and that sends much at once. So a new one begins with 480
recipients a day and has 1.4 times as many on each following step (SendGrid's automatic ramp, 20 an hour, times 24).
A day takes it one step further only if it counts: more than 90 % of what was sent was accepted (SparkPost's hold rule).
It goes one step back when bounces, complaints, deferrals for its reputation or a blocklist say so.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Schedule:
    """How the cap grows.

    Attributes:
        first: recipients on day 0.
        growth: times as many on each further step.
        graduates_at: a cap of this size is none any more: the warm-up is over.
    """

    first: int = 480
    growth: float = 1.4
    graduates_at: int = 100_000

    def cap(self, day: int) -> int:
        """Return how many recipients a day may have on step `day` (0 is the first)."""
        return math.floor(self.first * self.growth**day)

    @property
    def last_day(self) -> int:
        """The last step that still has a cap."""
        day = 0
        while self.cap(day + 1) < self.graduates_at:
            day += 1
        return day


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When a day does not count, and when it costs a step. Shares are of what was sent.

    Attributes:
        accepted: more than this share has to be accepted for a day to count.
        hard_bounces, complaints, reputation_deferrals: more than this share costs a step.
        at_least: messages sent that day below which no rate costs a step: one bounce of three says nothing.
        complaints_at_least: complaints below which they cost nothing: one is an accident.
    """

    accepted: float = 0.9
    hard_bounces: float = 0.05
    complaints: float = 0.001
    reputation_deferrals: float = 0.05
    at_least: int = 50
    complaints_at_least: int = 2


@dataclass(frozen=True, slots=True)
class Record:
    """What became of one day's messages, counted by recipients.

    Attributes:
        sent: handed to the world.
        accepted: taken by the receivers' servers.
        hard_bounces: refused because there is no such mailbox.
        complaints: marked as spam by those who got it.
        reputation_deferrals: put off or refused because of the sender's name, not the recipient's.
        blocklist_hits: blocklists that name the domain.
    """

    sent: int = 0
    accepted: int = 0
    hard_bounces: int = 0
    complaints: int = 0
    reputation_deferrals: int = 0
    blocklist_hits: int = 0

    @property
    def outcome_known(self) -> bool:
        """Whether anybody has told yet what became of the messages."""
        return self.accepted + self.hard_bounces + self.reputation_deferrals + self.complaints > 0


class Move(StrEnum):
    """What a day does to the step."""

    ON = "on"
    STAY = "stay"
    BACK = "back"


class Reason(StrEnum):
    """Why a day did not count."""

    NOTHING_SENT = "nothing-sent"
    UNKNOWN = "outcome-unknown"
    NOT_ACCEPTED = "not-accepted"
    BOUNCES = "hard-bounces"
    COMPLAINTS = "complaints"
    REPUTATION = "reputation-deferrals"
    BLOCKLIST = "blocklist"


WORDS = {
    Reason.NOTHING_SENT: "Nothing was sent, so receivers have not seen more of this domain.",
    Reason.UNKNOWN: "What became of that day's mail is not known yet.",
    Reason.NOT_ACCEPTED: "Too much of that day's mail was not accepted: more than 90 % have to be.",
    Reason.BOUNCES: "Too many messages went to mailboxes that do not exist. Clean the list of recipients.",
    Reason.COMPLAINTS: "Too many recipients marked the mail as spam. Write only to people who expect it.",
    Reason.REPUTATION: "Receivers put the mail off because they distrust the domain. Send less, to people who answer.",
    Reason.BLOCKLIST: "The domain is on a blocklist. Find out why, and have it taken off.",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a day does, and why if it does not count."""

    move: Move
    reason: Reason | None = None


class State(StrEnum):
    """Where a domain stands."""

    WARMING = "warming"
    GRADUATED = "graduated"


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a domain's warm-up has come.

    Attributes:
        state: warming, or past it.
        day: the step, 0 first.
        judged: the last day whose record was looked at.
        held: why that day did not count; None: it did.
        held_since: since when days have not counted.
        paused: the operator has stopped the steps.
        cap: set by the operator in place of the schedule's.
    """

    state: State = State.WARMING
    day: int = 0
    judged: date | None = None
    held: Reason | None = None
    held_since: datetime | None = None
    paused: bool = False
    cap: int | None = None


def cap(standing: Standing, schedule: Schedule) -> int | None:
    """Return how many recipients the domain may write to today; None: as many as its other limits allow."""
    if standing.cap is not None:
        return standing.cap
    return None if standing.state is State.GRADUATED else schedule.cap(standing.day)


def judge(record: Record, thresholds: Thresholds) -> Verdict:
    """Return what a day's record does to the warm-up.

    Args:
        record: the whole day.
        thresholds: where the lines are.
    """
    if record.blocklist_hits:
        return Verdict(Move.BACK, Reason.BLOCKLIST)
    if record.sent == 0:
        return Verdict(Move.STAY, Reason.NOTHING_SENT)
    if record.sent >= thresholds.at_least:
        if record.hard_bounces / record.sent > thresholds.hard_bounces:
            return Verdict(Move.BACK, Reason.BOUNCES)
        if record.reputation_deferrals / record.sent > thresholds.reputation_deferrals:
            return Verdict(Move.BACK, Reason.REPUTATION)
        if (
            record.complaints >= thresholds.complaints_at_least
            and record.complaints / record.sent > thresholds.complaints
        ):
            return Verdict(Move.BACK, Reason.COMPLAINTS)
    if not record.outcome_known:
        return Verdict(Move.STAY, Reason.UNKNOWN)
    if record.accepted / record.sent <= thresholds.accepted:
        return Verdict(Move.STAY, Reason.NOT_ACCEPTED)
    return Verdict(Move.ON)


def step(standing: Standing, day: date, record: Record, schedule: Schedule, thresholds: Thresholds) -> Standing:
    """Return where a domain stands after one day.

    Args:
        standing: before.
        day: the day that is judged, UTC; a day that was judged before changes nothing.
        record: what became of that day's messages.
        schedule: how the cap grows.
        thresholds: when a day counts.
    """
    if standing.judged is not None and day <= standing.judged:
        return standing
    standing = replace(standing, judged=day)
    if standing.paused or standing.state is State.GRADUATED:
        return standing
    verdict = judge(record, thresholds)
    if verdict.move is Move.ON:
        if standing.day >= schedule.last_day:
            return replace(standing, state=State.GRADUATED, held=None, held_since=None)
        return replace(standing, day=standing.day + 1, held=None, held_since=None)
    since = standing.held_since if standing.held is not None else _morning_after(day)
    back = 1 if verdict.move is Move.BACK else 0
    return replace(standing, day=max(standing.day - back, 0), held=verdict.reason, held_since=since)


def steps(
    standing: Standing,
    days: Iterable[tuple[date, Record]],
    schedule: Schedule,
    thresholds: Thresholds,
) -> Standing:
    """Return where a domain stands after several days, oldest first."""
    for day, record in days:
        standing = step(standing, day, record, schedule, thresholds)
    return standing


@dataclass(frozen=True, slots=True)
class Outlook:
    """A warm-up in words and numbers, for the tenant.

    Attributes:
        state: warming or graduated.
        day: the step, 1 first, as people count.
        of: steps that there are.
        cap: recipients that today may have; None: no cap.
        next_cap: of the next step; None: no cap any more, or no next step while it is paused.
        paused: the steps are stopped.
        held: why the last day did not count, for programs; empty: it did.
        reason: the same in words.
        next_step: what happens next, in words.
    """

    state: State
    day: int
    of: int
    cap: int | None
    next_cap: int | None
    paused: bool
    held: str
    held_since: datetime | None
    reason: str
    next_step: str


def outlook(standing: Standing, schedule: Schedule) -> Outlook:
    """Return what a tenant is told about a domain's warm-up."""
    warming = standing.state is State.WARMING
    last = schedule.last_day
    following = schedule.cap(standing.day + 1) if warming and standing.day < last else None
    return Outlook(
        state=standing.state,
        day=min(standing.day, last) + 1,
        of=last + 1,
        cap=cap(standing, schedule),
        next_cap=None if standing.paused else following,
        paused=standing.paused,
        held=standing.held or "",
        held_since=standing.held_since,
        reason=WORDS[standing.held] if standing.held is not None and warming else "",
        next_step=_next_step(standing, following),
    )


def _next_step(standing: Standing, following: int | None) -> str:
    if standing.state is State.GRADUATED:
        return "The warm-up is over." if standing.cap is None else "The postmaster has set a cap by hand."
    if standing.paused:
        return "The postmaster has paused the warm-up: the cap stays as it is."
    if standing.cap is not None:
        return "The postmaster has set today's cap by hand; it stays until it is taken away."
    condition = "after a day on which more than 90 % of what was sent was accepted"
    if following is None:
        return f"The warm-up ends {condition}."
    return f"{following} recipients a day {condition}."


def _morning_after(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), UTC)
