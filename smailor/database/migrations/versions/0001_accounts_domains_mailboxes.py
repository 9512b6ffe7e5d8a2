"""People, workspaces, domains, inboxes, and the views that Postfix and Dovecot read."""

from collections.abc import Mapping

import sqlalchemy as sa
from alembic import op

from smailor.database.base import BigInt, UtcDateTime

revision = "0001"
down_revision = None

NOW: Mapping[str, str] = {"sqlite": "strftime('%Y-%m-%d %H:%M:%f', 'now')", "postgresql": "now()"}
"""The present moment in the form in which `UtcDateTime` is kept."""

VIEWS: Mapping[str, str] = {
    "mta_domains": "SELECT name FROM domains WHERE verified_at IS NOT NULL",
    "mta_mailboxes": """
        SELECT inboxes.address
        FROM inboxes JOIN domains ON domains.id = inboxes.domain_id
        WHERE domains.verified_at IS NOT NULL""",
    # An inbox is an alias of itself, because Postfix would otherwise give its mail to the domain's catch-all.
    "mta_aliases": """
        SELECT aliases.source, aliases.target AS destination
        FROM aliases JOIN domains ON domains.id = aliases.domain_id
        WHERE domains.verified_at IS NOT NULL
        UNION ALL
        SELECT inboxes.address AS source, inboxes.address AS destination
        FROM inboxes JOIN domains ON domains.id = inboxes.domain_id
        WHERE domains.verified_at IS NOT NULL""",
    # Whoever gets an alias's mail may answer under it, within the workspace; a catch-all gives no such right.
    "mta_senders": """
        SELECT inboxes.address AS sender, inboxes.address AS login
        FROM inboxes JOIN domains ON domains.id = inboxes.domain_id
        WHERE domains.verified_at IS NOT NULL
        UNION ALL
        SELECT aliases.source AS sender, inboxes.address AS login
        FROM aliases
        JOIN domains ON domains.id = aliases.domain_id
        JOIN inboxes ON inboxes.address = aliases.target
        JOIN domains AS homes ON homes.id = inboxes.domain_id
        WHERE domains.verified_at IS NOT NULL AND homes.verified_at IS NOT NULL
        AND homes.workspace_id = domains.workspace_id AND aliases.source NOT LIKE '@%'""",
    "mta_transports": "SELECT destination, transport FROM transports",
    "dovecot_users": """
        SELECT inboxes.address AS username, inboxes.quota_bytes
        FROM inboxes JOIN domains ON domains.id = inboxes.domain_id
        WHERE domains.verified_at IS NOT NULL""",
    "dovecot_passwords": """
        SELECT app_passwords.login AS username, app_passwords.token_sha256, app_passwords.service
        FROM app_passwords
        JOIN inboxes ON inboxes.address = app_passwords.login
        JOIN domains ON domains.id = inboxes.domain_id
        WHERE domains.verified_at IS NOT NULL
        AND (app_passwords.expires_at IS NULL OR app_passwords.expires_at > {now})""",
}


def _id() -> sa.Column[int]:
    return sa.Column("id", BigInt, primary_key=True)


def _reference(name: str, target: str, *, index: bool = False) -> sa.Column[int]:
    return sa.Column(name, BigInt, sa.ForeignKey(target, ondelete="CASCADE"), nullable=False, index=index)


def _text(name: str, length: int | None = None, *, unique: bool = False, index: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), nullable=False, unique=unique, index=index)


def _moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, UtcDateTime, nullable=nullable)


def upgrade() -> None:
    """Create the tables and views."""
    op.create_table(
        "users",
        _id(),
        _text("email", 320, unique=True),
        _text("name", 200),
        _text("password_hash"),
        sa.Column("operator", sa.Boolean, nullable=False),
        _moment("created_at"),
    )
    op.create_table("workspaces", _id(), _text("slug", 200, unique=True), _text("name", 200), _moment("created_at"))
    op.create_table(
        "members",
        _id(),
        _reference("workspace_id", "workspaces.id"),
        _reference("user_id", "users.id", index=True),
        _text("role", 200),
        _moment("created_at"),
        sa.UniqueConstraint("workspace_id", "user_id"),
    )
    op.create_table(
        "web_sessions",
        _id(),
        _reference("user_id", "users.id", index=True),
        _text("token_sha256", 64, unique=True),
        _moment("created_at"),
        _moment("expires_at"),
    )
    op.create_table(
        "app_passwords",
        _id(),
        _text("login", 320),
        _text("label", 200),
        _text("service", 200),
        sa.Column("web", sa.Boolean, nullable=False),
        _text("token_sha256", 64),
        _moment("created_at"),
        _moment("expires_at", nullable=True),
        sa.Index("ix_app_passwords_login_token", "login", "token_sha256"),
    )
    op.create_table(
        "domains",
        _id(),
        _reference("workspace_id", "workspaces.id"),
        _text("name", 253),
        _text("verification_token", 200),
        _moment("verified_at", nullable=True),
        _moment("created_at"),
        sa.UniqueConstraint("workspace_id", "name"),
        sa.Index(
            "uq_domains_verified_name",
            "name",
            unique=True,
            sqlite_where=sa.text("verified_at IS NOT NULL"),
            postgresql_where=sa.text("verified_at IS NOT NULL"),
        ),
    )
    op.create_table(
        "dkim_keys",
        _id(),
        _reference("domain_id", "domains.id"),
        _text("selector", 200),
        _text("private_key_sealed"),
        _text("public_key"),
        _moment("created_at"),
        sa.UniqueConstraint("domain_id", "selector"),
    )
    op.create_table(
        "transports", _id(), _text("destination", 253, unique=True), _text("transport", 200), _moment("created_at")
    )
    op.create_table(
        "inboxes",
        _id(),
        _reference("domain_id", "domains.id"),
        _text("address", 320, index=True),
        _text("name", 200),
        sa.Column("quota_bytes", BigInt, nullable=False),
        _moment("created_at"),
        sa.UniqueConstraint("domain_id", "address"),
    )
    op.create_table(
        "inbox_readers",
        _id(),
        _reference("inbox_id", "inboxes.id"),
        _reference("user_id", "users.id", index=True),
        sa.UniqueConstraint("inbox_id", "user_id"),
    )
    op.create_table(
        "aliases",
        _id(),
        _reference("domain_id", "domains.id"),
        _text("source", 320, index=True),
        _text("target", 320, index=True),
        _moment("created_at"),
        sa.UniqueConstraint("domain_id", "source", "target"),
    )
    now = NOW[op.get_context().dialect.name]
    for name, query in VIEWS.items():
        op.execute(sa.text(f"CREATE VIEW {name} AS {query.replace('{now}', now)}".replace(":", "\\:")))


def downgrade() -> None:
    """Drop the views and tables."""
    for name in VIEWS:
        op.execute(sa.text(f"DROP VIEW {name}"))
    for table in (
        "aliases",
        "inbox_readers",
        "inboxes",
        "transports",
        "dkim_keys",
        "domains",
        "app_passwords",
        "web_sessions",
        "members",
        "workspaces",
        "users",
    ):
        op.drop_table(table)
