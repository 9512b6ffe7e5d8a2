"""Networks are noted once in a while, in the background, and never in anybody's way."""

import pytest

from smailor.database import plain
from smailor.errors import TemporaryFailure
from smailor.sending.sightings import Sightings, network_of

ADA = "ada@acme.test"


class Clock:
    now = 1_800_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def sightings(database, clock):
    one = Sightings(database.url, seconds=3600, clock=clock)
    yield one
    one.close()


def kept(connection):
    return connection.rows("SELECT account, network, slot FROM account_networks ORDER BY account, network")


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("127.0.0.1", None),
        ("::1", None),
        ("unknown", None),
        ("", None),
    ],
)
def test_an_address_stands_for_its_network(address, network):
    assert network_of(address) == network


def test_a_network_is_written_once_in_five_minutes(sightings, connection, clock):
    slot = int(clock.now) // 300
    for address in ("192.0.2.1", "192.0.2.200", "198.51.100.7", "127.0.0.1"):
        sightings.note(ADA, address)
    sightings.flush()
    assert kept(connection) == [(ADA, "192.0.2.0/24", slot), (ADA, "198.51.100.0/24", slot)]
    sightings.note(ADA, "192.0.2.9")
    assert sightings._noted == []
    clock.now += 300
    sightings.note(ADA, "192.0.2.9")
    sightings.flush()
    assert kept(connection)[0] == (ADA, "192.0.2.0/24", slot + 1)


def test_what_the_database_does_not_take_waits(sightings, connection, monkeypatch):
    sightings.note(ADA, "192.0.2.1")

    def away(*_):
        raise TemporaryFailure("away")

    with monkeypatch.context() as patch:
        patch.setattr(type(sightings._connection), "rows", away)
        sightings.flush()
    sightings.flush()
    assert len(kept(connection)) == 1


def test_the_end_writes_what_is_left(database, connection):
    one = Sightings(database.url, seconds=0.01)
    one.note(ADA, "192.0.2.1")
    one.close()
    assert len(kept(connection)) == 1
    assert one.dropped == 0


def test_a_failed_write_leaves_no_transaction_open(database, connection):
    one = Sightings(database.url, seconds=3600)
    plain_rows = one._connection.rows
    one._connection.rows = lambda *given: plain_rows("SELECT nonsense" if given[0].startswith("INSERT") else given[0])
    one.note(ADA, "192.0.2.1")
    one.flush()
    del one._connection.rows
    one.flush()
    assert len(kept(connection)) == 1
    one.close()
    assert plain.connect(database.url).dialect == database.dialect
