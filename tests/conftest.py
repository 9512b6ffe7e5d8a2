"""Fixtures that every stage may use: the databases."""

import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import hypothesis
import pytest

from smailor.accounts import passwords
from smailor.database import schema
from smailor.database.engine import Database
from tests import postgresql

# The same examples in every run, and none fails for being slow on a busy machine: what fails, fails again.
hypothesis.settings.register_profile("smailor", deadline=None, derandomize=True)
hypothesis.settings.load_profile("smailor")


@pytest.fixture(scope="session", autouse=True)
def cheap_passwords() -> Iterator[None]:
    """Hash the passwords of test people at bcrypt's least cost; the programs that tests start keep the real one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "ROUNDS", 4)
        yield


@pytest.fixture
def now() -> datetime:
    """The moment at which a test plays."""
    return datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


@pytest.fixture(scope="session")
def postgresql_cluster() -> Iterator[postgresql.Cluster]:
    """A private PostgreSQL server, shared by the whole run; tests that stop it must start it again."""
    assert postgresql.programs_there(), "PostgreSQL is missing: `make test` installs it (packages.txt)"
    directory = Path(tempfile.mkdtemp(prefix="smailor-pg-"))
    cluster = postgresql.Cluster(directory)
    cluster.create()
    cluster.start()
    yield cluster
    cluster.stop()
    postgresql.remove(directory)


@pytest.fixture
def postgresql_url(postgresql_cluster: postgresql.Cluster) -> str:
    """URL of a new, empty database on the private PostgreSQL server."""
    return postgresql_cluster.new_database()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a new, empty database; the test runs once on each engine."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/smailor.db"
    url: str = request.getfixturevalue("postgresql_url")
    return url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the current schema, to be copied."""
    path = tmp_path_factory.mktemp("template") / "smailor.db"
    _migrated(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgresql_template(postgresql_cluster: postgresql.Cluster) -> str:
    """Name of a PostgreSQL database with the current schema, to be copied."""
    url = postgresql_cluster.new_database()
    _migrated(url)
    return url.rpartition("/")[2]


def _migrated(url: str) -> None:
    database = Database(url)
    schema.upgrade(database)
    database.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database with the current schema; the test runs once on each engine."""
    if request.param == "sqlite":
        path = tmp_path / "smailor.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        url = f"sqlite:///{path}"
    else:
        cluster: postgresql.Cluster = request.getfixturevalue("postgresql_cluster")
        url = cluster.new_database(template=request.getfixturevalue("postgresql_template"))
    database = Database(url)
    yield database
    database.dispose()
