"""Keys of the service's own domain."""

import sqlalchemy as sa
from alembic import op

from smailor.database.base import BigInt, UtcDateTime

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "service_keys",
        sa.Column("id", BigInt, primary_key=True),
        sa.Column("domain", sa.String(253), nullable=False),
        sa.Column("selector", sa.String(200), nullable=False),
        sa.Column("private_key_sealed", sa.String, nullable=False),
        sa.Column("public_key", sa.String, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.UniqueConstraint("domain", "selector"),
    )


def downgrade() -> None:
    """Drop it; the next forwarded message makes a new key, which has to be published again."""
    op.drop_table("service_keys")
