"""Accounts that send unlike themselves are paused, and left alone once their owner says that it was meant."""

import hashlib
from datetime import timedelta

import pytest
from sqlalchemy import insert

from smailor.sending import pause_service, watch_service
from smailor.sending.anomalies import Thresholds
from smailor.sending.models import SendingCounts, SendingRecipient
from smailor.sending.tally import SLOT_SECONDS, Tally
from smailor.sending.terms_models import AccountNetwork

ADA = "ada@acme.test"
LINES = Thresholds()


@pytest.fixture
def world(acme, database):
    return World(database, acme.now)


class World:
    """Lets an account send, as the policy daemon notes it."""

    def __init__(self, database, now):
        self.database, self.now = database, now

    def send(self, count, account=ADA, names="r"):
        key, day = f"account:{account}", int(self.now.timestamp()) // 86_400
        with self.database.transaction() as session:
            row = session.get(SendingCounts, key)
            tally = Tally(bytes(row.counts) if row else None)
            tally.advance(int(self.now.timestamp()) // SLOT_SECONDS)
            tally.add(count, count)
            if row is None:
                session.add(SendingCounts(key=key, day=day, counts=tally.packed()))
            else:
                row.day, row.counts = day, tally.packed()
            known = {bytes(found.digest) for found in session.query(SendingRecipient).filter_by(account=key, day=day)}
            digests = {hashlib.sha256(f"{names}{number}".encode()).digest()[:16] for number in range(count)} - known
            if digests:
                rows = [{"account": key, "day": day, "digest": digest} for digest in digests]
                session.execute(insert(SendingRecipient), rows)

    def watch(self):
        run = watch_service.watch(self.database, thresholds=LINES, now=self.now)
        return run.watched, [account for account, _ in run.paused]

    def usual_week(self, count=20):
        for _ in range(7):
            self.send(count)
            assert self.watch() == (1, [])
            self.now += timedelta(days=1)


def test_ten_times_the_usual_pauses(world, database):
    world.usual_week()
    world.send(80)
    assert world.watch() == (1, [])
    world.send(125)
    assert world.watch() == (1, [ADA])
    pause = pause_service.pause_of(database, account=ADA)
    assert (pause.kind, pause.reason) == ("volume", "205 recipients within an hour, usually at most 20")
    assert world.watch() == (1, []), "it is paused already"


def test_whoever_confirms_is_left_alone_for_a_day(world, database, operator):
    world.usual_week()
    world.send(210)
    assert world.watch() == (1, [ADA])
    pause_service.confirm(database, account=ADA, actor=operator, now=world.now)
    world.send(10)
    assert world.watch() == (1, [])
    assert pause_service.pause_of(database, account=ADA) is None


def test_mostly_new_recipients_pause_and_known_ones_do_not(world, database):
    world.usual_week(count=60)
    world.send(60)
    world.send(150, names="new")
    assert world.watch() == (1, []), "150 of 210 are new: a large share, but not that large"
    world.send(260, names="new")
    assert world.watch() == (1, [ADA])
    assert pause_service.pause_of(database, account=ADA).kind == "new-recipients"


def test_a_large_list_that_is_written_to_every_week_is_usual(world):
    world.usual_week(count=400)
    world.send(400)
    assert world.watch() == (1, [])


def test_a_new_account_has_no_habits_to_break(world):
    world.send(5000)
    assert world.watch() == (1, [])


def test_many_networks_at_once_pause(world, database):
    slot = int(world.now.timestamp()) // SLOT_SECONDS
    world.send(1)
    with database.transaction() as session:
        for number in range(9):
            session.add(AccountNetwork(account=ADA, network=f"192.0.{number}.0/24", slot=slot - 20))
    assert world.watch() == (1, []), "they were used two hours ago"
    with database.transaction() as session:
        session.query(AccountNetwork).update({"slot": slot - 3})
    assert world.watch() == (1, [ADA])
    assert pause_service.pause_of(database, account=ADA).kind == "networks"
    assert watch_service.prune(database, now=world.now + timedelta(days=2)) == 9


def test_an_account_that_is_gone_is_passed_over(world):
    for _ in range(4):
        world.send(20, account="gone@acme.test")
        world.watch()
        world.now += timedelta(days=1)
    world.send(300, account="gone@acme.test")
    assert world.watch() == (1, [])


def test_nobody_sends(world):
    assert world.watch() == (0, [])
