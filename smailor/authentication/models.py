"""Tables of what was found about received mail, kept for the reports of DMARC (RFC 9990). Entered by services only."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from smailor.database.base import (
    Base,
    UtcDateTime,
    address_text,
    bigint,
    domain_text,
    intpk,
    moment,
    name_text,
    token_digest,
)


class DmarcCount(Base):
    """How many messages of one kind came on one day: equal ones share a row, so that volume costs no space."""

    __tablename__ = "dmarc_counts"
    __table_args__ = (UniqueConstraint("day", "policy_domain", "digest"),)

    id: Mapped[intpk]
    day: Mapped[date]
    """In UTC."""
    policy_domain: Mapped[domain_text]
    digest: Mapped[token_digest]
    """SHA-256 of `facts`."""
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    """A `ReportRow`, see report_facts.py."""
    policy: Mapped[str]
    """The policy record's text as it was last seen."""
    count: Mapped[bigint]
    seen_at: Mapped[moment]


class DmarcReport(Base):
    """A report that was sent, is being sent or need not be: nobody gets one twice.

    The row without recipient says that nothing is left to do for that day and policy.
    """

    __tablename__ = "dmarc_reports"
    __table_args__ = (UniqueConstraint("day", "policy_domain", "recipient"),)

    id: Mapped[intpk]
    day: Mapped[date]
    policy_domain: Mapped[domain_text]
    recipient: Mapped[address_text]
    report_id: Mapped[name_text]
    claimed_at: Mapped[moment]
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    outcome: Mapped[str] = mapped_column(String(20))
