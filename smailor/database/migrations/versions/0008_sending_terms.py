"""On which terms mail may leave: plans, limits set by hand, warm-up, suppression, suspension; and the audit trail."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from alembic import op

from smailor.database.base import BigInt, UtcDateTime

revision = "0008"
down_revision = "0007"

NOW: Mapping[str, str] = {"sqlite": "strftime('%Y-%m-%d %H:%M:%f', 'now')", "postgresql": "now()"}
FALSE: Mapping[str, str] = {"sqlite": "0", "postgresql": "false"}

_STOPPED = """EXISTS (
            SELECT 1 FROM suspensions
            WHERE suspensions.lifted_at IS NULL AND suspensions.{part}
            AND ((suspensions.scope = 'account' AND suspensions.subject = {address})
            OR (suspensions.scope = 'domain' AND suspensions.subject = {domains}.name)
            OR (suspensions.scope = 'workspace' AND suspensions.subject =
            (SELECT workspaces.slug FROM workspaces WHERE workspaces.id = {domains}.workspace_id))))"""
_NO_INBOX = "''"
RECEIVING_STOPPED = "450 4.2.1 This mailbox takes no mail for the time being; please try again later"
HELD = "retry:4.2.1 receiving is suspended for this mailbox"


def _stopped(part: str, address: str = "inboxes.address", domains: str = "domains") -> str:
    """Return the condition under which an address in a domain is suspended, in one of the ways."""
    return _STOPPED.format(part=part, address=address, domains=domains)


OLD_PASSWORDS = """
        SELECT app_passwords.login AS username, app_passwords.token_sha256, app_passwords.service
        FROM app_passwords
        JOIN inboxes ON inboxes.address = app_passwords.login
        JOIN domains ON domains.id = inboxes.domain_id
        WHERE domains.verified_at IS NOT NULL
        AND (app_passwords.expires_at IS NULL OR app_passwords.expires_at > {now})"""
OLD_TRANSPORTS = "SELECT destination, transport FROM transports"

VIEWS: Mapping[str, str] = {
    # Whose log-in is suspended opens nothing: neither with an app password nor over the web, which logs in for him.
    "dovecot_passwords": f"{OLD_PASSWORDS} AND NOT {_stopped('stops_login')}",
    # Mail for whoever may not receive just now waits in the queue, however it came there: by an alias, from a tenant.
    "mta_transports": f"""
        {OLD_TRANSPORTS}
        UNION ALL
        SELECT inboxes.address AS destination, '{HELD}' AS transport
        FROM inboxes JOIN domains ON domains.id = inboxes.domain_id
        WHERE domains.verified_at IS NOT NULL AND {_stopped("stops_receiving")}""",
    # And whoever brings it is asked to come again, so that it waits where it comes from. An alias is told so where its
    # own domain is suspended, or nobody is left behind it.
    "mta_held": f"""
        SELECT inboxes.address AS recipient, '{RECEIVING_STOPPED}' AS answer
        FROM inboxes JOIN domains ON domains.id = inboxes.domain_id
        WHERE domains.verified_at IS NOT NULL AND {_stopped("stops_receiving")}
        UNION ALL
        SELECT DISTINCT aliases.source AS recipient, '{RECEIVING_STOPPED}' AS answer
        FROM aliases JOIN domains AS own ON own.id = aliases.domain_id
        WHERE own.verified_at IS NOT NULL AND ({_stopped("stops_receiving", _NO_INBOX, "own")}
        OR NOT EXISTS (
            SELECT 1 FROM aliases AS others WHERE others.domain_id = aliases.domain_id
            AND others.source = aliases.source AND NOT EXISTS (
                SELECT 1 FROM inboxes JOIN domains ON domains.id = inboxes.domain_id
                WHERE inboxes.address = others.target AND domains.verified_at IS NOT NULL
                AND {_stopped("stops_receiving")})))""",
    # Whose a sender's domain is, for the room `sending`.
    "sending_domains": """
        SELECT domains.name AS domain, domains.verified_at, workspaces.slug AS workspace, workspaces.plan
        FROM domains JOIN workspaces ON workspaces.id = domains.workspace_id
        WHERE domains.verified_at IS NOT NULL""",
    "sending_workspaces": "SELECT id, slug AS workspace, plan FROM workspaces",
}

TERMS: Mapping[str, str] = {
    "limit_overrides": "",
    "warmups": "",
    "suspensions": "",
    "account_pauses": "",
    "suppressions": "",
    "domains": "",
    "workspaces": "plan, slug",
}
"""Tables whose change is a change of terms, and the columns that it is about; empty: all."""


def _id() -> sa.Column[int]:
    return sa.Column("id", BigInt, primary_key=True)


def _text(name: str, length: int | None = None, default: str | None = None) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), nullable=False, server_default=default)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, BigInt, nullable=False, server_default="0")


def _moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, UtcDateTime, nullable=nullable)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False)


def upgrade() -> None:
    """Create the tables; domains that are in use already are past their warm-up."""
    dialect = op.get_context().dialect.name
    op.add_column("workspaces", _text("plan", 50, "standard"))
    _create_audit_trail(dialect)
    _create_terms()
    _create_habits()
    op.execute(sa.text("INSERT INTO sending_terms (id, generation) VALUES (1, 1)"))
    op.execute(
        sa.text(
            "INSERT INTO warmups (domain, state, day, held, reason, paused, since)"
            f" SELECT name, 'graduated', 0, '', 'in use before warm-up was', {FALSE[dialect]}, verified_at"
            " FROM domains WHERE verified_at IS NOT NULL"
        )
    )
    for name in ("dovecot_passwords", "mta_transports"):
        op.execute(sa.text(f"DROP VIEW {name}"))
    _create_views(VIEWS, dialect)
    _create_triggers(dialect)


def _create_audit_trail(dialect: str) -> None:
    op.create_table(
        "audit_entries",
        _id(),
        _moment("at"),
        _text("actor", 320),
        _text("source", 200),
        _text("action", 100),
        _text("object", 400),
        _text("workspace", 200),
        _text("reason", 1000),
        _text("outcome", 100),
        sa.Column("details", sa.JSON, nullable=False),
        sa.Index("ix_audit_entries_at", "at"),
        sa.Index("ix_audit_entries_object", "object"),
        sa.Index("ix_audit_entries_workspace", "workspace"),
    )
    if dialect == "sqlite":
        for change in ("UPDATE", "DELETE"):
            op.execute(
                sa.text(
                    f"CREATE TRIGGER audit_entries_no_{change.lower()} BEFORE {change} ON audit_entries"
                    " BEGIN SELECT RAISE(ABORT, 'the audit trail is only added to'); END"
                )
            )
    else:
        op.execute(
            sa.text(
                "CREATE FUNCTION audit_entries_only_added_to() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN RAISE EXCEPTION 'the audit trail is only added to'; END $$"
            )
        )
        op.execute(
            sa.text(
                "CREATE TRIGGER audit_entries_only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries"
                " FOR EACH STATEMENT EXECUTE FUNCTION audit_entries_only_added_to()"
            )
        )


def _create_terms() -> None:
    op.create_table("sending_terms", sa.Column("id", sa.Integer, primary_key=True), _count("generation"))
    op.create_table(
        "limit_overrides",
        _id(),
        _text("scope", 20),
        _text("subject", 320),
        _text("measure", 60),
        _count("maximum"),
        _text("reason", 1000),
        _moment("expires_at", nullable=True),
        _text("set_by", 320),
        _moment("set_at"),
        sa.UniqueConstraint("scope", "subject", "measure"),
    )
    op.create_table(
        "warmups",
        sa.Column("domain", sa.String(253), primary_key=True),
        _text("state", 20),
        sa.Column("day", sa.Integer, nullable=False),
        sa.Column("judged", sa.Date, nullable=True),
        _text("held", 40),
        _text("reason", 1000),
        _moment("held_since", nullable=True),
        _flag("paused"),
        sa.Column("cap", BigInt, nullable=True),
        _moment("since"),
    )
    op.create_table(
        "sending_days",
        sa.Column("domain", sa.String(253), primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        *(
            _count(name)
            for name in (
                "sent",
                "accepted",
                "hard_bounces",
                "complaints",
                "reputation_deferrals",
                "blocklist_hits",
            )
        ),
    )
    op.create_table(
        "suppressions",
        _id(),
        sa.Column("workspace_id", BigInt, sa.ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
        _text("address", 320),
        _text("reason", 200),
        _text("source", 20),
        _moment("since"),
        sa.UniqueConstraint("workspace_id", "address"),
    )
    op.create_table(
        "suspensions",
        _id(),
        _text("scope", 20),
        _text("subject", 320),
        _flag("stops_sending"),
        _flag("stops_receiving"),
        _flag("stops_login"),
        _text("reason", 1000),
        _text("set_by", 320),
        _moment("since"),
        _moment("lifted_at", nullable=True),
        _text("lifted_by", 320, ""),
        sa.Index(
            "ix_suspensions_open",
            "scope",
            "subject",
            sqlite_where=sa.text("lifted_at IS NULL"),
            postgresql_where=sa.text("lifted_at IS NULL"),
        ),
    )
    op.create_table(
        "account_pauses",
        _id(),
        _text("account", 320),
        _text("kind", 40),
        _text("reason", 1000),
        _moment("since"),
        _moment("confirmed_at", nullable=True),
        _text("confirmed_by", 320, ""),
        sa.Index("ix_account_pauses_account", "account"),
    )


def _create_habits() -> None:
    op.create_table(
        "account_habits",
        sa.Column("account", sa.String(320), primary_key=True),
        sa.Column("learnt", sa.Integer, nullable=False),
        sa.Column("hours", sa.JSON, nullable=False),
        sa.Column("known", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "account_networks",
        sa.Column("account", sa.String(320), primary_key=True),
        sa.Column("network", sa.String(50), primary_key=True),
        _count("slot"),
        sa.Index("ix_account_networks_slot", "slot"),
    )


def _create_views(views: Mapping[str, str], dialect: str) -> None:
    for name, query in views.items():
        op.execute(sa.text(f"CREATE VIEW {name} AS {query.replace('{now}', NOW[dialect])}".replace(":", "\\:")))


def _create_triggers(dialect: str) -> None:
    """Raise the generation with every change of terms, in its own transaction, whoever makes it."""
    if dialect == "sqlite":
        for table, columns in TERMS.items():
            for change in ("INSERT", "UPDATE", "DELETE"):
                of = f" OF {columns}" if columns and change == "UPDATE" else ""
                op.execute(
                    sa.text(
                        f"CREATE TRIGGER {table}_terms_{change.lower()} AFTER {change}{of} ON {table}"
                        " BEGIN UPDATE sending_terms SET generation = generation + 1; END"
                    )
                )
        return
    op.execute(
        sa.text(
            "CREATE FUNCTION raise_sending_terms() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " UPDATE sending_terms SET generation = generation + 1; NOTIFY sending_terms; RETURN NULL; END $$"
        )
    )
    for table, columns in TERMS.items():
        of = f" OF {columns}" if columns else ""
        op.execute(
            sa.text(
                f"CREATE TRIGGER {table}_terms AFTER INSERT OR UPDATE{of} OR DELETE ON {table}"
                " FOR EACH STATEMENT EXECUTE FUNCTION raise_sending_terms()"
            )
        )


def downgrade() -> None:
    """Drop them: everybody has the limits of the configuration again, and nobody is suspended."""
    dialect = op.get_context().dialect.name
    _drop_triggers(dialect, TERMS)
    for name in VIEWS:
        op.execute(sa.text(f"DROP VIEW {name}"))
    _create_views({"dovecot_passwords": OLD_PASSWORDS, "mta_transports": OLD_TRANSPORTS}, dialect)
    for table in (
        "account_networks",
        "account_habits",
        "account_pauses",
        "suspensions",
        "suppressions",
        "sending_days",
        "warmups",
        "limit_overrides",
        "sending_terms",
        "audit_entries",
    ):
        op.drop_table(table)
    if dialect == "postgresql":
        op.execute(sa.text("DROP FUNCTION audit_entries_only_added_to()"))
        op.execute(sa.text("DROP FUNCTION raise_sending_terms()"))
    op.drop_column("workspaces", "plan")


def _drop_triggers(dialect: str, tables: Mapping[str, str] | Sequence[str]) -> None:
    for table in tables:
        if dialect == "sqlite":
            for change in ("insert", "update", "delete"):
                op.execute(sa.text(f"DROP TRIGGER {table}_terms_{change}"))
        else:
            op.execute(sa.text(f"DROP TRIGGER {table}_terms ON {table}"))
