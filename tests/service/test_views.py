"""Who may read the views: a role of its own, and nothing besides them."""

import pytest
from psycopg import sql
from sqlalchemy import text

from smailor.database import schema
from smailor.database.engine import Database
from smailor.database.views import VIEWS, grant_reading
from smailor.errors import InvalidInput, NotFound

ROLE = "readers_of_views"


@pytest.fixture
def postgresql(postgresql_url):
    database = Database(postgresql_url)
    schema.upgrade(database)
    yield database
    database.dispose()


@pytest.fixture
def role(postgresql):
    with postgresql.connection() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {ROLE}")
    yield ROLE
    with postgresql.connection() as connection:
        connection.exec_driver_sql(f"DROP OWNED BY {ROLE}")
        connection.exec_driver_sql(f"DROP ROLE {ROLE}")


def test_a_role_reads_the_views_and_nothing_else(postgresql, role):
    assert grant_reading(postgresql, role) == len(VIEWS)
    with postgresql.connection() as connection:
        connection.exec_driver_sql(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)).as_string())
        assert connection.execute(text("SELECT count(*) FROM mta_domains")).scalar_one() == 0
        allowed = text("SELECT has_table_privilege(:role, 'users', 'SELECT')")
        assert not connection.execute(allowed, {"role": role}).scalar_one()


def test_granting_twice_changes_nothing(postgresql, role):
    grant_reading(postgresql, role)
    assert grant_reading(postgresql, role) == 0


def test_a_role_that_is_not_there_is_named(database):
    error, told = (NotFound, "nobody_known") if database.dialect == "postgresql" else (InvalidInput, "only PostgreSQL")
    with pytest.raises(error, match=told):
        grant_reading(database, "nobody_known")
