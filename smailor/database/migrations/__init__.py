"""Alembic's migrations: numbered files, run in order by `smailor.database.schema`."""

from pathlib import Path

VERSIONS = Path(__file__).parent / "versions"
