"""ARC beyond the public suite: what we seal verifies and survives the next hops, what is broken stays so."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from smailor.authentication import arc
from smailor.authentication.arc import ArcStatus, ChainVerifier, Sealer
from smailor.authentication.authentication_results import MethodResult, Property
from smailor.authentication.body_hashes import BodyHashes
from smailor.authentication.dkim import SigningIdentity, sign
from smailor.authentication.header import Header
from smailor.authentication.verify import DkimStatus, Verifier, split_message
from smailor.dns.fake import FakeResolver
from smailor.errors import InvalidInput
from tests.unit.authentication.test_verify import public

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
KEYS = {
    "one.example": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "two.example": ed25519.Ed25519PrivateKey.generate(),
    "three.example": rsa.generate_private_key(public_exponent=65537, key_size=2048),
}
MESSAGE = b"From: Ada <ada@one.example>\r\nTo: list@two.example\r\nSubject: Hello\r\n\r\nGood morning.\r\n"


def zone(**changes) -> FakeResolver:
    records = {}
    for domain, key in KEYS.items():
        kind = "ed25519" if isinstance(key, ed25519.Ed25519PrivateKey) else "rsa"
        records[f"s._domainkey.{domain}", "TXT"] = [f"v=DKIM1; k={kind}; p={public(key)}"]
    return FakeResolver(records, **changes)


def findings(found: str = "") -> list[MethodResult]:
    results = [MethodResult("spf", "pass", (Property("smtp", "mailfrom", "ada@one.example"),))]
    return [*results, MethodResult("arc", found)] if found else results


def sealed(message: bytes, domain: str, found: str = "") -> bytes:
    added = arc.seal(
        message,
        domain=domain,
        selector="s",
        key=KEYS[domain],
        authserv_id=f"mx.{domain}",
        results=findings(found),
        now=NOW,
    )
    return added + message


def verdict(message: bytes, resolver: FakeResolver | None = None, now: datetime = NOW):
    return arc.verify_chain(message, resolver=resolver or zone(), now=now)


def chain() -> bytes:
    """Return a message that went through three hops, changed by each."""
    message = sealed(MESSAGE, "one.example")
    message = sealed(message.replace(b"Subject: ", b"Subject: [list] ") + b"-- \r\nfooter\r\n", "two.example", "pass")
    return sealed(b"Received: from x by y\r\n" + message, "three.example", "pass")


def test_a_chain_of_three_hops_passes_and_tells_what_each_found():
    result = verdict(chain())
    assert (result.status, result.instance, result.covers_author) == (ArcStatus.PASS, 3, True)
    assert result.sealers == ("one.example", "two.example", "three.example")
    assert [hop.authserv_id for hop in result.hops] == ["mx.one.example", "mx.two.example", "mx.three.example"]
    assert b"spf=pass smtp.mailfrom=ada@one.example" in result.hops[0].findings


@pytest.mark.parametrize(
    "change",
    [
        (b"footer", b"Footer"),
        (b"[list]", b"[LIST]"),
        (b"Ada <", b"Eve <"),
        (b"spf=pass", b"spf=fail"),
        (b"d=one.example", b"d=two.example"),
    ],
)
def test_a_change_after_the_last_hop_breaks_it(change):
    assert verdict(chain().replace(*change)).status is ArcStatus.FAIL


@pytest.mark.parametrize("name", [b"ARC-Seal", b"ARC-Message-Signature", b"ARC-Authentication-Results"])
def test_a_field_lost_or_doubled_breaks_it(name):
    message = chain()
    start = message.index(name + b":", 1 if name == b"ARC-Seal" else 0)
    end = message.index(b"\r\n", start)
    while message[end + 2 : end + 3] == b"\t":
        end = message.index(b"\r\n", end + 2)
    field = message[start : end + 2]
    assert verdict(message.replace(field, b"", 1)).status is ArcStatus.FAIL
    assert verdict(field + message).status is ArcStatus.FAIL


def test_a_from_field_added_on_top_is_not_covered():
    """All that is oversigned breaks the chain; a sealer that does not oversign leaves it to the reader to mind."""
    assert verdict(b"From: boss@bank.example\r\n" + chain()).status is ArcStatus.FAIL
    sealer_of = {"domain": "one.example", "selector": "s", "key": KEYS["one.example"], "authserv_id": "mx", "now": NOW}
    weak = arc.seal(MESSAGE, results=findings(), names=["from"], **sealer_of) + MESSAGE
    assert verdict(weak).covers_author
    result = verdict(b"From: boss@bank.example\r\n" + weak)
    assert (result.status, result.covers_author) == (ArcStatus.PASS, False)
    none = arc.seal(MESSAGE, results=findings(), names=["subject"], **sealer_of) + MESSAGE
    assert not verdict(none).covers_author


def test_a_broken_chain_is_sealed_as_failed_once_and_then_left_alone():
    broken = chain().replace(b"footer", b"Footer")
    told = sealed(broken, "one.example", "fail")
    assert b"cv=fail" in told
    result = verdict(told)
    assert (result.status, result.instance) == (ArcStatus.FAIL, 4)
    assert "one.example found the chain broken" in result.reason
    assert sealed(told, "two.example", "fail") == told


def test_a_chain_that_is_not_whole_is_sealed_as_failed_above_its_highest_instance():
    message = b"ARC-Seal: i=7; cv=pass\r\n" + MESSAGE
    assert verdict(message).instance == 7
    told = sealed(message, "one.example", "pass")
    assert told.startswith(b"ARC-Seal: i=8;")
    assert b"cv=fail" in told.partition(b"ARC-Message")[0]


def test_nobody_seals_without_knowing_whether_the_chain_passes():
    message = sealed(MESSAGE, "one.example")
    for found in ("", "temperror", "none"):
        with pytest.raises(InvalidInput, match="arc="):
            sealed(message, "two.example", found)


def test_fifty_hops_are_the_most():
    message = MESSAGE
    for hop in range(50):
        message = sealed(message, "two.example", "pass" if hop else "")
    result = verdict(message)
    assert (result.status, result.instance) == (ArcStatus.PASS, 50)
    assert sealed(message, "one.example", "pass") == message
    resolver = zone()
    verdict(message, resolver)
    assert len(resolver.asked) == 1  # each key once


def test_a_silent_dns_is_a_temporary_error_unless_the_message_was_changed():
    silent = zone(failing=["s._domainkey.two.example"])
    result = verdict(chain(), silent)
    assert (result.status, "ARC-Seal 2" in result.reason) == (ArcStatus.TEMPERROR, True)
    assert (
        verdict(chain().replace(b"footer", b"Footer"), zone(failing=["s._domainkey.three.example"])).status
        is ArcStatus.FAIL
    )


def test_an_expired_message_signature_fails():
    message = chain()
    assert verdict(message, now=NOW + timedelta(days=400)).status is ArcStatus.PASS  # ours do not expire
    expired = message.replace(b"c=relaxed/relaxed;", b"c=relaxed/relaxed; x=1700000000;", 1)
    assert "expired" in verdict(expired).reason


def test_a_message_without_arc_has_no_chain():
    result = verdict(MESSAGE)
    assert (result.status, result.instance, result.sealers) == (ArcStatus.NONE, 0, ())


def test_dkim_and_arc_hash_one_body_once():
    message = sealed(
        sign(MESSAGE, domain="one.example", selector="s", key=KEYS["one.example"], now=NOW) + MESSAGE, "two.example"
    )
    fields, body = split_message(message)
    header, bodies = Header(fields), BodyHashes()
    signatures = Verifier(header, now=NOW, bodies=bodies)
    arc_chain = ChainVerifier(header, now=NOW, bodies=bodies)
    assert set(arc_chain.key_names) == {"s._domainkey.two.example"}
    assert len(bodies._hashes) == 1
    bodies.feed(body)
    assert arc_chain.finish(zone()).status is ArcStatus.PASS
    assert [result.status for result in signatures.finish(zone())] == [DkimStatus.PASS]


def test_a_message_is_sealed_as_it_passes():
    fields, body = split_message(MESSAGE)
    sealer = Sealer(fields)
    for at in range(0, len(body), 3):
        sealer.feed(body[at : at + 3])
    identity = SigningIdentity("one.example", "s", KEYS["one.example"])
    made = sealer.seal(identity, authserv_id="mx.one.example", results=findings(), now=NOW)
    assert [name for name, _ in made] == ["ARC-Seal", "ARC-Message-Signature", "ARC-Authentication-Results"]
    message = b"".join(f"{name}:{value}\r\n".encode() for name, value in made) + MESSAGE
    assert verdict(message).status is ArcStatus.PASS
