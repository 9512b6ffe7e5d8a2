"""Never more than is permitted, whatever happens: two daemons on one PostgreSQL, fifty connections that all ask at once.

The daemons hold leases, so most answers come from memory; and die, lose their database, and are started anew.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from smailor.database import schema
from smailor.database.engine import Database
from smailor.sending import counter, leases
from smailor.sending.tally import Tally
from tests.daemon.flood import Outcome, flood
from tests.daemon.policyd_process import SECONDS, Daemon
from tests.postgresql import Cluster

Start = Callable[..., Daemon]
PLENTY = 1_000_000
PLAN = """
    account_messages_per_day = {plenty}
    account_recipients_per_hour = {account_recipients}
    account_recipients_per_day = {plenty}
    domain_messages_per_hour = {domain}
    domain_messages_per_day = {plenty}
    domain_recipients_per_hour = {plenty}
    domain_recipients_per_day = {plenty}
"""


def plan(*, account_recipients: int = PLENTY, domain: int = PLENTY) -> str:
    return PLAN.format(plenty=PLENTY, account_recipients=account_recipients, domain=domain)


@pytest.fixture
def url(postgresql_cluster: Cluster) -> str:
    """A new database."""
    url = postgresql_cluster.new_database()
    database = Database(url)
    schema.upgrade(database)
    database.dispose()
    return url


@pytest.fixture
def start(tmp_path: Path, url: str) -> Iterator[Start]:
    """Start daemons on one database; they are ended with the test."""
    daemons: list[Daemon] = []

    def start(limit: int, plan: str) -> Daemon:
        daemons.append(Daemon(tmp_path / f"d{len(daemons)}", url, limit, plan=plan))
        return daemons[-1]

    yield start
    for daemon in daemons:
        if daemon.process.poll() is None:
            daemon.kill()


def charged(url: str, key: str) -> Tally:
    """Return what the database has counted."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT counts FROM sending_counts WHERE key = %s", (key,)).fetchone()
    assert row is not None
    return Tally(row[0])


@pytest.mark.parametrize("limit", [1, 500, 20_000])
def test_exactly_the_messages_permitted_leave(start: Start, limit: int) -> None:
    """From memory for the most part, one by one at the end."""
    daemons = [start(limit, plan()).ready() for _ in range(2)]
    outcome = flood([daemon.socket for daemon in daemons], ["ada@exact.test"], limit + limit // 4 + 1000)
    assert outcome.permitted.total() == limit
    assert outcome.lost == outcome.unavailable == 0


@pytest.mark.parametrize(("limit", "recipients"), [(1, 1), (500, 3), (20_000, 7)])
def test_exactly_the_recipients_permitted_are_written_to(start: Start, limit: int, recipients: int) -> None:
    """As many whole messages as fit."""
    daemons = [start(PLENTY, plan(account_recipients=limit)).ready() for _ in range(2)]
    sockets = [daemon.socket for daemon in daemons]
    messages = limit // recipients
    outcome = flood(sockets, ["ada@exact.test"], messages + messages // 4 + 1000, recipients=recipients)
    assert outcome.permitted.total() == messages
    assert outcome.lost == outcome.unavailable == 0


def test_account_and_domain_hold_together(start: Start) -> None:
    """Four accounts of 400 under a domain of 1,000: no account over its own, exactly 1,000 together."""
    daemons = [start(400, plan(domain=1000)).ready() for _ in range(2)]
    accounts = [f"user{number}@exact.test" for number in range(4)]
    outcome = flood([daemon.socket for daemon in daemons], accounts, 4000)
    assert max(outcome.permitted.values()) <= 400
    assert outcome.permitted.total() == 1000


def test_a_daemon_killed_at_any_moment_costs_at_most_what_it_held(start: Start, url: str) -> None:
    """Twenty times: never over, and short by no more than its leases, which stay charged."""
    rng = random.Random(4)
    limit = 1200
    steady = start(limit, plan()).ready()
    victim = start(limit, plan())
    for turn in range(20):
        victim.ready()
        account, moment = f"user{turn}@exact{turn}.test", rng.randrange(1, 1300)

        def watch(outcome: Outcome, moment: int = moment, victim: Daemon = victim) -> None:
            if outcome.answers >= moment and victim.process.poll() is None:
                victim.kill()

        heir = start(limit, plan())  # begins while this one is about to end
        outcome = flood([steady.socket, victim.socket], [account], 2000, watch=watch)
        permitted = outcome.permitted[account]
        assert permitted <= limit
        assert permitted >= limit - limit // leases.SHARE - outcome.lost, f"turn {turn}, killed after {moment}"
        assert charged(url, f"account:{account}").totals[0] == limit
        victim = heir


def test_database_stopped_and_started_again_in_a_flood(start: Start, url: str, postgresql_cluster: Cluster) -> None:
    """Never over, every question answered, by the daemons that were there before."""
    limit = 6000
    daemons = [start(limit, plan()).ready() for _ in range(2)]
    sockets = [daemon.socket for daemon in daemons]
    stopped = threading.Event()

    def outage() -> None:
        postgresql_cluster.stop()
        time.sleep(1)
        postgresql_cluster.start()

    thread = threading.Thread(target=outage)

    def watch(outcome: Outcome) -> None:
        if outcome.answers > 2000 and not stopped.is_set():
            stopped.set()
            thread.start()
        if outcome.unavailable:
            time.sleep(0.0005)  # or all questions are asked while the database is out

    outcome = flood(sockets, ["ada@outage.test"], 9000, watch=watch)
    thread.join()
    assert outcome.lost == 0
    assert outcome.unavailable
    deadline = time.monotonic() + SECONDS
    permitted = outcome.permitted.total()
    while True:
        time.sleep(counter.OUT_SECONDS)
        outcome = flood(sockets, ["ada@outage.test"], 1000)
        permitted += outcome.permitted.total()
        assert outcome.lost == 0
        if not outcome.unavailable and not outcome.permitted:
            break
        assert time.monotonic() < deadline
    assert limit - limit // 2 <= permitted <= limit
    assert charged(url, "account:ada@outage.test").totals[0] == limit
    assert all(daemon.process.poll() is None for daemon in daemons)


def test_a_clean_stop_gives_back_what_it_held(start: Start, url: str) -> None:
    """The next one, or another host, has it at once."""
    limit = 3000
    daemon = start(limit, plan()).ready()
    outcome = flood([daemon.socket], ["ada@stop.test"], 1000)
    assert outcome.permitted.total() == 1000
    daemon.process.terminate()
    assert daemon.ended() == 0
    assert charged(url, "account:ada@stop.test").totals[0] == 1000
