"""Use cases around warm-up: what a domain may send today and why, the daily step, and the operator's hand on it."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import and_, delete, select, text
from sqlalchemy.orm import Session

from smailor.accounts import audit
from smailor.accounts.audit import Actor, clean_reason
from smailor.address import DomainName
from smailor.config import MAX_LIMIT
from smailor.database.base import UtcDateTime
from smailor.database.engine import Database
from smailor.errors import InvalidInput
from smailor.sending import subjects, warmup
from smailor.sending.subject import Scope, Subject
from smailor.sending.terms_models import DomainWarmup, SendingDay
from smailor.sending.usage import USED_TODAY, Used, used_in
from smailor.sending.warmup import Outlook, Reason, Record, Schedule, Standing, State, Thresholds

KEPT_DAYS = 400
MAX_DAYS_JUDGED = 31
"""A job that was not run for longer judges the last month only."""
DOMAINS_A_TRANSACTION = 200
_VERIFIED = text("SELECT domain FROM sending_domains ORDER BY domain")
_SINCE = text("SELECT verified_at FROM sending_domains WHERE domain = :domain").columns(verified_at=UtcDateTime)


@dataclass(frozen=True, slots=True)
class WarmupView:
    """A domain's warm-up as tenants and operators see it.

    Attributes:
        used: recipients written to today.
        cap_by_hand: the cap is the operator's, not the schedule's.
        operators_reason: the operator's words on a pause or a cap.
        record: of the last day that was judged; None: none yet.
    """

    domain: str
    outlook: Outlook
    used: int
    cap_by_hand: bool
    operators_reason: str
    judged: date | None
    record: Record | None


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of the daily step did, in domains."""

    judged: int = 0
    advanced: int = 0
    stepped_back: int = 0
    held: int = 0
    graduated: int = 0


@dataclass(frozen=True, slots=True)
class Setting:
    """Where the operator wants a warm-up to be.

    Attributes:
        day: the step, 1 first, as people count; the domain is warming then.
        cap: recipients a day in place of the schedule's.
        clear_cap: the schedule's cap again.
        graduated: the warm-up is over.
    """

    day: int | None = None
    cap: int | None = None
    clear_cap: bool = False
    graduated: bool = False


def show_warmup(database: Database, *, domain: str, schedule: Schedule, now: datetime) -> WarmupView:
    """Return how far a domain's warm-up is.

    Raises:
        NotFound: there is no such verified domain.
    """
    domain = DomainName.parse(domain).name
    with database.reading() as session:
        subjects.home_in(session, Subject(Scope.DOMAIN, domain))
        used = used_in(session, [f"domain:{domain}"], now)
        return warmups_in(session, [domain], schedule=schedule, used=used)[0]


def warmups_in(session: Session, domains: Collection[str], *, schedule: Schedule, used: Used) -> tuple[WarmupView, ...]:
    """Return how far the warm-ups of domains are, in their order; one statement.

    Args:
        session: to read by.
        domains: which; that they are verified is the caller's to know.
        schedule: of the configuration.
        used: what is used (`used_in`), by `domain:example.com`.
    """
    query = (
        select(DomainWarmup, SendingDay)
        .outerjoin(SendingDay, and_(SendingDay.domain == DomainWarmup.domain, SendingDay.day == DomainWarmup.judged))
        .where(DomainWarmup.domain.in_(domains))
    )
    found = session.execute(query).all()
    rows = {row.domain: row for row, _ in found}
    days: dict[str, SendingDay | None] = {row.domain: day for row, day in found}
    return tuple(
        _view(domain, rows.get(domain), days.get(domain), schedule, used[f"domain:{domain}"][USED_TODAY])
        for domain in domains
    )


def pause(database: Database, *, domain: str, reason: str, actor: Actor, now: datetime) -> None:
    """Let a domain's cap stay as it is until the warm-up is resumed; raises NotFound, InvalidInput."""
    with database.transaction() as session:
        _row_to_change(session, domain, reason, actor, "warmup.pause", now).paused = True


def resume(database: Database, *, domain: str, reason: str, actor: Actor, now: datetime) -> None:
    """Let a domain's warm-up go on, by the days from now on; raises NotFound, InvalidInput."""
    with database.transaction() as session:
        row = _row_to_change(session, domain, reason, actor, "warmup.resume", now)
        row.paused = False
        row.judged = _yesterday(now)


def set_warmup(
    database: Database,
    *,
    domain: str,
    setting: Setting,
    schedule: Schedule,
    reason: str,
    actor: Actor,
    now: datetime,
) -> None:
    """Put a domain's warm-up where the operator wants it.

    Args:
        database: where to.
        domain: whose.
        setting: what.
        schedule: of the configuration.
        reason: why.
        actor: who.
        now: the present moment.

    Raises:
        InvalidInput: nothing is to be set, or a value cannot be used.
        NotFound: there is no such verified domain.
    """
    _check(setting, schedule)
    with database.transaction() as session:
        row = _row_to_change(session, domain, reason, actor, "warmup.set", now, asdict(setting))
        if setting.day is not None:
            row.state, row.day, row.judged = State.WARMING, setting.day - 1, _yesterday(now)
        if setting.graduated:
            row.state = State.GRADUATED
        if setting.graduated or setting.day is not None:
            row.held, row.held_since = "", None
        if setting.cap is not None or setting.clear_cap:
            row.cap = setting.cap


def _check(setting: Setting, schedule: Schedule) -> None:
    last = schedule.last_day + 1
    if setting.day is not None and not 1 <= setting.day <= last:
        raise InvalidInput("day", f"a step from 1 to {last}")
    if setting.cap is not None and not 0 <= setting.cap <= MAX_LIMIT:
        raise InvalidInput("cap", f"a number from 0 to {MAX_LIMIT}")
    if setting == Setting() or (setting.day is not None and setting.graduated):
        raise InvalidInput("day", "give a day, a cap, or that the warm-up is over")
    if setting.cap is not None and setting.clear_cap:
        raise InvalidInput("cap", "is either set or taken away")


def note_day(database: Database, *, domain: str, day: date, more: Record) -> None:
    """Add to a domain's record of one day: for whoever learns what became of its messages.

    Args:
        database: where to.
        domain: of the sender.
        day: on which they were sent, UTC.
        more: what to add.
    """
    with database.transaction() as session:
        row = session.get(SendingDay, (domain, day), with_for_update=True)
        if row is None:
            row = SendingDay(domain=domain, day=day)
            row.sent = row.accepted = row.hard_bounces = row.complaints = 0
            row.reputation_deferrals = row.blocklist_hits = 0
            session.add(row)
        row.sent += more.sent
        row.accepted += more.accepted
        row.hard_bounces += more.hard_bounces
        row.complaints += more.complaints
        row.reputation_deferrals += more.reputation_deferrals
        row.blocklist_hits += more.blocklist_hits


def run_steps(database: Database, *, schedule: Schedule, thresholds: Thresholds, now: datetime) -> Run:
    """Judge all days that are over and were not judged yet, of every verified domain. Doing so twice changes nothing.

    Args:
        database: where the days' records are.
        schedule: how the cap grows.
        thresholds: when a day counts.
        now: the present moment.
    """
    run = Run()
    with database.reading() as session:
        domains = session.scalars(_VERIFIED).all()
    # Each transaction makes all daemons read their terms anew, so it is for many domains.
    for start in range(0, len(domains), DOMAINS_A_TRANSACTION):
        with database.transaction() as session:
            for domain in domains[start : start + DOMAINS_A_TRANSACTION]:
                run = _step(session, domain, schedule, thresholds, now, run)
    return run


def prune_days(database: Database, *, now: datetime) -> int:
    """Delete records of days that nobody asks about any more; return how many."""
    query = delete(SendingDay).where(SendingDay.day < now.date() - timedelta(days=KEPT_DAYS)).returning(SendingDay.day)
    with database.transaction() as session:
        return len(session.scalars(query).all())


def _step(session: Session, domain: str, schedule: Schedule, thresholds: Thresholds, now: datetime, run: Run) -> Run:
    yesterday = _yesterday(now)
    row = _row(session, domain, now)
    before = _standing(row)
    if before.state is State.GRADUATED:
        return run
    # Days before the domain was verified say nothing about it.
    judged = before.judged or row.since.astimezone(UTC).date() - timedelta(days=1)
    first = max(judged + timedelta(days=1), yesterday - timedelta(days=MAX_DAYS_JUDGED - 1))
    if first > yesterday:
        return run
    known = {
        found.day: _record(found)
        for found in session.scalars(
            select(SendingDay).where(SendingDay.domain == domain, SendingDay.day.between(first, yesterday))
        )
    }
    days = [first + timedelta(days=number) for number in range((yesterday - first).days + 1)]
    after = warmup.steps(before, [(day, known.get(day, Record())) for day in days], schedule, thresholds)
    row.state, row.day, row.judged = after.state, after.day, after.judged
    row.held, row.held_since = after.held or "", after.held_since
    return Run(
        judged=run.judged + 1,
        advanced=run.advanced + (after.day > before.day),
        stepped_back=run.stepped_back + (after.day < before.day),
        held=run.held + (after.held is not None and after.day == before.day),
        graduated=run.graduated + (after.state is not before.state),
    )


def _row_to_change(
    session: Session,
    domain: str,
    reason: str,
    actor: Actor,
    action: str,
    now: datetime,
    details: Mapping[str, object] | None = None,
) -> DomainWarmup:
    """Return a domain's row with the operator's reason on it, the change written to the audit trail."""
    reason = clean_reason(reason)
    subject = Subject(Scope.DOMAIN, DomainName.parse(domain).name)
    workspace = subjects.workspace_in(session, subject)
    row = _row(session, subject.name, now)
    row.reason = reason
    audit.record_in(
        session, actor, action=action, on=str(subject), workspace=workspace, reason=reason, details=details, now=now
    )
    return row


def _row(session: Session, domain: str, now: datetime) -> DomainWarmup:
    row = session.get(DomainWarmup, domain, with_for_update=True)
    if row is None:
        since = session.scalar(_SINCE, {"domain": domain}) or now
        row = DomainWarmup(domain=domain, state=State.WARMING, day=0, held="", reason="", paused=False, since=since)
        row.judged = row.held_since = row.cap = None
        session.add(row)
    return row


def _view(domain: str, row: DomainWarmup | None, day: SendingDay | None, schedule: Schedule, used: int) -> WarmupView:
    standing = _standing(row)
    return WarmupView(
        domain=domain,
        outlook=warmup.outlook(standing, schedule),
        used=used,
        cap_by_hand=standing.cap is not None,
        operators_reason=row.reason if row is not None and (row.paused or row.cap is not None) else "",
        judged=standing.judged,
        record=_record(day) if day is not None else None,
    )


def _standing(row: DomainWarmup | None) -> Standing:
    if row is None:
        return Standing()
    return Standing(
        state=State(row.state),
        day=row.day,
        judged=row.judged,
        held=Reason(row.held) if row.held else None,
        held_since=row.held_since,
        paused=row.paused,
        cap=row.cap,
    )


def _record(row: SendingDay) -> Record:
    return Record(
        sent=row.sent,
        accepted=row.accepted,
        hard_bounces=row.hard_bounces,
        complaints=row.complaints,
        reputation_deferrals=row.reputation_deferrals,
        blocklist_hits=row.blocklist_hits,
    )


def _yesterday(now: datetime) -> date:
    return now.astimezone(UTC).date() - timedelta(days=1)
