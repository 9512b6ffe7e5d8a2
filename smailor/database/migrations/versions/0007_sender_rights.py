"""Rights to send as another inbox or as a whole domain, and whether a workspace hides where its people send from."""

from collections.abc import Mapping

import sqlalchemy as sa
from alembic import op

from smailor.database.base import BigInt, UtcDateTime

revision = "0007"
down_revision = "0006"

_OWN = """
        SELECT inboxes.address AS sender, inboxes.address AS login
        FROM inboxes JOIN domains ON domains.id = inboxes.domain_id
        WHERE domains.verified_at IS NOT NULL"""
_ALIASES = """
        SELECT aliases.source AS sender, inboxes.address AS login
        FROM aliases
        JOIN domains ON domains.id = aliases.domain_id
        JOIN inboxes ON inboxes.address = aliases.target
        JOIN domains AS homes ON homes.id = inboxes.domain_id
        WHERE domains.verified_at IS NOT NULL AND homes.verified_at IS NOT NULL
        AND homes.workspace_id = domains.workspace_id AND aliases.source NOT LIKE '@%'"""
# Postfix takes the first key that it finds: the address, the address without its extension, @domain. So an address that
# has a row of its own names those who may send as the whole domain once more.
_RIGHTS = """
        SELECT rights.sender, rights.login
        FROM (
            SELECT sender_rights.sender, sender_rights.login, sender_rights.domain_id, sender_rights.home_id
            FROM sender_rights
            UNION ALL
            SELECT inboxes.address, sender_rights.login, sender_rights.domain_id, sender_rights.home_id
            FROM sender_rights JOIN inboxes ON inboxes.domain_id = sender_rights.domain_id
            WHERE sender_rights.sender LIKE '@%'
            UNION ALL
            SELECT aliases.source, sender_rights.login, sender_rights.domain_id, sender_rights.home_id
            FROM sender_rights JOIN aliases ON aliases.domain_id = sender_rights.domain_id
            WHERE sender_rights.sender LIKE '@%' AND aliases.source NOT LIKE '@%'
        ) AS rights
        JOIN domains ON domains.id = rights.domain_id
        JOIN domains AS homes ON homes.id = rights.home_id
        WHERE domains.verified_at IS NOT NULL AND homes.verified_at IS NOT NULL
        AND homes.workspace_id = domains.workspace_id"""

BEFORE = (_OWN, _ALIASES)
AFTER = (_OWN, _ALIASES, _RIGHTS)

# PostgreSQL's replacement keeps the grants of whoever reads the view; SQLite has neither.
REPLACE: Mapping[str, tuple[str, ...]] = {
    "sqlite": ("DROP VIEW mta_senders", "CREATE VIEW mta_senders AS {query}"),
    "postgresql": ("CREATE OR REPLACE VIEW mta_senders AS {query}",),
}


def _replace_view(parts: tuple[str, ...]) -> None:
    query = "\n        UNION ALL".join(parts)
    for statement in REPLACE[op.get_context().dialect.name]:
        op.execute(sa.text(statement.format(query=query)))


def _reference(name: str, target: str, *, nullable: bool = False, index: bool = False) -> sa.Column[int]:
    return sa.Column(name, BigInt, sa.ForeignKey(target, ondelete="CASCADE"), nullable=nullable, index=index)


def upgrade() -> None:
    """Nobody has such a right so far, and every workspace hides where its people send from."""
    op.create_table(
        "sender_rights",
        sa.Column("id", BigInt, primary_key=True),
        _reference("inbox_id", "inboxes.id"),
        _reference("home_id", "domains.id", index=True),
        _reference("sender_id", "inboxes.id", nullable=True, index=True),
        _reference("domain_id", "domains.id", index=True),
        sa.Column("login", sa.String(320), nullable=False, index=True),
        sa.Column("sender", sa.String(320), nullable=False, index=True),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.UniqueConstraint("inbox_id", "sender"),
    )
    hides: sa.Column[bool] = sa.Column("sender_privacy", sa.Boolean, nullable=False, server_default=sa.true())
    op.add_column("workspaces", hides)
    _replace_view(AFTER)


def downgrade() -> None:
    """Such rights end; the view is as it was."""
    _replace_view(BEFORE)
    op.drop_column("workspaces", "sender_privacy")
    op.drop_table("sender_rights")
