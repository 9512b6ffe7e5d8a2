"""Tables of API keys, of what an operator does in another's name, and of whose inbox was opened. For this room only."""

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from smailor.accounts.models import User, Workspace
from smailor.database.base import (
    Base,
    BigInt,
    UtcDateTime,
    address_text,
    bigint,
    intpk,
    moment,
    name_text,
    token_digest,
)


class ApiKey(Base):
    """A program's key to one workspace, known by the digest of its secret only."""

    __tablename__ = "api_keys"

    id: Mapped[intpk]
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    """Who made it: it never may more than they may now."""
    label: Mapped[name_text]
    hint: Mapped[str] = mapped_column(String(20))
    """The beginning of the secret, by which people tell their keys apart."""
    token_sha256: Mapped[token_digest] = mapped_column(unique=True)
    scopes: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[moment]
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_source: Mapped[name_text]
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    user: Mapped[User] = relationship()
    workspace: Mapped[Workspace] = relationship()


class ApiUse(Base):
    """How often a key was used in the window of time that runs; one row a key, for all hosts."""

    __tablename__ = "api_uses"

    key_id: Mapped[int] = mapped_column(ForeignKey("api_keys.id", ondelete="CASCADE"), primary_key=True)
    window: Mapped[bigint]
    used: Mapped[bigint]


class ApiCall(Base):
    """A request that must not be carried out twice, and what it was answered; kept for a day."""

    __tablename__ = "api_calls"

    key_id: Mapped[int] = mapped_column(ForeignKey("api_keys.id", ondelete="CASCADE"), primary_key=True)
    idempotency_key: Mapped[str] = mapped_column(String(255), primary_key=True)
    request_sha256: Mapped[token_digest]
    started_at: Mapped[moment] = mapped_column(UtcDateTime, index=True)
    status: Mapped[int | None]
    """None: it is being carried out."""
    headers: Mapped[dict[str, str]] = mapped_column(JSON)
    body: Mapped[str] = mapped_column(Text)


class Impersonation(Base):
    """An operator's session that acts as another person for a while."""

    __tablename__ = "impersonations"
    __table_args__ = (Index("ix_impersonations_session_id", "session_id"),)

    id: Mapped[intpk]
    session_id: Mapped[int] = mapped_column(ForeignKey("web_sessions.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    operator: Mapped[address_text]
    reason: Mapped[str] = mapped_column(String(1000))
    started_at: Mapped[moment]
    ends_at: Mapped[moment]
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class InboxOpening(Base):
    """That a session has opened an inbox that is not its person's own: so that it is written down once."""

    __tablename__ = "inbox_openings"

    session_id: Mapped[int] = mapped_column(ForeignKey("web_sessions.id", ondelete="CASCADE"), primary_key=True)
    impersonation_id: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    """0: in their own name."""
    inbox: Mapped[address_text] = mapped_column(primary_key=True)
