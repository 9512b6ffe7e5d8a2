"""Aggregate reports: what a message is counted as, and the file and mail that tell of it."""

import gzip
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from email import message_from_bytes
from email.policy import default
from xml.etree import ElementTree as ET

import pytest

from smailor.authentication.arc import ArcResult, ArcStatus
from smailor.authentication.dmarc_record import Policy, parse_record
from smailor.authentication.evaluate import AuthenticationResult
from smailor.authentication.report_facts import digest_of, facts_of, row_of
from smailor.authentication.report_row import (
    MAX_SIGNATURES,
    MAX_TEXT,
    Disposition,
    DkimFact,
    Override,
    OverrideType,
    SpfFact,
    report_row,
)
from smailor.authentication.reports import Report, Reporter, file_name, report_id, report_message, report_xml, yesterday
from smailor.authentication.results import DmarcResult, DmarcStatus, SpfIdentity, SpfResult, SpfStatus
from smailor.authentication.verify import DkimResult, DkimStatus

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
RECORD = parse_record(b"v=DMARC1; p=reject; sp=quarantine; adkim=s; rua=mailto:dmarc@example.org")
REPORTER = Reporter("mail.test", "reports@mail.test")
NAMES = {"r": "urn:ietf:params:xml:ns:dmarc-2.0"}


def dkim(domain="example.org", status=DkimStatus.PASS, selector="s1"):
    return DkimResult(status, domain, selector, "rsa-sha256", f"@{domain}", "")


def result(*, status=DmarcStatus.PASS, aligned_by=("dkim",), policy=Policy.REJECT, record=RECORD, signatures=None):
    return AuthenticationResult(
        SpfResult(SpfStatus.SOFTFAIL, "bounce.example.org", SpfIdentity.MAIL_FROM, "x@bounce.example.org", ""),
        (dkim(),) if signatures is None else signatures,
        ArcResult(ArcStatus.NONE, 0, (), ""),
        DmarcResult(
            status, "news.example.org", Policy.NONE, "", policy=policy, policy_tag="p", policy_domain="example.org",
            organizational_domain="example.org", aligned_by=aligned_by, record=record,
        ),
    )  # fmt: skip


def row(applied=Policy.NONE, override=None, source_ip="192.0.2.7", mail_from="<x@Bounce.example.org>", **facts):
    return report_row(result(**facts), source_ip=source_ip, mail_from=mail_from, applied=applied, override=override)


def report(*rows):
    return Report(date(2026, 11, 22), "example.org", RECORD, rows or ((row(), 3),))


def read(data):
    return ET.fromstring(data)  # noqa: S314 - our own report


def text(element, path):
    return element.findtext("/".join(f"r:{name}" for name in path.split("/")), namespaces=NAMES)


# --- rows


def test_a_row_tells_what_was_found():
    found = row()
    assert found.policy_domain == "example.org"
    assert (found.dkim_aligned, found.spf_aligned) == (True, False)
    assert (found.header_from, found.envelope_from) == ("news.example.org", "bounce.example.org")
    assert found.dkim == (DkimFact("example.org", "s1", "pass"),)
    assert found.spf == SpfFact("bounce.example.org", "softfail")


def test_without_a_policy_nobody_is_told():
    assert row(record=None) is None
    assert row(policy=None, status=DmarcStatus.NONE) is None


@pytest.mark.parametrize(
    ("facts", "applied", "disposition", "override"),
    [
        ({}, Policy.NONE, Disposition.PASS, None),
        ({"policy": Policy.NONE}, Policy.NONE, Disposition.NONE, None),
        ({"status": DmarcStatus.FAIL, "aligned_by": ()}, Policy.REJECT, Disposition.REJECT, None),
        ({"status": DmarcStatus.FAIL, "aligned_by": ()}, Policy.QUARANTINE, Disposition.QUARANTINE,
         Override(OverrideType.LOCAL_POLICY)),
        ({"status": DmarcStatus.FAIL, "aligned_by": (), "record": replace(RECORD, testing=True)}, Policy.QUARANTINE,
         Disposition.QUARANTINE, Override(OverrideType.POLICY_TEST_MODE)),
        ({"status": DmarcStatus.FAIL, "aligned_by": (), "policy": Policy.NONE}, Policy.NONE, Disposition.NONE, None),
    ],
)  # fmt: skip
def test_what_was_done_has_a_reason_where_it_is_not_what_the_policy_wants(facts, applied, disposition, override):
    """Section 3.1.1.8: the reason MUST be there if alignment fails and something else was done."""
    found = row(applied=applied, **facts)
    assert (found.disposition, found.override) == (disposition, override)


def test_a_reason_that_is_known_is_told():
    reason = Override(OverrideType.TRUSTED_FORWARDER, "ARC")
    assert row(status=DmarcStatus.FAIL, aligned_by=(), override=reason).override == reason
    assert row(override=reason).override is None, "it passed: nothing was overridden"


def test_the_most_telling_signatures_come_first_and_few():
    signatures = (
        dkim("other.test", DkimStatus.FAIL),
        dkim("list.test"),
        dkim("mail.example.org"),
        dkim("news.example.org"),
        dkim("", DkimStatus.NEUTRAL),
        *(dkim(f"l{number}.test", DkimStatus.PERMERROR) for number in range(20)),
    )
    found = row(signatures=signatures).dkim
    assert [fact.domain for fact in found[:4]] == ["news.example.org", "mail.example.org", "list.test", "other.test"]
    assert len(found) == MAX_SIGNATURES


def test_strangers_texts_are_bounded_and_fit_for_xml():
    odd = row(signatures=(dkim("example.org", selector="a\x00\ud800é" + "x" * 500),), mail_from="<a@\x01<&.test>")
    assert odd.dkim[0].selector.startswith("a???x")
    assert len(odd.dkim[0].selector) == MAX_TEXT
    assert read(report_xml(report((odd, 1)), REPORTER)) is not None


def test_addresses_have_one_spelling():
    assert row(source_ip="::ffff:192.0.2.7").source_ip == "192.0.2.7"
    assert row(source_ip="2001:DB8:0:0::1").source_ip == "2001:db8::1"


def test_rows_survive_the_database_and_equal_ones_have_one_digest():
    override = Override(OverrideType.OTHER, "because")
    for one in (row(), row(status=DmarcStatus.FAIL, aligned_by=(), override=override), row(signatures=())):
        assert row_of(facts_of(one)) == one
    assert digest_of(facts_of(row())) == digest_of(facts_of(row()))
    assert digest_of(facts_of(row())) != digest_of(facts_of(row(source_ip="192.0.2.8")))


# --- files


def test_the_xml_is_as_the_schema_has_it():
    """Names, namespace and order of RFC 9990 section 3.1.1, spelt out."""
    failed = row(
        status=DmarcStatus.FAIL,
        aligned_by=(),
        override=Override(OverrideType.TRUSTED_FORWARDER, "sealed"),
        mail_from="<>",
    )
    root = read(report_xml(report((row(), 3), (failed, 1)), REPORTER))
    assert root.tag == "{urn:ietf:params:xml:ns:dmarc-2.0}feedback"
    assert shape(root) == [
        ("version", "1.0"),
        ("report_metadata", [
            ("org_name", "mail.test"), ("email", "reports@mail.test"), ("report_id", report_id(report(), REPORTER)),
            ("date_range", [("begin", "1795305600"), ("end", "1795391999")]), ("generator", "Smailor"),
        ]),
        ("policy_published", [
            ("domain", "example.org"), ("discovery_method", "treewalk"), ("p", "reject"), ("sp", "quarantine"),
            ("np", "quarantine"), ("fo", "0"), ("adkim", "s"), ("aspf", "r"), ("testing", "n"),
        ]),
        ("record", [
            ("row", [("source_ip", "192.0.2.7"), ("count", "3"),
                     ("policy_evaluated", [("disposition", "pass"), ("dkim", "pass"), ("spf", "fail")])]),
            ("identifiers", [("header_from", "news.example.org"), ("envelope_from", "bounce.example.org")]),
            ("auth_results", [
                ("dkim", [("domain", "example.org"), ("selector", "s1"), ("result", "pass")]),
                ("spf", [("domain", "bounce.example.org"), ("scope", "mfrom"), ("result", "softfail")]),
            ]),
        ]),
        ("record", [
            ("row", [("source_ip", "192.0.2.7"), ("count", "1"),
                     ("policy_evaluated", [("disposition", "none"), ("dkim", "fail"), ("spf", "fail"),
                                           ("reason", [("type", "trusted_forwarder"), ("comment", "sealed")])])]),
            ("identifiers", [("header_from", "news.example.org"), ("envelope_from", None)]),
            ("auth_results", [
                ("dkim", [("domain", "example.org"), ("selector", "s1"), ("result", "pass")]),
                ("spf", [("domain", "bounce.example.org"), ("scope", "mfrom"), ("result", "softfail")]),
            ]),
        ]),
    ]  # fmt: skip


def shape(element):
    return [
        (child.tag.removeprefix("{urn:ietf:params:xml:ns:dmarc-2.0}"), shape(child) if len(child) else child.text)
        for child in element
    ]


def test_the_same_report_is_the_same_file_with_the_same_name_whenever_it_is_made():
    """Section 3.5.2: one that is sent again has the same name."""
    one, again = report(), report()
    assert file_name(one, REPORTER) == file_name(again, REPORTER)
    unique = report_id(one, REPORTER)
    assert file_name(one, REPORTER) == f"mail.test!example.org!1795305600!1795391999!{unique}.xml.gz"
    assert re.fullmatch(r"[A-Za-z0-9]+", unique)
    assert unique != report_id(replace(one, policy_domain="other.test"), REPORTER)
    assert unique != report_id(replace(one, day=date(2026, 11, 21)), REPORTER)


def test_the_mail_is_as_the_rfc_has_it():
    raw = report_message(report(), REPORTER, "dmarc@example.org", now=NOW)
    assert not re.search(rb"(?<!\r)\n", raw)
    message = message_from_bytes(raw, policy=default)
    unique = report_id(report(), REPORTER)
    assert message["Subject"] == f"Report Domain: example.org Submitter: mail.test Report-ID: <{unique}>"
    assert message["From"].addresses[0].addr_spec == "reports@mail.test"
    assert message["Auto-Submitted"] == "auto-generated"
    (attachment,) = message.iter_attachments()
    assert attachment.get_content_type() == "application/gzip"
    assert attachment.get_filename() == file_name(report(), REPORTER)
    root = read(gzip.decompress(attachment.get_content()))
    assert text(root, "record/row/count") == "3"


def test_yesterday_is_utcs():
    assert yesterday(datetime.fromisoformat("2026-11-23T00:30:00+01:00")) == date(2026, 11, 21)
