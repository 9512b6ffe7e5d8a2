"""Tables of what was sent: the counts behind the limits. Read and written by `smailor.sending.store`, in plain SQL."""

from sqlalchemy import LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from smailor.database.base import Base


class SendingCounts(Base):
    """All that is counted on one key; the row is also the lock that everybody takes who charges that key."""

    __tablename__ = "sending_counts"

    key: Mapped[str] = mapped_column(String(330), primary_key=True)
    """What is counted: `account:ada@example.com`."""
    day: Mapped[int] = mapped_column(index=True)
    """Number of the day, UTC, on which it was last charged: what is old is deleted."""
    counts: Mapped[bytes] = mapped_column(LargeBinary)
    """As `smailor.sending.tally` packs them."""


class SendingRecipient(Base):
    """A recipient that an account has written to on one day."""

    __tablename__ = "sending_recipients"

    account: Mapped[str] = mapped_column(String(330), primary_key=True)
    day: Mapped[int] = mapped_column(primary_key=True, index=True)
    """Number of the day, UTC."""
    digest: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    """Of the address; who was written to is nobody's business here, only how many there were."""
