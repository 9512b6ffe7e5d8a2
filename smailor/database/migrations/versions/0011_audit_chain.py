"""The audit trail is chained by hashes; API keys, impersonation, and who opened whose inbox."""

import json
from collections.abc import Mapping
from datetime import UTC
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from alembic import op

from smailor.database.base import BigInt, UtcDateTime

revision = "0011"
down_revision = "0010"

BATCH = 1000
OLD_INDEXES: Mapping[str, tuple[str, ...]] = {
    "ix_audit_entries_object": ("object",),
    "ix_audit_entries_workspace": ("workspace",),
}
INDEXES: Mapping[str, tuple[str, ...]] = {
    "ix_audit_entries_actor": ("actor", "at"),
    "ix_audit_entries_object": ("object", "at"),
    "ix_audit_entries_workspace": ("workspace", "at"),
    "ix_audit_entries_workspace_actor": ("workspace", "actor", "at"),
    "ix_audit_entries_workspace_action": ("workspace", "action", "at"),
    "ix_audit_entries_workspace_object": ("workspace", "object", "at"),
}
ENTRIES = sa.table(
    "audit_entries",
    sa.column("sequence", BigInt),
    sa.column("at", UtcDateTime),
    *(sa.column(name, sa.String) for name in ("actor", "source", "action", "object", "workspace", "reason", "outcome")),
    sa.column("details", sa.JSON),
    sa.column("previous_hash", sa.String),
    sa.column("hash", sa.String),
)


def upgrade() -> None:
    """Chain the entries that are there, in the order in which they were written."""
    dialect = op.get_context().dialect.name
    _open(dialect)
    op.execute(sa.text("ALTER TABLE audit_entries RENAME COLUMN id TO sequence"))
    for name in ("previous_hash", "hash"):
        op.add_column("audit_entries", sa.Column(name, sa.String(64), nullable=False, server_default=""))
    _chain(op.get_bind())
    if dialect == "postgresql":
        op.execute(sa.text("ALTER TABLE audit_entries ALTER COLUMN sequence DROP DEFAULT"))
        op.execute(sa.text("DROP SEQUENCE IF EXISTS audit_entries_id_seq"))
    for name in OLD_INDEXES:
        op.drop_index(name, "audit_entries")
    for name, columns in INDEXES.items():
        op.create_index(name, "audit_entries", list(columns))
    _close(dialect)
    _create_tables()


def _open(dialect: str) -> None:
    if dialect == "sqlite":
        op.execute(sa.text("DROP TRIGGER audit_entries_no_update"))
    else:
        op.execute(sa.text("DROP TRIGGER audit_entries_only_added_to ON audit_entries"))


def _close(dialect: str) -> None:
    if dialect == "sqlite":
        op.execute(
            sa.text(
                "CREATE TRIGGER audit_entries_no_update BEFORE UPDATE ON audit_entries"
                " BEGIN SELECT RAISE(ABORT, 'the audit trail is only added to'); END"
            )
        )
    else:
        op.execute(
            sa.text(
                "CREATE TRIGGER audit_entries_only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries"
                " FOR EACH STATEMENT EXECUTE FUNCTION audit_entries_only_added_to()"
            )
        )


def _chain(connection: sa.Connection) -> None:
    """Number the entries without gaps and link them, as `smailor.accounts.audit_chain` reads it (format 1).

    The numbers only get smaller and go upwards, so that none is ever taken twice.
    """
    previous, number, last = "0" * 64, 0, None
    change = (
        sa.update(ENTRIES)
        .where(ENTRIES.c.sequence == sa.bindparam("old"))
        .values(sequence=sa.bindparam("new"), previous_hash=sa.bindparam("before"), hash=sa.bindparam("digest"))
    )
    while True:
        query = sa.select(ENTRIES).order_by(ENTRIES.c.sequence).limit(BATCH)
        rows = connection.execute(query if last is None else query.where(ENTRIES.c.sequence > last)).mappings().all()
        changes = []
        for row in rows:
            number += 1
            digest = _digest(row, number, previous)
            changes.append({"old": row["sequence"], "new": number, "before": previous, "digest": digest})
            previous = digest
        if not changes:
            return
        connection.execute(change, changes)
        last = rows[-1]["sequence"]


def _digest(row: sa.RowMapping, number: int, previous: str) -> str:
    said = {
        "format": 1,
        "sequence": number,
        "previous": previous,
        "at": row["at"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        **{name: row[name] for name in ("actor", "source", "action", "object", "workspace", "reason", "outcome")},
        "details": row["details"],
    }
    text = json.dumps(_sorted(said), ensure_ascii=False, separators=(",", ":"))
    return sha256(text.encode("utf-8")).hexdigest()


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value, key=lambda name: name.encode("utf-16-be"))}
    if isinstance(value, list):
        return [_sorted(entry) for entry in value]
    return value


def _of(table: str, column: str, *, primary: bool = False) -> sa.Column[int]:
    key = sa.ForeignKey(f"{table}.id", ondelete="CASCADE")
    return sa.Column(column, BigInt, key, nullable=False, primary_key=primary, autoincrement=False)


def _text(name: str, length: int, *, primary: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), nullable=False, primary_key=primary)


def _at(name: str, *, required: bool = True) -> sa.Column[object]:
    return sa.Column(name, UtcDateTime, nullable=not required)


def _create_tables() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", BigInt, primary_key=True),
        _of("workspaces", "workspace_id"),
        _of("users", "user_id"),
        _text("label", 200),
        _text("hint", 20),
        sa.Column("token_sha256", sa.String(64), nullable=False, unique=True),
        sa.Column("scopes", sa.JSON, nullable=False),
        _at("created_at"),
        _at("expires_at", required=False),
        _at("last_used_at", required=False),
        _text("last_source", 200),
        _at("revoked_at", required=False),
    )
    op.create_index("ix_api_keys_workspace_id", "api_keys", ["workspace_id"])
    op.create_index("ix_api_keys_user_id", "api_keys", ["user_id"])
    op.create_table(
        "api_uses",
        _of("api_keys", "key_id", primary=True),
        sa.Column("window", BigInt, nullable=False),
        sa.Column("used", BigInt, nullable=False),
    )
    op.create_table(
        "api_calls",
        _of("api_keys", "key_id", primary=True),
        _text("idempotency_key", 255, primary=True),
        _text("request_sha256", 64),
        _at("started_at"),
        sa.Column("status", sa.Integer, nullable=True),
        sa.Column("headers", sa.JSON, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("ix_api_calls_started_at", "api_calls", ["started_at"])
    op.create_table(
        "impersonations",
        sa.Column("id", BigInt, primary_key=True),
        _of("web_sessions", "session_id"),
        _of("users", "user_id"),
        _text("operator", 320),
        _text("reason", 1000),
        _at("started_at"),
        _at("ends_at"),
        _at("ended_at", required=False),
    )
    op.create_index("ix_impersonations_session_id", "impersonations", ["session_id"])
    op.create_index("ix_impersonations_user_id", "impersonations", ["user_id"])
    op.create_table(
        "inbox_openings",
        _of("web_sessions", "session_id", primary=True),
        sa.Column("impersonation_id", BigInt, primary_key=True, autoincrement=False),
        _text("inbox", 320, primary=True),
    )


def downgrade() -> None:
    """Go back: entries stay, their hashes go; API keys are gone."""
    dialect = op.get_context().dialect.name
    for table in ("inbox_openings", "impersonations", "api_calls", "api_uses", "api_keys"):
        op.drop_table(table)
    _open(dialect)
    for name in INDEXES:
        op.drop_index(name, "audit_entries")
    for name, columns in OLD_INDEXES.items():
        op.create_index(name, "audit_entries", list(columns))
    for name in ("hash", "previous_hash"):
        op.drop_column("audit_entries", name)
    op.execute(sa.text("ALTER TABLE audit_entries RENAME COLUMN sequence TO id"))
    if dialect == "postgresql":
        op.execute(sa.text("CREATE SEQUENCE audit_entries_id_seq OWNED BY audit_entries.id"))
        op.execute(sa.text("SELECT setval('audit_entries_id_seq', coalesce(max(id), 0) + 1, false) FROM audit_entries"))
        op.execute(sa.text("ALTER TABLE audit_entries ALTER COLUMN id SET DEFAULT nextval('audit_entries_id_seq')"))
    _close(dialect)
