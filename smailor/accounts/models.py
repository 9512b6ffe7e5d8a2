"""Tables of people, workspaces, sessions and app passwords. Entered by other rooms through the services only."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from smailor.database.base import (
    Base,
    BigInt,
    UtcDateTime,
    address_text,
    bigint,
    domain_text,
    intpk,
    moment,
    name_text,
    token_digest,
)


class User(Base):
    """A person who logs in to the web interface."""

    __tablename__ = "users"

    id: Mapped[intpk]
    email: Mapped[address_text] = mapped_column(unique=True)
    name: Mapped[name_text]
    password_hash: Mapped[str]
    """bcrypt; empty: no password, somebody else says who this is."""
    operator: Mapped[bool]
    language: Mapped[str] = mapped_column(String(10), server_default="")
    """`en`, `de`; empty: what the browser asks for."""
    email_verified_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When its owner showed that the address is theirs; None: nothing opens until then."""
    created_at: Mapped[moment]


class Workspace(Base):
    """A tenant: a company with its domains, inboxes and members.

    `sender_privacy`: what its people send does not say from which network and computer.
    """

    __tablename__ = "workspaces"

    id: Mapped[intpk]
    slug: Mapped[name_text] = mapped_column(unique=True)
    name: Mapped[name_text]
    plan: Mapped[str] = mapped_column(String(50), server_default="standard")
    """What it may do and how much of it: a name in the configuration's `plans`."""
    sender_privacy: Mapped[bool]
    created_at: Mapped[moment]
    deletion_asked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    delete_after: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    """The end of its grace period; None: it stays."""


class Member(Base):
    """A person's place in a workspace."""

    __tablename__ = "members"
    __table_args__ = (UniqueConstraint("workspace_id", "user_id"),)

    id: Mapped[intpk]
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    role: Mapped[name_text]
    created_at: Mapped[moment]

    user: Mapped[User] = relationship()
    workspace: Mapped[Workspace] = relationship()


class DomainAdmin(Base):
    """A member who manages one domain of the workspace, whatever their role. Domains live in a room above: a name."""

    __tablename__ = "domain_admins"

    member_id: Mapped[int] = mapped_column(ForeignKey("members.id", ondelete="CASCADE"), primary_key=True)
    domain: Mapped[domain_text] = mapped_column(primary_key=True)


class Invitation(Base):
    """An offer to become a member, made to an address, known by the digest of its token only."""

    __tablename__ = "invitations"

    id: Mapped[intpk]
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), index=True)
    email: Mapped[address_text]
    role: Mapped[name_text]
    domains: Mapped[list[str]] = mapped_column(JSON)
    token_sha256: Mapped[token_digest] = mapped_column(unique=True)
    invited_by: Mapped[address_text]
    created_at: Mapped[moment]
    expires_at: Mapped[moment]
    accepted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class WebSession(Base):
    """A log-in to the web interface, known by the digest of its token only."""

    __tablename__ = "web_sessions"

    id: Mapped[intpk]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token_sha256: Mapped[token_digest] = mapped_column(unique=True)
    created_at: Mapped[moment]
    expires_at: Mapped[moment]
    """The absolute end, however much it is used."""
    last_used_at: Mapped[moment]
    authenticated_at: Mapped[moment]
    """When its owner last showed who they are: sensitive actions ask how long ago that was."""
    settings_used_at: Mapped[moment]
    operator_used_at: Mapped[moment]
    """When a page of these areas was last opened, each with an idle limit of its own (session_rules)."""
    method: Mapped[str] = mapped_column(String(40))
    """`password`, `passkey`, `oidc:NAME`; with a second factor `password+totp`."""
    source: Mapped[name_text]
    """The client's IP address at the last use."""
    device: Mapped[name_text]
    """Browser and system in words, such as `Firefox on Linux`."""

    user: Mapped[User] = relationship()


class OneTimeToken(Base):
    """A link sent by mail that works once: `sign-up`, `reset-password`, `change-address`; known by its digest only."""

    __tablename__ = "one_time_tokens"

    id: Mapped[intpk]
    purpose: Mapped[str] = mapped_column(String(40))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token_sha256: Mapped[token_digest] = mapped_column(unique=True)
    values: Mapped[dict[str, Any]] = mapped_column(JSON)
    """What is done when it is used: the workspace to make, the new address."""
    created_at: Mapped[moment]
    expires_at: Mapped[moment]
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class PendingLogin(Base):
    """A log-in that is half-way: with a provider, before the second factor, with a passkey's challenge.

    It works once and in one browser, which holds the token; `values` has what must come back (state, nonce, challenge).
    `attempts`: how often something was tried that did not open it.
    """

    __tablename__ = "pending_logins"

    id: Mapped[intpk]
    purpose: Mapped[str] = mapped_column(String(40))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    token_sha256: Mapped[token_digest] = mapped_column(unique=True)
    values: Mapped[dict[str, Any]] = mapped_column(JSON)
    attempts: Mapped[int]
    created_at: Mapped[moment]
    expires_at: Mapped[moment] = mapped_column(UtcDateTime, index=True)


class ExternalIdentity(Base):
    """A person at a provider of log-ins, linked to one of ours by their own will."""

    __tablename__ = "external_identities"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    id: Mapped[intpk]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    provider: Mapped[str] = mapped_column(String(40))
    issuer: Mapped[str] = mapped_column(String(500))
    subject: Mapped[str] = mapped_column(String(255))
    email: Mapped[address_text]
    created_at: Mapped[moment]
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class TotpDevice(Base):
    """A person's authenticator app (RFC 6238). The secret is sealed; no time step is taken twice.

    `failures` since `failures_since`: wrong codes, from wherever they came.
    """

    __tablename__ = "totp_devices"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    sealed_secret: Mapped[str] = mapped_column(Text)
    last_step: Mapped[bigint]
    failures: Mapped[int]
    failures_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[moment]
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class RecoveryCode(Base):
    """A code that replaces the second factor once."""

    __tablename__ = "recovery_codes"

    id: Mapped[intpk]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token_sha256: Mapped[token_digest]
    created_at: Mapped[moment]
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Passkey(Base):
    """A WebAuthn credential."""

    __tablename__ = "passkeys"

    id: Mapped[intpk]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    credential_id: Mapped[bytes] = mapped_column(LargeBinary(1023), unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[bigint]
    transports: Mapped[list[str]] = mapped_column(JSON)
    label: Mapped[name_text]
    backed_up: Mapped[bool]
    created_at: Mapped[moment]
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Notice(Base):
    """A letter of the service that waits to be sent. Its text is sealed: it may hold a link that opens an account."""

    __tablename__ = "notices"

    id: Mapped[intpk]
    recipient: Mapped[address_text]
    sealed_message: Mapped[str] = mapped_column(Text)
    created_at: Mapped[moment]
    next_try_at: Mapped[moment] = mapped_column(UtcDateTime, index=True)
    attempts: Mapped[int]
    expires_at: Mapped[moment]


class AppPassword(Base):
    """A secret that opens one inbox: a mail client's app password, or the web's token of a minute.

    `login` is the inbox's address, kept as text: inboxes live in a room above this one.
    """

    __tablename__ = "app_passwords"
    __table_args__ = (Index("ix_app_passwords_login_token", "login", "token_sha256"),)

    id: Mapped[intpk]
    login: Mapped[address_text]
    label: Mapped[name_text]
    service: Mapped[name_text]
    web: Mapped[bool]
    token_sha256: Mapped[token_digest]
    created_at: Mapped[moment]
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class LoginAttempt(Base):
    """A failed log-in, counted for a while against its source and its pair of address and source.

    Both are kept as digests: the table says how often, not who was tried from where.
    """

    __tablename__ = "login_attempts"
    __table_args__ = (Index("ix_login_attempts_key_failed_at", "key", "failed_at"),)

    id: Mapped[intpk]
    key: Mapped[token_digest]
    failed_at: Mapped[moment] = mapped_column(index=True)


class AuditEntry(Base):
    """Who did what to which object, from where, when, why, and how it ended. Only ever added to: triggers see to it."""

    __tablename__ = "audit_entries"
    __table_args__ = (
        Index("ix_audit_entries_at", "at"),
        Index("ix_audit_entries_actor", "actor", "at"),
        Index("ix_audit_entries_object", "object", "at"),
        Index("ix_audit_entries_workspace", "workspace", "at"),
        Index("ix_audit_entries_workspace_actor", "workspace", "actor", "at"),
        Index("ix_audit_entries_workspace_action", "workspace", "action", "at"),
        Index("ix_audit_entries_workspace_object", "workspace", "object", "at"),
    )

    sequence: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    """Its place in the chain: 1, 2, 3, and none is left out."""
    at: Mapped[moment]
    actor: Mapped[address_text]
    source: Mapped[name_text]
    action: Mapped[str] = mapped_column(String(100))
    object: Mapped[str] = mapped_column(String(400))
    workspace: Mapped[name_text]
    reason: Mapped[str] = mapped_column(String(1000))
    outcome: Mapped[str] = mapped_column(String(100))
    details: Mapped[dict[str, Any]] = mapped_column(JSON)
    previous_hash: Mapped[token_digest]
    hash: Mapped[token_digest]
    """See `audit_chain`."""
