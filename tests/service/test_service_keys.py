"""The service's own key is made once, kept sealed, and told to the operator."""

from datetime import timedelta

from sqlalchemy import select

from smailor.domains.models import ServiceKey
from smailor.domains.records import ServiceNames
from smailor.domains.service_keys import service_key, service_records
from smailor.domains.signing_keys import signing_key

NAMES = ServiceNames("mx.smailor.test", "_spf.smailor.test", "postmaster@smailor.test")


def records(house):
    found = service_records(
        house.database, domain="smailor.test", srs_domain="srs.smailor.test", service_names=NAMES,
        sealer=house.sealer, now=house.now,
    )  # fmt: skip
    return {(record.kind, record.name): record.value for record in found}


def test_the_key_is_made_when_first_asked_for_and_stays(house):
    first = service_key(house.database, domain="smailor.test", sealer=house.sealer, now=house.now)
    later = service_key(house.database, domain="Smailor.test", sealer=house.sealer, now=house.now + timedelta(days=9))
    assert first == later
    assert first.domain == "smailor.test"
    assert first.private_key_pem.startswith("-----BEGIN PRIVATE KEY-----")
    with house.database.reading() as session:
        (row,) = session.scalars(select(ServiceKey))
    assert "PRIVATE" not in row.private_key_sealed


def test_a_tenants_domain_has_its_own_key(house):
    house.workspace("house", "smailor.test")
    own = signing_key(house.database, domain="smailor.test", sealer=house.sealer)
    assert service_key(house.database, domain="smailor.test", sealer=house.sealer, now=house.now) == own
    assert not any("_domainkey" in name for _, name in records(house))


def test_a_claim_alone_gives_no_key(house):
    """Whoever enters the service's domain as his own does not get to seal for it."""
    house.workspace("mallory")
    claimed = house.claim("mallory", "smailor.test")
    key = service_key(house.database, domain="smailor.test", sealer=house.sealer, now=house.now)
    assert key.selector not in claimed.selectors


def test_the_operator_is_told_what_to_publish(house):
    key = service_key(house.database, domain="smailor.test", sealer=house.sealer, now=house.now)
    found = records(house)
    assert found["MX", "srs.smailor.test"] == "10 mx.smailor.test"
    assert found["TXT", "srs.smailor.test"] == "v=spf1 include:_spf.smailor.test -all"
    assert found["TXT", f"{key.selector}._domainkey.smailor.test"].startswith("v=DKIM1; k=rsa; p=")
