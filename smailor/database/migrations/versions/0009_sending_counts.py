"""Counts of what was sent, in one packed row a key; different recipients a day; no table of answers any more."""

import json
import struct

import sqlalchemy as sa
from alembic import op

from smailor.database.base import UtcDateTime

revision = "0009"
down_revision = "0008"

HOUR_SLOTS = 13
ROW = struct.Struct("<q78I")
"""Newest slot of five minutes; messages and recipients by 13 such slots, by 25 hours, and of that day."""


def upgrade() -> None:
    """Create the new tables, take over the messages of the last hour, drop the old tables."""
    op.create_table(
        "sending_counts",
        sa.Column("key", sa.String(330), primary_key=True),
        sa.Column("day", sa.Integer, nullable=False),
        sa.Column("counts", sa.LargeBinary, nullable=False),
        # Each row is rewritten again and again: room on its page lets PostgreSQL do that without touching an index.
        postgresql_with={"fillfactor": "50"},
    )
    op.create_table(
        "sending_recipients",
        sa.Column("account", sa.String(330), primary_key=True),
        sa.Column("day", sa.Integer, primary_key=True),
        sa.Column("digest", sa.LargeBinary(16), primary_key=True),
    )
    if op.get_context().dialect.name == "postgresql":
        op.execute(sa.text("ALTER TABLE sending_counts ALTER COLUMN counts SET STORAGE PLAIN"))
    _take_over()
    op.create_index("ix_sending_counts_day", "sending_counts", ["day"])
    op.create_index("ix_sending_recipients_day", "sending_recipients", ["day"])
    op.drop_table("sending_answers")
    op.drop_table("sending_usage")


def _take_over() -> None:
    old = sa.table("sending_usage", sa.column("key", sa.String), sa.column("counts", sa.JSON))
    new = sa.table(
        "sending_counts",
        sa.column("key", sa.String),
        sa.column("day", sa.Integer),
        sa.column("counts", sa.LargeBinary),
    )
    connection = op.get_bind()
    for key, kept in connection.execute(sa.select(old.c.key, old.c.counts)).all():
        counts = json.loads(kept) if isinstance(kept, str) else kept
        latest, *messages = counts.get("messages/hour") or (0, *[0] * HOUR_SLOTS)
        slots = [0] * 78
        for number, count in zip(range(latest - HOUR_SLOTS + 1, latest + 1), messages, strict=True):
            slots[number % HOUR_SLOTS] = count
            slots[26 + number // 12 % 25] += count
            slots[76] += count
        connection.execute(sa.insert(new).values(key=key, day=latest // 288, counts=ROW.pack(latest, *slots)))


def downgrade() -> None:
    """Go back to the old tables; every account begins anew."""
    op.create_table(
        "sending_usage",
        sa.Column("key", sa.String(330), primary_key=True),
        sa.Column("counts", sa.JSON, nullable=False),
        postgresql_with={"fillfactor": "50"},
    )
    op.create_table(
        "sending_answers",
        sa.Column("key", sa.String(330), primary_key=True),
        sa.Column("instance", sa.String(128), primary_key=True),
        sa.Column("decided_at", UtcDateTime, nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("code", sa.Integer, nullable=False),
        sa.Column("enhanced_code", sa.String(12), nullable=False),
        sa.Column("text", sa.String(1000), nullable=False),
    )
    op.create_index("ix_sending_answers_decided_at", "sending_answers", ["decided_at"])
    op.drop_table("sending_recipients")
    op.drop_table("sending_counts")
