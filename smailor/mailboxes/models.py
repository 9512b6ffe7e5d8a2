"""Tables of inboxes, their readers, aliases and sender rights. Entered by other rooms through the services only."""

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from smailor.database.base import Base, address_text, bigint, intpk, moment, name_text


class Inbox(Base):
    """A mailbox. Its address is also the login name of its mail clients.

    The address holds the domain's name once more, so that Postfix and Dovecot find it by an index; a domain's name
    never changes. It is unique among verified domains only: several workspaces may claim one name.
    """

    __tablename__ = "inboxes"
    __table_args__ = (UniqueConstraint("domain_id", "address"),)

    id: Mapped[intpk]
    domain_id: Mapped[int] = mapped_column(ForeignKey("domains.id", ondelete="CASCADE"))
    address: Mapped[address_text] = mapped_column(index=True)
    name: Mapped[name_text]
    quota_bytes: Mapped[bigint]
    created_at: Mapped[moment]


class InboxReader(Base):
    """A person who may open an inbox in the web interface and manage its app passwords."""

    __tablename__ = "inbox_readers"
    __table_args__ = (UniqueConstraint("inbox_id", "user_id"),)

    id: Mapped[intpk]
    inbox_id: Mapped[int] = mapped_column(ForeignKey("inboxes.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)


class Alias(Base):
    """A further address of a domain and one target of its mail; several rows with one source make a group.

    The source is `@domain` for the catch-all, which takes whatever has no address of its own (virtual(5)).
    """

    __tablename__ = "aliases"
    __table_args__ = (UniqueConstraint("domain_id", "source", "target"),)

    id: Mapped[intpk]
    domain_id: Mapped[int] = mapped_column(ForeignKey("domains.id", ondelete="CASCADE"))
    source: Mapped[address_text] = mapped_column(index=True)
    target: Mapped[address_text] = mapped_column(index=True)
    created_at: Mapped[moment]


class SenderRight(Base):
    """The right of an inbox to send as another inbox, or as any address of a domain, of the same workspace.

    `login` and `sender` are the addresses (`@domain` for a domain, whose `sender_id` is null), and `home_id` is the
    inbox's domain: none of them ever changes, and with them the view `mta_senders`, which Postfix asks for every
    message, needs few joins. A domain-wide right in it is repeated for each address of the domain.
    """

    __tablename__ = "sender_rights"
    __table_args__ = (UniqueConstraint("inbox_id", "sender"),)

    id: Mapped[intpk]
    inbox_id: Mapped[int] = mapped_column(ForeignKey("inboxes.id", ondelete="CASCADE"))
    home_id: Mapped[int] = mapped_column(ForeignKey("domains.id", ondelete="CASCADE"), index=True)
    sender_id: Mapped[int | None] = mapped_column(ForeignKey("inboxes.id", ondelete="CASCADE"), index=True)
    domain_id: Mapped[int] = mapped_column(ForeignKey("domains.id", ondelete="CASCADE"), index=True)
    login: Mapped[address_text] = mapped_column(index=True)
    sender: Mapped[address_text] = mapped_column(index=True)
    created_at: Mapped[moment]
