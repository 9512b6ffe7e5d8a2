"""Tables behind the terms on which mail may leave. Entered by other rooms through the services only.

Each change of these tables raises `sending_terms.generation` in the same transaction, by triggers of the database
(migration 0008), so that no daemon ever decides by terms that are a second old, whoever changed them.
"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from smailor.database.base import Base, BigInt, UtcDateTime, address_text, bigint, domain_text, intpk, moment


class SendingTerms(Base):
    """One row: a number that is raised by each change of terms."""

    __tablename__ = "sending_terms"

    id: Mapped[int] = mapped_column(primary_key=True)
    generation: Mapped[bigint] = mapped_column(server_default="0")


class LimitOverride(Base):
    """A limit that the operator set for one account, domain or workspace in place of its plan's."""

    __tablename__ = "limit_overrides"
    __table_args__ = (UniqueConstraint("scope", "subject", "measure"),)

    id: Mapped[intpk]
    scope: Mapped[str] = mapped_column(String(20))
    subject: Mapped[address_text]
    measure: Mapped[str] = mapped_column(String(60))
    maximum: Mapped[bigint] = mapped_column(server_default="0")
    reason: Mapped[str] = mapped_column(String(1000))
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    set_by: Mapped[address_text]
    set_at: Mapped[moment]


class DomainWarmup(Base):
    """How far a domain's warm-up has come; a verified domain without a row is at its very beginning."""

    __tablename__ = "warmups"

    domain: Mapped[domain_text] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(String(20))
    day: Mapped[int]
    judged: Mapped[date | None]
    """The last day whose record has been judged."""
    held: Mapped[str] = mapped_column(String(40))
    """Why the last judged day did not count; empty: it did."""
    reason: Mapped[str] = mapped_column(String(1000))
    """The operator's words on a pause or a cap."""
    held_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    paused: Mapped[bool]
    cap: Mapped[int | None] = mapped_column(BigInt)
    """Set by the operator in place of the schedule's."""
    since: Mapped[moment]


class SendingDay(Base):
    """What became of a domain's messages on one day, UTC. The room `deliveries` fills all but `sent`."""

    __tablename__ = "sending_days"

    domain: Mapped[domain_text] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    sent: Mapped[bigint] = mapped_column(server_default="0")
    accepted: Mapped[bigint] = mapped_column(server_default="0")
    hard_bounces: Mapped[bigint] = mapped_column(server_default="0")
    complaints: Mapped[bigint] = mapped_column(server_default="0")
    reputation_deferrals: Mapped[bigint] = mapped_column(server_default="0")
    blocklist_hits: Mapped[bigint] = mapped_column(server_default="0")


class Suppression(Base):
    """An address that a workspace does not write to any more."""

    __tablename__ = "suppressions"
    __table_args__ = (UniqueConstraint("workspace_id", "address"),)

    id: Mapped[intpk]
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    address: Mapped[address_text]
    reason: Mapped[str] = mapped_column(String(200))
    source: Mapped[str] = mapped_column(String(20))
    since: Mapped[moment]


class Suspension(Base):
    """Something that an account, a domain or a whole workspace may not do until it is lifted."""

    __tablename__ = "suspensions"
    __table_args__ = (
        Index(
            "ix_suspensions_open",
            "scope",
            "subject",
            sqlite_where=text("lifted_at IS NULL"),
            postgresql_where=text("lifted_at IS NULL"),
        ),
    )

    id: Mapped[intpk]
    scope: Mapped[str] = mapped_column(String(20))
    subject: Mapped[address_text]
    stops_sending: Mapped[bool]
    stops_receiving: Mapped[bool]
    stops_login: Mapped[bool]
    reason: Mapped[str] = mapped_column(String(1000))
    set_by: Mapped[address_text]
    since: Mapped[moment]
    lifted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lifted_by: Mapped[address_text] = mapped_column(server_default="")


class AccountPause(Base):
    """An account whose sending looked unlike itself, and waits for somebody to say that it is meant."""

    __tablename__ = "account_pauses"
    __table_args__ = (Index("ix_account_pauses_account", "account"),)

    id: Mapped[intpk]
    account: Mapped[address_text]
    kind: Mapped[str] = mapped_column(String(40))
    reason: Mapped[str] = mapped_column(String(1000))
    since: Mapped[moment]
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    confirmed_by: Mapped[address_text] = mapped_column(server_default="")


class AccountHabits(Base):
    """What is usual for an account: its busiest hours of the last weeks, and whom it has written to."""

    __tablename__ = "account_habits"

    account: Mapped[address_text] = mapped_column(primary_key=True)
    learnt: Mapped[int]
    """Number of the day up to which its recipients are in `known`."""
    hours: Mapped[list[Any]] = mapped_column(JSON)
    """[number of the day, recipients in its busiest hour], oldest first."""
    known: Mapped[bytes] = mapped_column(LargeBinary)
    """As `smailor.sending.habits` says."""


class AccountNetwork(Base):
    """A network that an account has sent from lately."""

    __tablename__ = "account_networks"
    __table_args__ = (Index("ix_account_networks_slot", "slot"),)

    account: Mapped[address_text] = mapped_column(primary_key=True)
    network: Mapped[str] = mapped_column(String(50), primary_key=True)
    slot: Mapped[bigint] = mapped_column(server_default="0")
    """The last slot of five minutes in which it did."""
