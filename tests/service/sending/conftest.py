"""A workspace with a domain and inboxes, somebody who acts, and a bare connection as the policy daemon has it."""

import pytest

from smailor.accounts import audit
from smailor.accounts.audit import Actor
from smailor.config import Plan
from smailor.database import plain
from smailor.sending.models import SendingCounts
from smailor.sending.plans import Plans, limits_of
from smailor.sending.tally import SLOT_SECONDS, Tally
from smailor.sending.terms_service import DatabaseTerms
from smailor.sending.warmup import Schedule


@pytest.fixture
def operator():
    return Actor("operator@smailor.test", "192.0.2.1")


@pytest.fixture
def acme(house):
    house.workspace("acme", "acme.test", "acme.example")
    house.workspace("other", "other.test")
    house.inbox("acme", "ada@acme.test")
    house.inbox("acme", "bob@acme.example")
    house.inbox("other", "eve@other.test")
    return house


@pytest.fixture
def trail(acme):
    """What the audit trail says of all that was done since `acme` stood ready, newest first; arguments of `entries`."""
    ready = audit.entries(acme.database, limit=1)[0].sequence

    def entries(**of):
        return tuple(entry for entry in audit.entries(acme.database, **of) if entry.sequence > ready)

    return entries


@pytest.fixture
def plans():
    return Plans({"large": limits_of(Plan(messages_per_hour=1000), 200)}, limits_of(Plan(), 200))


@pytest.fixture
def terms(plans):
    return DatabaseTerms(plans, Schedule(), "postmaster@smailor.test", "https://mail.smailor.test")


@pytest.fixture
def send(acme):
    """Count messages on a key, each to two recipients."""

    def send(key, messages):
        tally = Tally(None)
        tally.advance(int(acme.now.timestamp()) // SLOT_SECONDS)
        tally.add(messages, 2 * messages)
        with acme.database.transaction() as session:
            session.add(SendingCounts(key=key, day=tally.day, counts=tally.packed()))

    return send


@pytest.fixture
def connection(database):
    bare = plain.connect(database.url)
    yield bare
    bare.close()
