"""The declarative base and the column types that all rooms share. No queries here."""

from datetime import UTC, datetime
from typing import Annotated

from sqlalchemy import BigInteger, DateTime, Dialect, Integer, MetaData, String, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, mapped_column

NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Base of every table; names constraints, so that migrations can address them on both engines."""

    metadata = MetaData(naming_convention=NAMING)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC: aware in Python, `timestamptz` in PostgreSQL, ISO text in SQLite (which sorts and compares)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times; give SQLite the UTC wall clock, which it keeps without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment as aware UTC."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


BigInt = BigInteger().with_variant(Integer(), "sqlite")

intpk = Annotated[int, mapped_column(BigInt, primary_key=True)]
bigint = Annotated[int, mapped_column(BigInt)]
moment = Annotated[datetime, mapped_column(UtcDateTime)]
"""A moment that is always known."""
name_text = Annotated[str, mapped_column(String(200))]
"""A name that people see."""
address_text = Annotated[str, mapped_column(String(320))]
"""An address in normal form (RFC 5321: 64 + 1 + 255 octets)."""
domain_text = Annotated[str, mapped_column(String(253))]
"""A domain name in normal form."""
token_digest = Annotated[str, mapped_column(String(64))]
"""Lower-case hexadecimal SHA-256 of a secret with at least 128 random bits."""
