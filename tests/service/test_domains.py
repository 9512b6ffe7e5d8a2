"""Domains and their keys on both engines."""

from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text

from smailor.dns.fake import FakeResolver
from smailor.domains import service, transports
from smailor.domains.dkim_keys import Algorithm
from smailor.domains.records import RecordState, ServiceNames
from smailor.domains.signing_keys import signing_key, signing_keys
from smailor.errors import Conflict, InvalidInput, NotFound, TemporaryFailure
from smailor.sealing import Sealer

NAMES = ServiceNames(hostname="mx.smailor.test", spf_include="_spf.smailor.test", postmaster="postmaster@smailor.test")


def test_a_domain_is_verified_by_its_own_token_only(house):
    house.workspace("acme")
    house.claim("acme", "acme.test")
    wrong = FakeResolver({("_smailor-challenge.acme.test", "TXT"): ["smailor-verify=somebody-elses"]})
    with pytest.raises(NotFound, match=r"_smailor-challenge\.acme\.test"):
        service.verify_domain(house.database, workspace="acme", name="acme.test", resolver=wrong, now=house.now)
    assert service.get_domain(house.database, workspace="acme", name="acme.test").verified_at is None
    house.verify("acme", "acme.test")
    assert service.get_domain(house.database, workspace="acme", name="acme.test").verified_at == house.now


def test_a_claim_does_not_lock_the_owner_out_and_the_verified_owner_stays(house):
    """Anybody can claim; the one whose DNS shows the token has the domain, and nobody after."""
    house.workspace("squatter")
    house.workspace("owner")
    house.claim("squatter", "acme.test")
    house.claim("owner", "acme.test")
    house.verify("owner", "acme.test")
    with pytest.raises(Conflict, match="another workspace"):
        house.verify("squatter", "acme.test")
    house.workspace("late")
    with pytest.raises(Conflict, match="another workspace"):
        house.claim("late", "acme.test")


def test_a_silent_dns_is_said_to_be_temporary(house):
    house.workspace("acme")
    house.claim("acme", "acme.test")
    silent = FakeResolver({}, failing=["_smailor-challenge.acme.test"])
    with pytest.raises(TemporaryFailure, match="did not answer"):
        service.verify_domain(house.database, workspace="acme", name="acme.test", resolver=silent, now=house.now)


def test_the_private_key_is_sealed_and_opens_with_a_rotated_key(house):
    house.workspace("acme", "acme.test")
    key = signing_key(house.database, domain="acme.test", sealer=house.sealer)
    assert key is not None
    assert "PRIVATE KEY" in key.private_key_pem
    with house.database.reading() as session:
        sealed = session.scalar(text("SELECT private_key_sealed FROM dkim_keys"))
    assert "PRIVATE KEY" not in sealed
    with pytest.raises(TemporaryFailure, match="sealing_keys"):
        signing_key(house.database, domain="acme.test", sealer=Sealer([Fernet.generate_key().decode()]))


def test_an_unverified_domain_signs_nothing(house):
    house.workspace("acme")
    house.claim("acme", "acme.test")
    assert signing_key(house.database, domain="acme.test", sealer=house.sealer) is None
    assert signing_key(house.database, domain="unknown.test", sealer=house.sealer) is None


def test_an_ed25519_key_signs_beside_rsa_and_is_asked_for_in_dns(house):
    house.workspace("acme", "acme.test")
    here = {"workspace": "acme", "name": "acme.test"}
    service.add_ed25519_key(house.database, **here, sealer=house.sealer, now=house.now)
    keys = signing_keys(house.database, domain="acme.test", sealer=house.sealer)
    assert [(key.algorithm, key.selector) for key in keys] == [
        (Algorithm.RSA, "s20261123"),
        (Algorithm.ED25519, "e20261123"),
    ]
    assert signing_key(house.database, domain="acme.test", sealer=house.sealer) == keys[0]
    (record,) = [
        record
        for record in service.wanted_records(house.database, **here, service=NAMES)
        if record.name == "e20261123._domainkey.acme.test"
    ]
    assert record.value.startswith("v=DKIM1; k=ed25519; p=")
    assert not record.required
    with pytest.raises(Conflict, match="already"):
        service.add_ed25519_key(house.database, **here, sealer=house.sealer, now=house.now)


def test_check_shows_each_wanted_record_beside_what_is_seen(house):
    house.workspace("acme", "acme.test")
    wanted = service.wanted_records(house.database, workspace="acme", name="acme.test", service=NAMES)
    answers = {(record.name, record.kind): [record.value] for record in wanted}
    answers["acme.test", "TXT"] = ["unrelated", "v=spf1 include:other.test -all"]
    del answers["_dmarc.acme.test", "TXT"]
    checks = service.check_records(
        house.database, workspace="acme", name="acme.test", service=NAMES, resolver=FakeResolver(answers)
    )
    states = {(check.record.name, check.record.kind): check.state for check in checks}
    assert states["acme.test", "MX"] is RecordState.PRESENT
    assert states["acme.test", "TXT"] is RecordState.DIFFERENT
    assert states["_dmarc.acme.test", "TXT"] is RecordState.MISSING
    assert sum(state is RecordState.PRESENT for state in states.values()) == 3


def test_another_workspaces_domain_is_not_found(house):
    house.workspace("acme", "acme.test")
    house.workspace("eve")
    with pytest.raises(NotFound):
        service.get_domain(house.database, workspace="eve", name="acme.test")
    with pytest.raises(NotFound):
        service.wanted_records(house.database, workspace="eve", name="acme.test", service=NAMES)
    assert service.list_domains(house.database, workspace="eve") == ()


@pytest.mark.parametrize("name", ["", "localhost", "a..test", "-a.test", "1.2.3.4", "x" * 64 + ".test", "a b.test"])
def test_what_is_no_domain_is_refused(house, name):
    house.workspace("acme")
    with pytest.raises(InvalidInput):
        house.claim("acme", name)


def test_transports_are_set_replaced_and_removed(house):
    transports.set_transport(house.database, destination="Bank.test", now=house.now)
    transports.set_transport(house.database, destination="bank.test", relay="relay.test:587", now=house.now)
    (view,) = transports.list_transports(house.database)
    assert (view.destination, view.transport) == ("bank.test", "smtp-tls:[relay.test]:587")
    transports.remove_transport(house.database, destination="bank.test")
    with pytest.raises(NotFound):
        transports.remove_transport(house.database, destination="bank.test")
    for relay in ("relay.test", "relay.test:", "a b:25", "x:587\nsmtp:"):
        with pytest.raises(InvalidInput):
            transports.set_transport(house.database, destination="bank.test", relay=relay, now=house.now)


def test_moments_come_back_aware_and_to_the_microsecond(house):
    house.workspace("acme")
    late = house.now + timedelta(microseconds=123456)
    service.add_domain(house.database, workspace="acme", name="acme.test", sealer=house.sealer, now=late)
    assert service.get_domain(house.database, workspace="acme", name="acme.test").created_at == late
