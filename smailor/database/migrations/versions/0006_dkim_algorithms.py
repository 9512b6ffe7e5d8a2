"""DKIM keys say their algorithm: Ed25519 beside RSA (RFC 8463)."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Every key so far is RSA."""
    column: sa.Column[str] = sa.Column("algorithm", sa.String(200), nullable=False, server_default="rsa-sha256")
    op.add_column("dkim_keys", column)


def downgrade() -> None:
    """Without the column every key would be taken for RSA, so the others go."""
    op.execute(sa.text("DELETE FROM dkim_keys WHERE algorithm <> 'rsa-sha256'"))
    op.drop_column("dkim_keys", "algorithm")
