"""Tables of people, workspaces, sessions and app passwords. Entered by other rooms through the services only."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from smailor.database.base import Base, UtcDateTime, address_text, intpk, moment, name_text, token_digest


class User(Base):
    """A person who logs in to the web interface."""

    __tablename__ = "users"

    id: Mapped[intpk]
    email: Mapped[address_text] = mapped_column(unique=True)
    name: Mapped[name_text]
    password_hash: Mapped[str]
    operator: Mapped[bool]
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


class WebSession(Base):
    """A log-in to the web interface, known by the digest of its token only."""

    __tablename__ = "web_sessions"

    id: Mapped[intpk]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token_sha256: Mapped[token_digest] = mapped_column(unique=True)
    created_at: Mapped[moment]
    expires_at: Mapped[moment]

    user: Mapped[User] = relationship()


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
        Index("ix_audit_entries_object", "object"),
        Index("ix_audit_entries_workspace", "workspace"),
    )

    id: Mapped[intpk]
    at: Mapped[moment]
    actor: Mapped[address_text]
    source: Mapped[name_text]
    action: Mapped[str] = mapped_column(String(100))
    object: Mapped[str] = mapped_column(String(400))
    workspace: Mapped[name_text]
    reason: Mapped[str] = mapped_column(String(1000))
    outcome: Mapped[str] = mapped_column(String(100))
    details: Mapped[dict[str, Any]] = mapped_column(JSON)
