"""People who sign up, log in in several ways and on several devices; invitations; workspaces that are to go."""

import sqlalchemy as sa
from alembic import op

from smailor.database.base import BigInt, UtcDateTime

revision = "0010"
down_revision = "0009"

NEW = (
    "notices",
    "passkeys",
    "recovery_codes",
    "totp_devices",
    "external_identities",
    "pending_logins",
    "one_time_tokens",
    "invitations",
    "domain_admins",
)

LAST_OWNER = "the last owner of a workspace stays"
_ALONE = """
    OLD.role = 'owner' AND EXISTS (SELECT 1 FROM workspaces WHERE id = OLD.workspace_id) AND NOT EXISTS (
        SELECT 1 FROM members WHERE workspace_id = OLD.workspace_id AND role = 'owner' AND id != OLD.id)"""
"""An owner goes, the workspace does not go with them, and nobody else owns it."""


def _id() -> sa.Column[int]:
    return sa.Column("id", BigInt, primary_key=True)


def _of(table: str, column: str, *, required: bool = True, primary: bool = False) -> sa.Column[int]:
    key = sa.ForeignKey(f"{table}.id", ondelete="CASCADE")
    return sa.Column(column, BigInt, key, nullable=not required, primary_key=primary)


def _at(name: str, *, required: bool = True) -> sa.Column[object]:
    return sa.Column(name, UtcDateTime, nullable=not required)


def _text(name: str, length: int) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), nullable=False)


def upgrade() -> None:
    """Create the tables. Everybody who is there is taken for verified; web sessions end."""
    op.add_column("users", sa.Column("language", sa.String(10), nullable=False, server_default=""))
    op.add_column("users", _at("email_verified_at", required=False))
    op.execute(sa.text("UPDATE users SET email_verified_at = created_at"))
    op.add_column("workspaces", _at("deletion_asked_at", required=False))
    op.add_column("workspaces", _at("delete_after", required=False))
    op.create_index("ix_workspaces_delete_after", "workspaces", ["delete_after"])
    _remake_sessions(
        _at("last_used_at"),
        _at("authenticated_at"),
        _at("settings_used_at"),
        _at("operator_used_at"),
        _text("method", 40),
        _text("source", 200),
        _text("device", 200),
    )
    _create_membership_tables()
    _keep_last_owner(op.get_context().dialect.name)
    _create_login_tables()
    op.create_table(
        "notices",
        _id(),
        _text("recipient", 320),
        sa.Column("sealed_message", sa.Text, nullable=False),
        _at("created_at"),
        _at("next_try_at"),
        sa.Column("attempts", sa.Integer, nullable=False),
        _at("expires_at"),
    )
    op.create_index("ix_notices_next_try_at", "notices", ["next_try_at"])


def _remake_sessions(*columns: sa.Column[object] | sa.Column[str]) -> None:
    op.drop_table("web_sessions")
    op.create_table(
        "web_sessions",
        _id(),
        _of("users", "user_id"),
        sa.Column("token_sha256", sa.String(64), nullable=False, unique=True),
        _at("created_at"),
        _at("expires_at"),
        *columns,
    )
    op.create_index("ix_web_sessions_user_id", "web_sessions", ["user_id"])


def _create_membership_tables() -> None:
    op.create_table(
        "domain_admins",
        _of("members", "member_id", primary=True),
        sa.Column("domain", sa.String(253), primary_key=True),
    )
    op.create_table(
        "invitations",
        _id(),
        _of("workspaces", "workspace_id"),
        _text("email", 320),
        _text("role", 200),
        sa.Column("domains", sa.JSON, nullable=False),
        sa.Column("token_sha256", sa.String(64), nullable=False, unique=True),
        _text("invited_by", 320),
        _at("created_at"),
        _at("expires_at"),
        _at("accepted_at", required=False),
        _at("withdrawn_at", required=False),
    )
    op.create_index("ix_invitations_workspace_id", "invitations", ["workspace_id"])


def _keep_last_owner(dialect: str) -> None:
    """Refuse that the last owner vanishes, however it comes about: their person deleted, a program's mistake."""
    if dialect == "sqlite":
        for name, change, condition in (
            ("delete", "DELETE", _ALONE),
            ("update", "UPDATE OF role, workspace_id, user_id", f"NEW.role != 'owner' AND {_ALONE}"),
        ):
            op.execute(
                sa.text(
                    f"CREATE TRIGGER members_keep_owner_{name} BEFORE {change} ON members WHEN {condition}"
                    f" BEGIN SELECT RAISE(ABORT, '{LAST_OWNER}'); END"
                )
            )
        return
    # The row of the workspace is locked first: of two owners who go at the same time, the second sees the first gone.
    op.execute(
        sa.text(
            "CREATE FUNCTION members_keep_owner() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " IF OLD.role = 'owner' AND (TG_OP = 'DELETE' OR NEW.role != 'owner') THEN"
            " PERFORM 1 FROM workspaces WHERE id = OLD.workspace_id FOR UPDATE;"
            f" IF {_ALONE} THEN"
            f" RAISE EXCEPTION '{LAST_OWNER}' USING ERRCODE = 'integrity_constraint_violation'; END IF; END IF;"
            " IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $$"
        )
    )
    op.execute(
        sa.text(
            "CREATE TRIGGER members_keep_owner BEFORE UPDATE OR DELETE ON members"
            " FOR EACH ROW EXECUTE FUNCTION members_keep_owner()"
        )
    )


def _create_login_tables() -> None:
    op.create_table(
        "one_time_tokens",
        _id(),
        _text("purpose", 40),
        _of("users", "user_id"),
        sa.Column("token_sha256", sa.String(64), nullable=False, unique=True),
        sa.Column("values", sa.JSON, nullable=False),
        _at("created_at"),
        _at("expires_at"),
        _at("used_at", required=False),
    )
    op.create_index("ix_one_time_tokens_user_id", "one_time_tokens", ["user_id"])
    op.create_table(
        "pending_logins",
        _id(),
        _text("purpose", 40),
        _of("users", "user_id", required=False),
        sa.Column("token_sha256", sa.String(64), nullable=False, unique=True),
        sa.Column("values", sa.JSON, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        _at("created_at"),
        _at("expires_at"),
    )
    op.create_index("ix_pending_logins_expires_at", "pending_logins", ["expires_at"])
    op.create_table(
        "external_identities",
        _id(),
        _of("users", "user_id"),
        _text("provider", 40),
        _text("issuer", 500),
        _text("subject", 255),
        _text("email", 320),
        _at("created_at"),
        _at("last_used_at", required=False),
        sa.UniqueConstraint("issuer", "subject"),
    )
    op.create_index("ix_external_identities_user_id", "external_identities", ["user_id"])
    op.create_table(
        "totp_devices",
        _of("users", "user_id", primary=True),
        sa.Column("sealed_secret", sa.Text, nullable=False),
        sa.Column("last_step", BigInt, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        _at("failures_since", required=False),
        _at("created_at"),
        _at("confirmed_at", required=False),
    )
    op.create_table(
        "recovery_codes",
        _id(),
        _of("users", "user_id"),
        _text("token_sha256", 64),
        _at("created_at"),
        _at("used_at", required=False),
    )
    op.create_index("ix_recovery_codes_user_id", "recovery_codes", ["user_id"])
    op.create_table(
        "passkeys",
        _id(),
        _of("users", "user_id"),
        sa.Column("credential_id", sa.LargeBinary(1023), nullable=False, unique=True),
        sa.Column("public_key", sa.LargeBinary, nullable=False),
        sa.Column("sign_count", BigInt, nullable=False),
        sa.Column("transports", sa.JSON, nullable=False),
        _text("label", 200),
        sa.Column("backed_up", sa.Boolean, nullable=False),
        _at("created_at"),
        _at("last_used_at", required=False),
    )
    op.create_index("ix_passkeys_user_id", "passkeys", ["user_id"])


def downgrade() -> None:
    """Go back: second factors, passkeys and links to providers are gone, everybody logs in anew."""
    for table in NEW:
        op.drop_table(table)
    if op.get_context().dialect.name == "sqlite":
        for change in ("delete", "update"):
            op.execute(sa.text(f"DROP TRIGGER members_keep_owner_{change}"))
    else:
        op.execute(sa.text("DROP TRIGGER members_keep_owner ON members"))
        op.execute(sa.text("DROP FUNCTION members_keep_owner()"))
    _remake_sessions()
    op.drop_index("ix_workspaces_delete_after", "workspaces")
    for table, columns in (
        ("workspaces", ("delete_after", "deletion_asked_at")),
        ("users", ("email_verified_at", "language")),
    ):
        for column in columns:
            op.drop_column(table, column)
