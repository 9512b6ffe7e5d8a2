"""What accounts have sent, and the answers of the last few minutes."""

import sqlalchemy as sa
from alembic import op

from smailor.database.base import UtcDateTime

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the tables of the room `sending`."""
    op.create_table(
        "sending_usage",
        sa.Column("key", sa.String(330), primary_key=True),
        sa.Column("counts", sa.JSON, nullable=False),
        # Each row is rewritten with every message: room on its page lets PostgreSQL do that without touching the index.
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


def downgrade() -> None:
    """Drop them; every account begins anew."""
    op.drop_table("sending_answers")
    op.drop_table("sending_usage")
