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
_DELEGATED = """
        SELECT others.address AS sender, inboxes.address AS login
        FROM sender_delegations
        JOIN inboxes AS others ON others.id = sender_delegations.sender_id
        JOIN domains ON domains.id = others.domain_id
        JOIN inboxes ON inboxes.id = sender_delegations.inbox_id
        JOIN domains AS homes ON homes.id = inboxes.domain_id
        WHERE domains.verified_at IS NOT NULL AND homes.verified_at IS NOT NULL
        AND homes.workspace_id = domains.workspace_id"""
_DOMAIN_WIDE = """
        SELECT {sender} AS sender, inboxes.address AS login
        FROM sender_domains
        JOIN domains ON domains.id = sender_domains.domain_id
        JOIN inboxes ON inboxes.id = sender_domains.inbox_id
        JOIN domains AS homes ON homes.id = inboxes.domain_id{join}
        WHERE domains.verified_at IS NOT NULL AND homes.verified_at IS NOT NULL
        AND homes.workspace_id = domains.workspace_id{more}"""

BEFORE = (_OWN, _ALIASES)
AFTER = (
    _OWN,
    _ALIASES,
    _DELEGATED,
    _DOMAIN_WIDE.format(sender="sender_domains.sender", join="", more=""),
    # Postfix takes the first key that it finds: the address, the address without its extension, @domain. So an address
    # that has a row of its own names those who may send as the whole domain once more.
    _DOMAIN_WIDE.format(
        sender="others.address",
        join="\n        JOIN inboxes AS others ON others.domain_id = domains.id",
        more="",
    ),
    _DOMAIN_WIDE.format(
        sender="aliases.source",
        join="\n        JOIN aliases ON aliases.domain_id = domains.id",
        more=" AND aliases.source NOT LIKE '@%'",
    ),
)

# PostgreSQL's replacement keeps the grants of whoever reads the view; SQLite has neither.
REPLACE: Mapping[str, tuple[str, ...]] = {
    "sqlite": ("DROP VIEW mta_senders", "CREATE VIEW mta_senders AS {query}"),
    "postgresql": ("CREATE OR REPLACE VIEW mta_senders AS {query}",),
}


def _replace_view(parts: tuple[str, ...]) -> None:
    query = "\n        UNION ALL".join(parts)
    for statement in REPLACE[op.get_context().dialect.name]:
        op.execute(sa.text(statement.format(query=query)))


def _inbox_id(name: str, *, index: bool = False) -> sa.Column[int]:
    return sa.Column(name, BigInt, sa.ForeignKey("inboxes.id", ondelete="CASCADE"), nullable=False, index=index)


def upgrade() -> None:
    """Nobody has such a right so far, and every workspace hides where its people send from."""
    op.create_table(
        "sender_delegations",
        sa.Column("id", BigInt, primary_key=True),
        _inbox_id("inbox_id"),
        _inbox_id("sender_id", index=True),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.UniqueConstraint("inbox_id", "sender_id"),
    )
    op.create_table(
        "sender_domains",
        sa.Column("id", BigInt, primary_key=True),
        _inbox_id("inbox_id"),
        sa.Column("domain_id", BigInt, sa.ForeignKey("domains.id", ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("sender", sa.String(320), nullable=False, index=True),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.UniqueConstraint("inbox_id", "domain_id"),
    )
    hides: sa.Column[bool] = sa.Column("sender_privacy", sa.Boolean, nullable=False, server_default=sa.true())
    op.add_column("workspaces", hides)
    _replace_view(AFTER)


def downgrade() -> None:
    """Such rights end; the view is as it was."""
    _replace_view(BEFORE)
    op.drop_column("workspaces", "sender_privacy")
    op.drop_table("sender_domains")
    op.drop_table("sender_delegations")
