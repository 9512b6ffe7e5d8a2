import pytest

from smailor.dns.answer import Answer, DnsClient, Outcome
from smailor.dns.fake import FakeResolver
from smailor.errors import TemporaryFailure

RECORDS = {
    ("example.test", "MX"): ["20 second.example.test", "10 first.example.test"],
    ("selector._domainkey.example.test", "TXT"): [b"v=DKIM1; p=\xff"],
    ("www.example.test", "CNAME"): ["example.test"],
}


def test_outcomes_are_those_of_a_real_resolver() -> None:
    dns: DnsClient = FakeResolver(RECORDS)
    assert dns.query("Example.TEST.", "mx").outcome is Outcome.OK
    assert dns.query("example.test", "A").outcome is Outcome.NO_DATA
    assert dns.query("_domainkey.example.test", "TXT").outcome is Outcome.NO_DATA  # an empty non-terminal
    assert dns.query("nobody.test", "A").outcome is Outcome.NO_SUCH_NAME


def test_aliases_are_followed_and_circles_fail() -> None:
    dns = FakeResolver({**RECORDS, ("a.test", "CNAME"): ["b.test"], ("b.test", "CNAME"): ["a.test"]})
    assert dns.query("www.example.test", "MX").mail_exchangers[0] == (10, "first.example.test")
    with pytest.raises(TemporaryFailure):
        dns.query("a.test", "A")


def test_failing_names_raise_and_questions_are_remembered() -> None:
    dns = FakeResolver(failing=["down.test"])
    with pytest.raises(TemporaryFailure):
        dns.query("down.test", "TXT")
    assert dns.asked == [("down.test", "TXT")]


def test_a_txt_record_keeps_every_byte() -> None:
    answer = FakeResolver(RECORDS).query("selector._domainkey.example.test", "TXT")
    assert answer.texts == (b"v=DKIM1; p=\xff",)


def test_mail_exchangers_come_best_first_and_a_null_mx_is_empty() -> None:
    """RFC 7505: a domain that takes no mail says `MX 0 .`."""
    assert FakeResolver(RECORDS).query("example.test", "MX").mail_exchangers == (
        (10, "first.example.test"),
        (20, "second.example.test"),
    )
    assert Answer("no.test", "MX", Outcome.OK, ("0 .",)).mail_exchangers == ((0, ""),)


def test_records_can_be_replaced_and_removed() -> None:
    dns = FakeResolver(RECORDS)
    dns.set("example.test", "MX", ["5 new.example.test"])
    assert dns.query("example.test", "MX").records == ("5 new.example.test",)
    dns.set("example.test", "MX", [])
    assert dns.query("example.test", "MX").outcome is Outcome.NO_DATA
