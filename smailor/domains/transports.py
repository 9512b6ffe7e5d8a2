"""Use cases around transports: the operator's exceptions to "look up the MX, take TLS where it is offered"."""

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select

from smailor import clock
from smailor.accounts import audit
from smailor.accounts.audit import SERVICE, Actor
from smailor.address import DomainName
from smailor.database.engine import Database
from smailor.domains.models import Transport
from smailor.errors import InvalidInput, NotFound

TLS_REQUIRED = "smtp-tls:"
"""Postfix's service that delivers by MX over TLS or not at all (`roles/postfix`, master.cf)."""
_RELAY = re.compile(r"[A-Za-z0-9.-]+:\d{1,5}\Z")


@dataclass(frozen=True, slots=True)
class TransportView:
    """How mail for one destination domain leaves, in Postfix's words (transport(5))."""

    destination: str
    transport: str


def set_transport(
    database: Database, *, destination: str, relay: str | None = None, actor: Actor = SERVICE, now: datetime
) -> TransportView:
    """Require TLS for a destination, or hand its mail to a relay over TLS.

    Args:
        database: where to.
        destination: the recipients' domain.
        relay: `host:port`; None: the domain's own MX.
        actor: who.
        now: the present moment.

    Raises:
        InvalidInput: destination or relay cannot be used.
    """
    name = DomainName.parse(destination).name
    if relay is not None and not _RELAY.match(relay):
        raise InvalidInput("relay", "expected host:port, such as relay.example.com:587")
    host, _, port = (relay or "").rpartition(":")
    transport = f"{TLS_REQUIRED}[{host}]:{port}" if relay else TLS_REQUIRED
    with database.transaction() as session:
        row = session.scalar(select(Transport).where(Transport.destination == name))
        if row is None:
            row = Transport(destination=name, transport=transport, created_at=now)
            session.add(row)
        row.transport = transport
        details = {"transport": transport}
        audit.record_in(session, actor, action="transport.set", on=f"domain:{name}", details=details, now=now)
    return TransportView(name, transport)


def list_transports(database: Database) -> tuple[TransportView, ...]:
    """Return all transports, by destination."""
    with database.reading() as session:
        rows = session.scalars(select(Transport).order_by(Transport.destination))
        return tuple(TransportView(row.destination, row.transport) for row in rows)


def remove_transport(
    database: Database, *, destination: str, actor: Actor = SERVICE, now: datetime | None = None
) -> None:
    """Let a destination's mail take the usual way again.

    Args:
        database: where to.
        destination: the recipients' domain.
        actor: who.
        now: the present moment; None: by the clock.

    Raises:
        NotFound: it has no transport of its own.
    """
    name = DomainName.parse(destination).name
    query = delete(Transport).where(Transport.destination == name).returning(Transport.id)
    with database.transaction() as session:
        if session.scalar(query) is None:
            raise NotFound(f"{name} has no transport of its own")
        on = f"domain:{name}"
        audit.record_in(session, actor, action="transport.remove", on=on, now=now or clock.now())
