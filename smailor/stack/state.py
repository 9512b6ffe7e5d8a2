"""The database of a local service: made, given to its readers, and emptied again when the service goes for good.

On PostgreSQL, Postfix and Dovecot use a role of their own that may read the views and nothing else.
"""

import os
from pathlib import Path

from psycopg import sql
from sqlalchemy import Connection, make_url, text
from sqlalchemy.exc import DBAPIError

from smailor.database import revision, schema
from smailor.database.engine import Database
from smailor.database.views import VIEWS
from smailor.errors import Conflict, InvalidInput, PermissionDenied, TemporaryFailure
from smailor.stack import machine
from smailor.stack.layout import MAIL_UID
from smailor.stack.variables import mail_role


def check_url(url: str) -> None:
    """Refuse what is no PostgreSQL address; raises InvalidInput."""
    try:
        parsed = make_url(url)
    except ValueError as error:
        raise InvalidInput("--database", str(error)) from error
    if parsed.get_backend_name() != "postgresql" or not parsed.database:
        raise InvalidInput("--database", "expected postgresql://USER:PASSWORD@HOST:PORT/NAME")


def check_empty(database: Database) -> None:
    """Make sure that a database holds no service's data, whose secrets would be elsewhere.

    Raises:
        Conflict: it does.
        TemporaryFailure: it does not answer; the text says why.
    """
    try:
        database.check()
    except TemporaryFailure as error:
        cause = error.__cause__
        reason = str(getattr(cause, "orig", cause)).splitlines()[0]
        raise TemporaryFailure(f"{error}: {reason}") from error
    if revision.current(database) is not None:
        raise Conflict(
            "the database holds a service's data already, and their secrets are not in this run directory; name an "
            "empty database, or the run directory that was kept with --keep"
        )


def prepare(database: Database, *, role_password: str) -> None:
    """Bring a database to this version's schema and let Postfix and Dovecot read the views.

    Args:
        database: SQLite or PostgreSQL.
        role_password: for the PostgreSQL role of Postfix and Dovecot.

    Raises:
        PermissionDenied: the PostgreSQL user may not create the role.
        TemporaryFailure: it does not answer.
    """
    if database.dialect == "sqlite":
        _make_file(Path(make_url(database.url).database or ""))
    schema.upgrade(database)
    if database.dialect == "postgresql":
        _grant(database, role_password)


def clear(url: str) -> None:
    """Empty a PostgreSQL database that was empty when a service began with it: tables, views and the role go.

    Raises:
        TemporaryFailure: it does not answer.
    """
    database = Database(url)
    name = make_url(url).database or ""
    role = sql.Identifier(mail_role(name))
    database.check()
    schema.downgrade(database, "base")
    with database.engine.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS alembic_version"))
        if _role_exists(connection, mail_role(name)):
            _run(connection, sql.SQL("REVOKE ALL ON DATABASE {} FROM {}").format(sql.Identifier(name), role))
            _run(connection, sql.SQL("REVOKE ALL ON SCHEMA public FROM {}").format(role))
            _run(connection, sql.SQL("DROP ROLE {}").format(role))
    database.dispose()


def _make_file(file: Path) -> None:
    """Make the file before the first to open it does, with the owners that everybody else needs."""
    file.touch(mode=0o660)
    os.chown(file, MAIL_UID, machine.account("postfix").gid)
    file.chmod(0o660)


def _grant(database: Database, password: str) -> None:
    name = make_url(database.url).database or ""
    role = sql.Identifier(mail_role(name))
    secret = sql.Literal(password)
    try:
        with database.engine.begin() as connection:
            verb = sql.SQL("ALTER" if _role_exists(connection, mail_role(name)) else "CREATE")
            _run(connection, sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(verb, role, secret))
            _run(connection, sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(sql.Identifier(name), role))
            _run(connection, sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(role))
            for view in VIEWS:
                _run(connection, sql.SQL("GRANT SELECT ON {} TO {}").format(sql.Identifier(view), role))
    except DBAPIError as error:
        raise PermissionDenied(
            f"the database's user needs the right CREATEROLE, for the role that Postfix and Dovecot read with: "
            f"{str(error.orig).splitlines()[0]}"
        ) from error


def _role_exists(connection: Connection, name: str) -> bool:
    found = connection.execute(text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": name})
    return found.first() is not None


def _run(connection: Connection, statement: sql.Composed) -> None:
    driver = connection.connection.driver_connection
    connection.exec_driver_sql(statement.as_string(driver))  # names and password are quoted by psycopg
