"""Bringing a database to the schema of this version, by Alembic, from code: no alembic.ini and no alembic command."""

from alembic import command
from alembic.config import Config

from smailor.database.engine import Database
from smailor.database.migrations import VERSIONS


def upgrade(database: Database, revision: str = "head") -> None:
    """Run the migrations that are missing, all in one transaction.

    Args:
        database: what to bring up to date.
        revision: where to stop.
    """
    with database.connection() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def downgrade(database: Database, revision: str) -> None:
    """Run migrations backwards; what a migration dropped comes back empty.

    Args:
        database: what to bring back.
        revision: where to stop; `base`: an empty database.
    """
    with database.connection() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.downgrade(config, revision)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(VERSIONS.parent))
    config.set_main_option("path_separator", "os")
    return config
