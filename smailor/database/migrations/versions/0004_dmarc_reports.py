"""What was found about received mail, counted for DMARC reports, and the reports that were sent."""

import sqlalchemy as sa
from alembic import op

from smailor.database.base import BigInt, UtcDateTime

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the tables of the room `authentication`."""
    op.create_table(
        "dmarc_counts",
        sa.Column("id", BigInt, primary_key=True),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("policy_domain", sa.String(253), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("facts", sa.JSON, nullable=False),
        sa.Column("policy", sa.String, nullable=False),
        sa.Column("count", BigInt, nullable=False),
        sa.Column("seen_at", UtcDateTime, nullable=False),
        sa.UniqueConstraint("day", "policy_domain", "digest"),
    )
    op.create_table(
        "dmarc_reports",
        sa.Column("id", BigInt, primary_key=True),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("policy_domain", sa.String(253), nullable=False),
        sa.Column("recipient", sa.String(320), nullable=False),
        sa.Column("report_id", sa.String(200), nullable=False),
        sa.Column("claimed_at", UtcDateTime, nullable=False),
        sa.Column("finished_at", UtcDateTime, nullable=True),
        sa.Column("outcome", sa.String(20), nullable=False),
        sa.UniqueConstraint("day", "policy_domain", "recipient"),
    )


def downgrade() -> None:
    """Drop them; what was counted is not reported any more."""
    op.drop_table("dmarc_reports")
    op.drop_table("dmarc_counts")
