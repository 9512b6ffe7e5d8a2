"""Where aggregate reports go to, and that nobody gets some who does not want them (RFC 9990 section 4)."""

import pytest

from smailor.authentication.report_destinations import MAX_DESTINATIONS, destinations, mail_address
from smailor.dns.fake import FakeResolver
from smailor.errors import TemporaryFailure

DOMAIN = {("_dmarc.example.org", "TXT"): ["v=DMARC1; p=reject"]}
ALLOWED = "blue.example.org._report._dmarc.reports.test"


def dns(**records):
    return FakeResolver(DOMAIN | {(name, "TXT"): [text] for name, text in records.items()})


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("mailto:a@example.org", "a@example.org"),
        ("MAILTO:A.b@EXAMPLE.org", "A.b@example.org"),
        ("mailto:a%2Bb@example.org", "a+b@example.org"),
        ("mailto:a@example.org?subject=x", "a@example.org"),
        ("https://example.org/dmarc", None),
        ("mailto:example.org", None),
        ("mailto:a@b,c@d", None),
        ("mailto:%0d%0aBcc:x@example.org", None),
        ("mailto:a@[192.0.2.1]", None),
        ("mailto:%ff@example.org", None),
    ],
)
def test_only_plain_addresses_are_taken(uri, address):
    assert mail_address(uri) == address


def test_an_address_of_the_same_organisation_needs_no_permission():
    assert destinations("blue.example.org", ["mailto:a@red.example.org"], dns()) == ("a@red.example.org",)
    asked = dns()
    assert destinations("blue.example.org", ["mailto:a@blue.example.org"], asked) == ("a@blue.example.org",)
    assert not asked.asked


def test_a_stranger_gets_none_unless_it_says_so():
    uris = ["mailto:a@reports.test"]
    assert destinations("blue.example.org", uris, dns()) == ()
    assert destinations("blue.example.org", uris, dns(**{ALLOWED: "v=spf1 -all"})) == ()
    assert destinations("blue.example.org", uris, dns(**{ALLOWED: "v=DMARC1"})) == ("a@reports.test",)


def test_one_of_several_records_is_enough():
    resolver = dns()
    resolver.set(ALLOWED, "TXT", ["something", "v=DMARC1;"])
    assert destinations("blue.example.org", ["mailto:a@reports.test"], resolver) == ("a@reports.test",)


def test_a_stranger_may_name_another_address_on_its_own_host_only():
    uris = ["mailto:a@reports.test"]
    moved = dns(**{ALLOWED: "v=DMARC1; rua=mailto:b@reports.test,mailto:c@victim.test"})
    assert destinations("blue.example.org", uris, moved) == ("b@reports.test",)
    elsewhere = dns(**{ALLOWED: "v=DMARC1; rua=mailto:c@victim.test"})
    assert destinations("blue.example.org", uris, elsewhere) == ()


def test_a_name_too_long_for_the_dns_is_no_permission():
    domain = ".".join(["x" * 60] * 3) + ".example.org"
    host = ".".join(["y" * 60] * 3) + ".reports.test"
    assert destinations(domain, [f"mailto:a@{host}"], dns()) == ()


def test_while_the_dns_does_not_answer_nothing_is_decided():
    for name in (ALLOWED, "_dmarc.reports.test", "_dmarc.example.org"):
        with pytest.raises(TemporaryFailure):
            destinations("blue.example.org", ["mailto:a@reports.test"], FakeResolver(DOMAIN, failing=[name]))


def test_each_address_once_and_not_too_many():
    uris = [f"mailto:a{number % 8}@example.org" for number in range(40)]
    assert destinations("example.org", uris, dns()) == tuple(
        f"a{number}@example.org" for number in range(MAX_DESTINATIONS)
    )
