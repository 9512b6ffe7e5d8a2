"""Failed log-ins, so that all web hosts together slow down whoever guesses."""

import sqlalchemy as sa
from alembic import op

from smailor.database.base import BigInt, UtcDateTime

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "login_attempts",
        sa.Column("id", BigInt, primary_key=True),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("failed_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_login_attempts_key_failed_at", "login_attempts", ["key", "failed_at"])
    op.create_index("ix_login_attempts_failed_at", "login_attempts", ["failed_at"])


def downgrade() -> None:
    """Drop it; everybody has all attempts again."""
    op.drop_table("login_attempts")
