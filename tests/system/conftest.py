"""The running service, once on each database for the whole session, and expendable ones for tests that break things."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import postgresql
from tests.system.running import Inbox, Service


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def service(request: pytest.FixtureRequest) -> Iterator[Service]:
    """The whole service with its demonstration accounts; tests share it and keep apart by words of their own."""
    database = ""
    if request.param == "postgresql":
        database = request.getfixturevalue("postgresql_cluster").new_database()
    one = Service(database=database)
    try:
        one.up()
        yield one
    finally:
        one.remove()


@pytest.fixture
def new_service() -> Iterator[Callable[..., Service]]:
    """Makes services that are not started yet; all of them are brought down at the end."""
    made: list[Service] = []

    def make(**given) -> Service:
        made.append(Service(**given))
        return made[-1]

    yield make
    for one in made:
        one.remove()


@pytest.fixture(scope="session")
def own_cluster() -> Iterator[postgresql.Cluster]:
    """A PostgreSQL that a test may stop."""
    directory = Path(tempfile.mkdtemp(prefix="smailor-pg-"))
    cluster = postgresql.Cluster(directory)
    cluster.create()
    cluster.start()
    yield cluster
    cluster.stop()
    postgresql.remove(directory)


@pytest.fixture
def ada(service: Service) -> Inbox:
    return service.inbox("ada@analytical.test")


@pytest.fixture
def charles(service: Service) -> Inbox:
    return service.inbox("charles@analytical.test")


@pytest.fixture
def grace(service: Service) -> Inbox:
    return service.inbox("grace@lovelace.test")
