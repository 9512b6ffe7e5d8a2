"""Migrations run forwards and backwards on both engines and end where the models are."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from smailor.accounts import access_models as _access  # noqa: F401 - each room's tables join the metadata
from smailor.accounts import models as _accounts  # noqa: F401
from smailor.authentication import models as _authentication  # noqa: F401
from smailor.database import revision, schema
from smailor.database.base import Base
from smailor.database.engine import Database
from smailor.domains import models as _domains  # noqa: F401
from smailor.mailboxes import models as _mailboxes  # noqa: F401
from smailor.sending import models as _sending  # noqa: F401
from smailor.sending import terms_models as _terms  # noqa: F401


def test_the_migrations_end_at_the_models(database):
    """Tables, columns, types' nullability, indexes and foreign keys: autogeneration finds nothing left to do."""
    with database.connection() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": _is_table_matter})
        assert compare_metadata(context, Base.metadata) == []


def _is_table_matter(_object, name, kind, _reflected, _compared):
    return not (kind == "table" and name == "alembic_version")


def test_a_database_of_another_version_is_told_apart(database):
    revision.check(database)
    schema.downgrade(database, "0001")
    assert revision.current(database) == "0001"
    with pytest.raises(revision.SchemaOutdated, match="run smailor database upgrade"):
        revision.check(database)


def test_down_to_nothing_and_up_again(database_url):
    database = Database(database_url)
    schema.upgrade(database)
    tables, views = set(inspect(database.engine).get_table_names()), set(inspect(database.engine).get_view_names())
    schema.downgrade(database, "base")
    inspector = inspect(database.engine)
    assert set(inspector.get_table_names()) == {"alembic_version"}
    assert inspector.get_view_names() == []
    schema.upgrade(database)
    inspector = inspect(database.engine)
    assert set(inspector.get_table_names()) == tables
    assert set(inspector.get_view_names()) == views
    assert {
        "mta_domains",
        "mta_mailboxes",
        "mta_aliases",
        "mta_senders",
        "mta_transports",
        "dovecot_users",
        "dovecot_passwords",
        "mta_held",
        "sending_domains",
    } <= views
    database.dispose()


def test_domains_that_are_in_use_are_past_their_warm_up_after_the_upgrade(database_url):
    """They have sent for months; a cap of 480 a day would stop them overnight."""
    database = Database(database_url)
    schema.upgrade(database, "0006")
    moment = "2026-01-02 03:04:05.000000"
    with database.transaction() as session:
        session.execute(
            text("INSERT INTO workspaces (id, slug, name, created_at) VALUES (1, 'acme', 'Acme', :at)"), {"at": moment}
        )
        for number, verified in ((1, moment), (2, None)):
            session.execute(
                text(
                    "INSERT INTO domains (id, workspace_id, name, verification_token, verified_at, created_at)"
                    " VALUES (:id, 1, :name, 'x', :verified, :at)"
                ),
                {"id": number, "name": f"d{number}.test", "verified": verified, "at": moment},
            )
    schema.upgrade(database)
    with database.reading() as session:
        rows = session.execute(text("SELECT domain, state, paused FROM warmups")).all()
        assert [(domain, state, bool(paused)) for domain, state, paused in rows] == [("d1.test", "graduated", False)]
        assert session.execute(text("SELECT plan FROM workspaces")).all() == [("standard",)]
        assert session.execute(text("SELECT generation FROM sending_terms")).one()[0] >= 1
    database.dispose()
