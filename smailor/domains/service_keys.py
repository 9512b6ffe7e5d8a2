"""The key of the service's own domain: it seals the ARC chains of mail that we forward (RFC 8617).

Where the service's domain belongs to a tenant of the house and is verified, that tenant's key is used; otherwise a key
of its own is made when it is first asked for. The operator publishes it: `service_records` says what.
"""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from smailor.address import DomainName
from smailor.database.engine import Database
from smailor.domains.dkim_keys import Algorithm, generate_key_pair, key_record, selector_for
from smailor.domains.models import ServiceKey
from smailor.domains.records import MX_PREFERENCE, ServiceNames, WantedRecord
from smailor.domains.signing_keys import SigningKey, signing_key
from smailor.sealing import Sealer


def service_key(database: Database, *, domain: str, sealer: Sealer, now: datetime) -> SigningKey:
    """Return the key that signs for the service itself.

    Args:
        database: where it is kept.
        domain: the service's own domain.
        sealer: seals a new key, unseals an old one.
        now: the present moment.

    Raises:
        TemporaryFailure: the database does not answer, or the key cannot be unsealed.
    """
    name = DomainName.parse(domain).name
    found = signing_key(database, domain=name, sealer=sealer)
    if found is not None:
        return found
    with database.reading() as session:
        row = _newest(session, name)
    if row is None:
        row = _make(database, name, sealer, now)
    return SigningKey(name, row.selector, Algorithm.RSA, sealer.unseal(row.private_key_sealed))


def service_records(
    database: Database, *, domain: str, srs_domain: str, service_names: ServiceNames, sealer: Sealer, now: datetime
) -> tuple[WantedRecord, ...]:
    """Return the DNS records that forwarding wants of the operator, making the key if there is none.

    Args:
        database: where the key is kept.
        domain: the service's own domain.
        srs_domain: domain of the envelope senders of forwarded mail.
        service_names: the service's names.
        sealer: seals a new key.
        now: the present moment.

    Raises:
        TemporaryFailure: the database does not answer.
    """
    service_key(database, domain=domain, sealer=sealer, now=now)
    name = DomainName.parse(domain).name
    with database.reading() as session:
        row = _newest(session, name)
    spf = f"v=spf1 include:{service_names.spf_include} -all" if service_names.spf_include else "v=spf1 mx -all"
    records = [
        WantedRecord(
            "MX",
            srs_domain,
            f"{MX_PREFERENCE} {service_names.hostname}",
            "Brings the bounces of forwarded mail here.",
            required=True,
        ),
        WantedRecord("TXT", srs_domain, spf, "SPF of forwarded mail.", required=True),
    ]
    if row is not None:  # a tenant's key is among that tenant's records
        value = key_record(row.public_key)
        purpose = "The key that seals forwarded mail (ARC)."
        records.append(WantedRecord("TXT", f"{row.selector}._domainkey.{name}", value, purpose, required=True))
    return tuple(records)


def _newest(session: Session, domain: str) -> ServiceKey | None:
    query = select(ServiceKey).where(ServiceKey.domain == domain).order_by(ServiceKey.id.desc()).limit(1)
    return session.scalar(query)


def _make(database: Database, domain: str, sealer: Sealer, now: datetime) -> ServiceKey:
    """Make the key; of two processes that do so at the same time the second takes the first one's."""
    keys = generate_key_pair()
    row = ServiceKey(
        domain=domain,
        # A tenant's key of the same domain and day would have the plain name.
        selector=f"{selector_for(now)}-service",
        private_key_sealed=sealer.seal(keys.private_key_pem),
        public_key=keys.public_key,
        created_at=now,
    )
    try:
        with database.transaction() as session:
            known = _newest(session, domain)
            if known is not None:
                return known
            session.add(row)
            session.flush()
    except IntegrityError:
        with database.reading() as session:
            known = _newest(session, domain)
        if known is None:
            raise
        return known
    return row
