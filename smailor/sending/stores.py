"""Which store a database has."""

import time

from smailor.database import plain
from smailor.database.plain import SqlitePlain
from smailor.sending.store import Clock, Store
from smailor.sending.store_postgresql import PostgresqlStore
from smailor.sending.store_sqlite import SqliteStore


def open_store(url: str, clock: Clock | None = None) -> Store:
    """Return the store of a database; it connects with its first transaction.

    Args:
        url: as in the configuration.
        clock: in place of the store's own.
    """
    connection = plain.connect(url)
    if isinstance(connection, SqlitePlain):
        return SqliteStore(connection, clock or time.time)
    return PostgresqlStore(connection, clock)
