"""The views that Postfix and Dovecot read, and who may: on PostgreSQL a role of theirs that may read nothing else.

What the views say is the migrations' business, and so is the promise that they stay.
"""

from psycopg import sql
from sqlalchemy import text

from smailor.database.engine import Database
from smailor.errors import InvalidInput, NotFound

VIEWS = (
    "mta_domains",
    "mta_mailboxes",
    "mta_aliases",
    "mta_senders",
    "mta_transports",
    "mta_held",
    "dovecot_users",
    "dovecot_passwords",
)


def grant_reading(database: Database, role: str) -> int:
    """Let a PostgreSQL role read the views.

    Args:
        database: of this version's schema; its user owns the views.
        role: the role's name.

    Returns:
        How many views it could not read before.

    Raises:
        InvalidInput: SQLite has no roles; the file's permissions decide there.
        NotFound: there is no such role.
        TemporaryFailure: the database does not answer.
    """
    if database.dialect != "postgresql":
        raise InvalidInput("role", "only PostgreSQL has roles; with SQLite it is the file's permissions that count")
    with database.connection() as connection:
        if connection.execute(text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": role}).first() is None:
            raise NotFound(f"the database server has no role {role}")
        readable = text("SELECT has_table_privilege(:role, :view, 'SELECT')")
        missing = [
            view for view in VIEWS if not connection.execute(readable, {"role": role, "view": view}).scalar_one()
        ]
        driver = connection.connection.driver_connection
        for view in missing:
            statement = sql.SQL("GRANT SELECT ON {} TO {}").format(sql.Identifier(view), sql.Identifier(role))
            connection.exec_driver_sql(statement.as_string(driver))  # names are quoted by psycopg
    return len(missing)
