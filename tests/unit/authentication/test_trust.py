"""Whose word counts beside the author's domain: only of those whom the operator names, and only if it is really them."""

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from smailor.authentication import arc, authenticate
from smailor.authentication.authentication_results import MethodResult, Property
from smailor.authentication.dkim import sign
from smailor.authentication.results import DmarcStatus
from smailor.authentication.trust import Trust
from smailor.dns.fake import FakeResolver
from smailor.errors import InvalidInput
from tests.unit.authentication.test_verify import public

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
KEY_RECORD = [f"v=DKIM1; p={public(KEY)}"]
MESSAGE = b"From: Ada <ada@bank.example>\r\nTo: list@two.example\r\nSubject: Hello\r\n\r\nGood morning.\r\n"
RECORDS = {
    ("bank.example", "TXT"): ["v=spf1 -all"],
    ("_dmarc.bank.example", "TXT"): ["v=DMARC1; p=reject"],
    ("lists.example", "TXT"): ["v=spf1 ip4:198.51.100.7 -all"],
    **{(f"s._domainkey.{name}.example", "TXT"): KEY_RECORD for name in ("one", "two", "lists", "eu.one")},
}


def found(dmarc: str = "pass", author: str = "bank.example", arc_found: str = "") -> list[MethodResult]:
    """What a hop says that it has found."""
    properties = (Property("header", "from", author),) if author else ()
    results = [MethodResult("dmarc", dmarc, properties)]
    return [*results, MethodResult("arc", arc_found)] if arc_found else results


def sealed(message: bytes, domain: str, results: list[MethodResult], names=None) -> bytes:
    given = {"selector": "s", "key": KEY, "authserv_id": f"mx.{domain}", "now": NOW}
    return arc.seal(message, domain=domain, results=results, names=names, **given) + message


def result_of(message: bytes, *, client_ip: str = "198.51.100.7", mail_from: str = "x@other.example", failing=()):
    result = authenticate(
        message,
        client_ip=client_ip,
        helo="mx.other.example",
        mail_from=mail_from,
        resolver=FakeResolver(RECORDS, failing=failing),
        now=NOW,
    )
    assert result.dmarc.status is not DmarcStatus.PASS
    return result


def overridden(message: bytes, trust: Trust, *, client_ip: str = "198.51.100.7", **given) -> str:
    return trust.override(result_of(message, client_ip=client_ip, **given), client_ip)


SEALERS = Trust.of(sealers=["one.example"], forwarders=[])


def test_a_trusted_sealer_that_found_a_pass_is_believed():
    message = sealed(MESSAGE, "one.example", found())
    assert overridden(message, SEALERS) == "one.example is a trusted ARC sealer and found dmarc=pass for bank.example"
    assert overridden(sealed(MESSAGE, "eu.one.example", found()), SEALERS)


@pytest.mark.parametrize(
    "message",
    [
        MESSAGE,
        sealed(MESSAGE, "two.example", found()),
        sealed(MESSAGE, "one.example", found("fail")),
        sealed(MESSAGE, "one.example", found(author="other.example")),
        sealed(MESSAGE, "one.example", found(author="")),
        sealed(MESSAGE, "one.example", found()) + b"One more line.\r\n",
        sealed(MESSAGE, "one.example", found()).replace(b"dmarc=pass", b"dmarc=best"),
        sealed(MESSAGE, "one.example", found(), names=["to", "subject"]),
        sealed(sealed(MESSAGE, "one.example", found()), "two.example", found("fail", arc_found="pass")),
        sealed(sealed(MESSAGE, "two.example", found()), "one.example", found("fail", arc_found="pass")),
    ],
    ids=["no chain", "not trusted", "found a fail", "another author", "no author", "changed since", "forged finding",
         "From not signed", "an untrusted hop after it", "an untrusted hop before it"],
)  # fmt: skip
def test_a_chain_says_nothing_when(message):
    assert not overridden(message, SEALERS)


def test_trusted_hops_pass_on_what_the_first_of_them_found():
    message = sealed(sealed(MESSAGE, "one.example", found()), "two.example", found("fail", arc_found="pass"))
    assert overridden(message, Trust.of(sealers=["one.example", "two.example"], forwarders=[])).startswith(
        "one.example"
    )


def test_a_key_that_the_dns_owes_may_still_make_a_trusted_chain():
    owed = ("s._domainkey.one.example",)
    result = result_of(sealed(MESSAGE, "one.example", found()), failing=owed)
    assert not SEALERS.override(result, "198.51.100.7")
    assert SEALERS.could_override(result)
    assert not Trust().could_override(result)
    assert not SEALERS.could_override(result_of(sealed(MESSAGE, "one.example", found("fail")), failing=owed))


@pytest.mark.parametrize(("client_ip", "known"), [
    ("198.51.100.7", True), ("198.51.101.7", False), ("::ffff:198.51.100.7", True), ("2001:db8::5", True),
    ("2001:db9::5", False),
])  # fmt: skip
def test_a_known_forwarder_is_known_by_its_address(client_ip, known):
    trust = Trust.of(sealers=[], forwarders=["198.51.100.0/24", "2001:db8::/32", "203.0.113.9"])
    assert bool(overridden(MESSAGE, trust, client_ip=client_ip)) is known


def test_a_known_forwarder_is_known_by_its_domain_only_when_spf_or_a_signature_shows_it():
    trust = Trust.of(sealers=[], forwarders=["Lists.Example"])
    signature = sign(MESSAGE, domain="lists.example", selector="s", key=KEY, now=NOW)
    for message, given in ((MESSAGE, {"mail_from": "list@lists.example"}), (signature + MESSAGE, {})):
        assert overridden(message, trust, **given) == "lists.example is a known forwarder"
    assert not overridden(MESSAGE, trust, mail_from="list@lists.example", client_ip="192.0.2.1")
    assert not overridden(signature + MESSAGE + b"More.\r\n", trust)
    assert not overridden(MESSAGE, trust, mail_from="x@notlists.example")


def test_a_forwarder_s_answer_that_the_dns_owes_is_worth_waiting_for():
    trust = Trust.of(sealers=[], forwarders=["lists.example"])
    result = result_of(MESSAGE, mail_from="list@lists.example", failing=["lists.example"])
    assert trust.could_override(result)
    assert not SEALERS.could_override(result)


@pytest.mark.parametrize("wrong", [{"sealers": ["a b"]}, {"forwarders": ["192.0.2.1/24"]}, {"forwarders": ["one"]}])
def test_what_cannot_be_read_is_refused(wrong):
    with pytest.raises(InvalidInput):
        Trust.of(**({"sealers": [], "forwarders": []} | wrong))
