"""Tables of what was sent: the counts behind the limits, and the answers given a moment ago."""

from sqlalchemy import JSON, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from smailor.database.base import Base, moment


class SendingUsage(Base):
    """All that is counted for one key; the row is also the lock that everybody takes who charges that key."""

    __tablename__ = "sending_usage"

    key: Mapped[str] = mapped_column(String(330), primary_key=True)
    """What is counted: `account:ada@example.com`."""
    counts: Mapped[dict[str, list[int]]] = mapped_column(JSON)
    """As `smailor.sending.ledger` says."""


class SendingAnswer(Base):
    """The answer to a complete message, kept for the few minutes in which Postfix may ask again."""

    __tablename__ = "sending_answers"
    __table_args__ = (Index("ix_sending_answers_decided_at", "decided_at"),)

    key: Mapped[str] = mapped_column(String(330), primary_key=True)
    """The account's key; its row in `sending_usage` is locked while an answer is looked up and written."""
    instance: Mapped[str] = mapped_column(String(128), primary_key=True)
    decided_at: Mapped[moment]
    kind: Mapped[str] = mapped_column(String(40))
    code: Mapped[int]
    enhanced_code: Mapped[str] = mapped_column(String(12))
    text: Mapped[str] = mapped_column(String(1000))
