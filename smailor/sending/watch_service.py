"""Watching over accounts: whoever sends unlike themselves is paused. For a job that runs every minute.

It looks at accounts that have sent today, by what the policy daemon has counted anyway, and learns what is usual for
them. An account that was confirmed is left alone for a day: its owner has just said that it is meant.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from smailor.database.engine import Database
from smailor.errors import NotFound
from smailor.sending import anomalies, pause_service
from smailor.sending.anomalies import Activity, Anomaly, Thresholds
from smailor.sending.habits import Habits
from smailor.sending.limits import HOUR, RECIPIENTS, Limit
from smailor.sending.models import SendingCounts, SendingRecipient
from smailor.sending.tally import SLOT_SECONDS, Tally, measure_index
from smailor.sending.terms_models import AccountHabits, AccountNetwork, AccountPause

LEFT_ALONE = timedelta(days=1)
_AT_ONCE = 500
_SLOTS_OF_AN_HOUR = 12
_DAY_SECONDS = 86_400
_PREFIX = "account:"
_INDEX = measure_index(Limit(RECIPIENTS, HOUR, 0))


@dataclass(frozen=True, slots=True)
class Run:
    """What one run did.

    Attributes:
        watched: accounts looked at.
        paused: those that were paused, with what was seen; they are still to be told.
    """

    watched: int = 0
    paused: tuple[tuple[str, Anomaly], ...] = ()


def watch(database: Database, *, thresholds: Thresholds, now: datetime) -> Run:
    """Pause the accounts that look unlike themselves, and learn from the others.

    Args:
        database: where counts and habits are.
        thresholds: where the lines are.
        now: the present moment.
    """
    today = int(now.timestamp()) // _DAY_SECONDS
    hours = _hours(database, today, now)
    paused: list[tuple[str, Anomaly]] = []
    for part in _parts(hours.items()):
        chunk = dict(part)
        with database.transaction() as session:
            found = _look(session, chunk, today, thresholds, now)
        paused += [entry for entry in found.items() if _pause(database, *entry, now)]
    return Run(watched=len(hours), paused=tuple(paused))


def prune(database: Database, *, now: datetime) -> int:
    """Forget networks that were not used for a day, and accounts that have not sent for long; return how many."""
    day, slot = int(now.timestamp()) // _DAY_SECONDS, int(now.timestamp()) // SLOT_SECONDS
    with database.transaction() as session:
        networks = delete(AccountNetwork).where(AccountNetwork.slot < slot - 24 * _SLOTS_OF_AN_HOUR)
        habits = delete(AccountHabits).where(AccountHabits.learnt < day - 400)
        gone = session.execute(networks.returning(AccountNetwork.account)).all()
        old = session.execute(habits.returning(AccountHabits.account)).all()
    return len(gone) + len(old)


def _hours(database: Database, today: int, now: datetime) -> dict[str, int]:
    """Return the recipients of the last hour of each account that has sent today."""
    slot = int(now.timestamp()) // SLOT_SECONDS
    query = select(SendingCounts.key, SendingCounts.counts).where(
        SendingCounts.day == today, SendingCounts.key.startswith(_PREFIX, autoescape=True)
    )
    found = {}
    with database.reading() as session:
        for key, counts in session.execute(query):
            tally = Tally(bytes(counts))
            tally.advance(slot)
            found[key.removeprefix(_PREFIX)] = tally.totals[_INDEX]
    return found


def _look(
    session: Session, hours: Mapping[str, int], today: int, thresholds: Thresholds, now: datetime
) -> dict[str, Anomaly]:
    accounts = list(hours)
    rows = {
        row.account: row for row in session.scalars(select(AccountHabits).where(AccountHabits.account.in_(accounts)))
    }
    networks = _networks(session, accounts, now)
    left_alone = _left_alone(session, accounts, now)
    strangers = [account for account in accounts if account not in rows or rows[account].learnt < today - 1]
    before = _recipients(session, strangers, range(today - 3, today))
    written = _recipients(session, accounts, range(today, today + 1))
    found = {}
    for account in accounts:
        habits = _habits(rows.get(account))
        if habits.learnt < today - 1:
            habits = habits.with_recipients(before[account], today - 1)
        different = written[account]
        activity = Activity(
            recipients=hours[account],
            usual=habits.usual(today),
            different=len(different),
            new=sum(not habits.knows(digest) for digest in different),
            networks=networks[account],
        )
        anomaly = anomalies.look(activity, thresholds)
        if anomaly is not None and account not in left_alone:
            found[account] = anomaly
            continue  # what was perhaps not its owner's doing is no habit
        _keep(session, rows.get(account), account, habits.with_hour(today, hours[account]))
    return found


def _networks(session: Session, accounts: Sequence[str], now: datetime) -> Mapping[str, int]:
    since = int(now.timestamp()) // SLOT_SECONDS - _SLOTS_OF_AN_HOUR
    query = (
        select(AccountNetwork.account, func.count())
        .where(AccountNetwork.account.in_(accounts), AccountNetwork.slot > since)
        .group_by(AccountNetwork.account)
    )
    return defaultdict(int, {row[0]: row[1] for row in session.execute(query)})


def _left_alone(session: Session, accounts: Sequence[str], now: datetime) -> set[str]:
    query = select(AccountPause.account).where(
        AccountPause.account.in_(accounts), AccountPause.confirmed_at > now - LEFT_ALONE
    )
    return set(session.scalars(query))


def _recipients(session: Session, accounts: Sequence[str], days: range) -> Mapping[str, set[bytes]]:
    found: dict[str, set[bytes]] = defaultdict(set)
    query = select(SendingRecipient.account, SendingRecipient.digest).where(
        SendingRecipient.account.in_([f"{_PREFIX}{account}" for account in accounts]),
        SendingRecipient.day.between(days.start, days.stop - 1),
    )
    for account, digest in session.execute(query):
        found[account.removeprefix(_PREFIX)].add(bytes(digest))
    return found


def _habits(row: AccountHabits | None) -> Habits:
    if row is None:
        return Habits()
    return Habits(tuple((day, most) for day, most in row.hours), row.learnt, bytes(row.known))


def _keep(session: Session, row: AccountHabits | None, account: str, habits: Habits) -> None:
    if row is None:
        row = AccountHabits(account=account)
        session.add(row)
    elif _habits(row) == habits:
        return
    row.hours = [list(entry) for entry in habits.hours]
    row.learnt, row.known = habits.learnt, habits.known


def _pause(database: Database, account: str, anomaly: Anomaly, now: datetime) -> bool:
    try:
        return pause_service.pause(database, account=account, anomaly=anomaly, now=now)
    except NotFound:
        return False  # deleted meanwhile


def _parts(items: Iterable[tuple[str, int]]) -> Iterator[list[tuple[str, int]]]:
    waiting = iter(items)
    while part := list(islice(waiting, _AT_ONCE)):
        yield part
