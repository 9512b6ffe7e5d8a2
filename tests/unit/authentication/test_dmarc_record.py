"""DMARC policy records: what is well-formed counts, what is not falls back to the default, and nothing raises."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smailor.authentication.dmarc_record import Policy, PublicSuffix, parse_record, policy_record


def test_all_tags() -> None:
    record = parse_record(
        b"v=DMARC1; p=reject; sp=quarantine; np=none; adkim=s; aspf=s; psd=n; t=y; fo=1:d;"
        b" rua=mailto:a@example.org!10m, https://example.org/r ;ruf=mailto:f@example.org"
    )
    assert record is not None
    assert (record.policy, record.subdomain_policy, record.absent_policy) == (
        Policy.REJECT,
        Policy.QUARANTINE,
        Policy.NONE,
    )
    assert record.strict_dkim
    assert record.strict_spf
    assert record.testing
    assert record.public_suffix is PublicSuffix.NO
    assert record.aggregate_addresses == ("mailto:a@example.org", "https://example.org/r")
    assert record.failure_addresses == ("mailto:f@example.org",)
    assert record.failure_options == "1:d"
    assert record.applies


def test_defaults() -> None:
    record = parse_record(b"v=DMARC1")
    assert record is not None
    assert (record.policy, record.subdomain_policy, record.absent_policy) == (Policy.NONE, None, None)
    assert not record.strict_dkim
    assert not record.strict_spf
    assert not record.testing
    assert record.public_suffix is PublicSuffix.UNKNOWN
    assert record.applies


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"v=spf1 -all",
        b"v=dmarc1; p=reject",
        b"v=DMARC2; p=reject",
        b"v=DMARC1a; p=reject",
        b"p=reject; v=DMARC1",
        b" v=DMARC1; p=reject",
        b"\xef\xbb\xbfv=DMARC1; p=reject",
        b"v=DMARC1;" + b" " * 20_000,
    ],
)
def test_what_does_not_begin_with_the_version_is_no_record(text: bytes) -> None:
    """Section 4.7: "If the tag is not the first in the list … the entire record MUST be ignored"."""
    assert parse_record(text) is None


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        (b"v=DMARC1;p=reject", Policy.REJECT),
        (b"v = DMARC1 ; P = Reject ;", Policy.REJECT),
        (b"v=DMARC1; pct=10; ri=86400; rf=afrf; p=reject", Policy.REJECT),
        (b"v=DMARC1; p=reject; p=none", Policy.REJECT),
        (b"v=DMARC1; ;; garbage; p=quarantine; =", Policy.QUARANTINE),
        (b"v=DMARC1; adkim=x; p=reject; t=maybe; psd=maybe", Policy.REJECT),
        (b"v=DMARC1; sp=reject", Policy.NONE),
    ],
)
def test_policy(text: bytes, policy: Policy) -> None:
    record = parse_record(text)
    assert record is not None
    assert record.policy is policy
    assert record.applies
    assert not record.testing


@pytest.mark.parametrize(
    "tags", [b"p=block", b"p=", b"p=reject; sp=nono", b"p=reject; np=\xff; np=x", b"p=reject; np=x"]
)
def test_a_policy_that_is_not_valid_counts_as_none_where_reports_are_wanted(tags: bytes) -> None:
    """Section 4.10.1."""
    alone = parse_record(b"v=DMARC1; " + tags)
    reporting = parse_record(b"v=DMARC1; " + tags + b"; rua=mailto:a@example.org")
    assert alone is not None
    assert reporting is not None
    assert (alone.policy, alone.applies) == (Policy.NONE, False)
    assert (reporting.policy, reporting.applies) == (Policy.NONE, True)


def test_several_records_are_none() -> None:
    """Section 4.10: "If multiple DMARC Policy Records are returned for a single target, they are all discarded"."""
    one, other = b"v=DMARC1; p=none", b"v=DMARC1; p=reject"
    assert policy_record([one, other]) is None
    assert policy_record([b"something else", other]) == parse_record(other)


@given(st.binary(max_size=200) | st.text(max_size=80).map(lambda text: b"v=DMARC1;" + text.encode()))
def test_no_record_makes_it_raise(data: bytes) -> None:
    record = parse_record(data)
    assert record is None or isinstance(record.policy, Policy)


@pytest.mark.parametrize(
    "piece", [b";", b"=", b" ", b"rua=mailto:a@b.example,", b"p=none;", b"rua=" + b"," * 20, b"!1", b"\xff", b"p"]
)
def test_no_record_takes_long(piece: bytes) -> None:
    data = (b"v=DMARC1; p=reject; rua=" + piece * 65_536)[:65_535]
    started = time.process_time()
    parse_record(data)
    parse_record(data[:16_384])
    assert time.process_time() - started < 1
