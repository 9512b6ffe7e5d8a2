"""Alembic's entry point: runs migrations on the connection that `smailor.database.schema` hands over."""

from alembic import context
from sqlalchemy import Connection

from smailor.database.base import Base


def run(connection: Connection) -> None:
    """Run the wanted migrations on this connection, within its transaction."""
    context.configure(connection=connection, target_metadata=Base.metadata)
    context.run_migrations()


run(context.config.attributes["connection"])
