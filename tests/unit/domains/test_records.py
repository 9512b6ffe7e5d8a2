"""Wanted records and what the world shows of them."""

import dns.zone
import pytest

from smailor.domains.dkim_keys import Algorithm, generate_key_pair
from smailor.domains.records import (
    PublishedKey,
    RecordState,
    ServiceNames,
    WantedRecord,
    check_record,
    wanted_records,
    zone_text,
)

SERVICE = ServiceNames(
    hostname="mx.smailor.test", spf_include="_spf.smailor.test", postmaster="postmaster@smailor.test"
)


@pytest.fixture(scope="module")
def records():
    key = generate_key_pair().public_key
    return {
        (record.kind, record.name): record
        for record in wanted_records("acme.test", "token", [PublishedKey("s20261123", key, Algorithm.RSA)], SERVICE)
    }


def test_a_domain_wants_ownership_mx_spf_dkim_and_dmarc(records):
    assert list(records) == [
        ("TXT", "_smailor-challenge.acme.test"),
        ("MX", "acme.test"),
        ("TXT", "acme.test"),
        ("TXT", "s20261123._domainkey.acme.test"),
        ("TXT", "_dmarc.acme.test"),
    ]
    assert records["TXT", "acme.test"].value == "v=spf1 include:_spf.smailor.test -all"


@pytest.mark.parametrize(
    ("kind", "name", "found", "state"),
    [
        ("MX", "acme.test", ["10 MX.smailor.test."], RecordState.PRESENT),
        ("MX", "acme.test", ["10 mx.smailor.test", "20 backup.test"], RecordState.PRESENT),
        ("MX", "acme.test", ["10 elsewhere.test"], RecordState.DIFFERENT),
        ("MX", "acme.test", [], RecordState.MISSING),
        ("MX", "acme.test", None, RecordState.UNKNOWN),
        ("TXT", "acme.test", ["something else"], RecordState.MISSING),
        ("TXT", "acme.test", ["v=spf1 include:_spf.smailor.test -all"], RecordState.PRESENT),
        ("TXT", "acme.test", ["V=SPF1 ip4:192.0.2.1 +include:_SPF.smailor.test ~all"], RecordState.PRESENT),
        ("TXT", "acme.test", ["v=spf1 -include:_spf.smailor.test -all"], RecordState.DIFFERENT),
        ("TXT", "acme.test", ["v=spf1 include:_spf.smailor.test -all", "v=spf1 -all"], RecordState.DIFFERENT),
        ("TXT", "_dmarc.acme.test", ["v=DMARC1; p=reject; rua=mailto:d@acme.test"], RecordState.PRESENT),
        ("TXT", "_dmarc.acme.test", ["v=DMARC1; p=none", "v=DMARC1; p=reject"], RecordState.DIFFERENT),
        ("TXT", "_smailor-challenge.acme.test", ["smailor-verify=token"], RecordState.PRESENT),
        ("TXT", "_smailor-challenge.acme.test", ["smailor-verify=tokens"], RecordState.DIFFERENT),
    ],
)
def test_what_is_seen_is_judged_by_meaning(records, kind, name, found, state):
    assert check_record(records[kind, name], found).state is state


def test_two_spf_records_are_an_error_even_if_one_is_right(records):
    """RFC 7208 section 4.5: more than one record is a permanent error for every receiver."""
    check = check_record(records["TXT", "acme.test"], ["v=spf1 include:_spf.smailor.test -all", "v=spf1 mx -all"])
    assert check.state is RecordState.DIFFERENT
    assert len(check.seen) == 2


def test_a_dkim_record_may_be_spaced_differently(records):
    record = records["TXT", "s20261123._domainkey.acme.test"]
    assert check_record(record, [record.value.replace("; ", ";") + ";"]).state is RecordState.PRESENT
    assert check_record(record, [record.value[:-4]]).state is RecordState.DIFFERENT


def test_the_zone_text_is_read_back_to_the_same_values(records):
    text = zone_text(tuple(records.values()))
    zone = dns.zone.from_text(
        "@ 60 IN SOA ns root 1 60 60 60 60\n@ 60 IN NS ns\n" + text, "acme.test", relativize=False
    )
    for (kind, name), record in records.items():
        (data,) = zone.find_rdataset(f"{name}.", kind)
        if kind == "TXT":
            assert b"".join(data.strings).decode() == record.value
            assert all(len(string) <= 255 for string in data.strings)
        else:
            assert data.to_text() == f"{record.value}."


def test_without_an_include_the_mx_hosts_may_send():
    records = wanted_records("acme.test", "t", [], ServiceNames("mx.x.test", "", ""))
    spf = next(record for record in records if record.value.startswith("v=spf1"))
    assert spf == WantedRecord("TXT", "acme.test", "v=spf1 mx -all", spf.purpose, required=True)
    assert check_record(spf, ["v=spf1 mx a -all"]).state is RecordState.PRESENT
