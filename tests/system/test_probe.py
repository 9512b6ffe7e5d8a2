"""`smailor jobs run probe` on the running service: the whole way, and what it says when a part of it is missing."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from smailor.cli import probe
from smailor.config import load_settings
from smailor.database.engine import Database
from smailor.errors import TemporaryFailure


@pytest.fixture
def settings(service):
    return load_settings(Path(service.endpoints["config"]), environ={})


@pytest.fixture
def database(settings):
    database = Database(settings.database.url)
    yield database
    database.dispose()


def test_the_probe_comes_through_and_leaves_nothing_behind(service, settings, database):
    inbox = service.new_inbox("probe").address
    now = datetime.now(UTC)
    assert 0 < probe.run(database, settings.web, inbox, now=now) < 60_000
    assert 0 < probe.run(database, settings.web, inbox, now=now) < 60_000


def test_a_probe_that_submission_does_not_take_is_a_failure(settings, database):
    with pytest.raises(TemporaryFailure, match="not taken by submission"):
        probe.run(database, settings.web, "nobody@analytical.test", now=datetime.now(UTC))
