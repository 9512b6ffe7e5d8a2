"""Tables of domains, their DKIM keys and the operator's transports. Entered by other rooms through the service only."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from smailor.database.base import Base, UtcDateTime, domain_text, intpk, moment, name_text


class Domain(Base):
    """A domain that a workspace claims; `verified_at` is set once it has shown that it owns it.

    Many workspaces may claim a name, since a claim costs nothing and must not lock the owner out; one alone can be
    its verified owner.
    """

    __tablename__ = "domains"
    __table_args__ = (
        UniqueConstraint("workspace_id", "name"),
        Index(
            "uq_domains_verified_name",
            "name",
            unique=True,
            sqlite_where=text("verified_at IS NOT NULL"),
            postgresql_where=text("verified_at IS NOT NULL"),
        ),
    )

    id: Mapped[intpk]
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    name: Mapped[domain_text]
    verification_token: Mapped[name_text]
    verified_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[moment]

    dkim_keys: Mapped[list["DkimKey"]] = relationship(
        order_by="DkimKey.id", cascade="all, delete-orphan", passive_deletes=True
    )


class DkimKey(Base):
    """A key pair that signs a domain's mail; the private half is sealed (`sealing.py`)."""

    __tablename__ = "dkim_keys"
    __table_args__ = (UniqueConstraint("domain_id", "selector"),)

    id: Mapped[intpk]
    domain_id: Mapped[int] = mapped_column(ForeignKey("domains.id", ondelete="CASCADE"))
    selector: Mapped[name_text]
    algorithm: Mapped[name_text]
    private_key_sealed: Mapped[str]
    public_key: Mapped[str]
    created_at: Mapped[moment]


class Transport(Base):
    """How mail for an outside domain leaves, where the operator wants another way than its MX and best-effort TLS."""

    __tablename__ = "transports"

    id: Mapped[intpk]
    destination: Mapped[domain_text] = mapped_column(unique=True)
    transport: Mapped[name_text]
    created_at: Mapped[moment]


class ServiceKey(Base):
    """A key pair of the service's own domain, where that is no tenant's: it seals what we forward."""

    __tablename__ = "service_keys"
    __table_args__ = (UniqueConstraint("domain", "selector"),)

    id: Mapped[intpk]
    domain: Mapped[domain_text]
    selector: Mapped[name_text]
    private_key_sealed: Mapped[str]
    public_key: Mapped[str]
    created_at: Mapped[moment]
