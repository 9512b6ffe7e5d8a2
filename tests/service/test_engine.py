"""Reading writes nothing, on either database, and outlives connections that the server has closed."""

import pytest
from sqlalchemy import text

from smailor.database import engine

SLUGS = text("\n    SELECT slug FROM workspaces")


def test_a_reading_block_may_not_write(house):
    house.workspace("acme")
    for statement in ("DELETE FROM workspaces", "UPDATE workspaces SET slug = 'other'", "delete from workspaces"):
        with house.database.reading() as session, pytest.raises(TypeError, match="may not"):
            session.execute(text(statement))
    with house.database.reading() as session:
        assert session.scalars(SLUGS).all() == ["acme"]


PID = text("SELECT pg_backend_pid()")


@pytest.fixture
def postgresql(house):
    if house.database.dialect != "postgresql":
        pytest.skip("SQLite has no server")
    return house.database


def test_a_connection_that_the_server_closed_is_replaced_before_it_is_used(postgresql, monkeypatch):
    monkeypatch.setattr(engine, "PING_AFTER_SECONDS", 0.0)
    with postgresql.reading() as one, postgresql.reading() as other:
        pids = {one.scalar(PID), other.scalar(PID)}
    with postgresql.reading() as session:
        (closed,) = pids - {session.scalar(PID)}
        assert session.scalar(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": closed})
    with postgresql.reading() as one, postgresql.transaction() as other:
        assert closed not in {one.scalar(PID), other.scalar(PID)}
