"""Evaluations are counted in little space, and each report is sent once, on both engines."""

import gzip
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from xml.etree import ElementTree as ET

import pytest
from sqlalchemy import select

from smailor.authentication import record_service
from smailor.authentication.models import DmarcCount, DmarcReport
from smailor.authentication.record_service import prune, record
from smailor.authentication.report_row import Counted, Disposition, DkimFact, ReportRow, SpfFact
from smailor.authentication.report_service import CLAIM, send_reports
from smailor.authentication.reports import Reporter
from smailor.delivery import Delivery
from smailor.dns.fake import FakeResolver

DAY = date(2026, 11, 22)
POLICY = "v=DMARC1; p=reject; rua=mailto:dmarc@example.org"
REPORTER = Reporter("mail.test", "reports@mail.test")
DNS = FakeResolver({("_dmarc.example.org", "TXT"): [POLICY]})
NAMES = {"r": "urn:ietf:params:xml:ns:dmarc-2.0"}


def row(ip="192.0.2.7", policy_domain="example.org", selector="s1"):
    return ReportRow(
        policy_domain, ip, Disposition.PASS, True, False, None, policy_domain, policy_domain,
        (DkimFact(policy_domain, selector, "pass"),), SpfFact(policy_domain, "fail"),
    )  # fmt: skip


def counted(day=DAY, policy=POLICY, **facts):
    return Counted(day, row(**facts), policy)


class Post:
    """Takes messages as it is told to."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.messages = []

    def __call__(self, recipient, message):
        self.messages.append((recipient, message))
        return self.answers.pop(0) if self.answers else Delivery.SENT


def send(database, now, post, resolver=DNS):
    return send_reports(database, reporter=REPORTER, resolver=resolver, deliver=post, now=now)


def counts_in(message):
    (attachment,) = message_from_bytes(message, policy=default).iter_attachments()
    root = ET.fromstring(gzip.decompress(attachment.get_content()))  # noqa: S314 - our own report
    return {
        found.findtext("r:row/r:source_ip", namespaces=NAMES): int(found.findtext("r:row/r:count", namespaces=NAMES))
        for found in root.findall("r:record", NAMES)
    }


# --- counting


def test_equal_messages_share_a_row(database, now):
    record(database, {counted(): 3, counted(ip="192.0.2.8"): 1}, now=now)
    record(database, {counted(): 4}, now=now)
    with database.reading() as session:
        found = session.execute(select(DmarcCount.count).order_by(DmarcCount.count)).scalars().all()
    assert found == [1, 7]


def test_equal_messages_share_a_row_though_the_policys_text_has_changed(database, now):
    newer = POLICY.replace("reject", "quarantine")
    assert record(database, {counted(): 3, counted(policy=newer): 1}, now=now) == 0
    with database.reading() as session:
        assert session.execute(select(DmarcCount.count, DmarcCount.policy)).all() == [(4, newer)]


def test_more_rows_than_one_statement_takes(database, now):
    many = {counted(ip=f"10.0.{number >> 8}.{number & 255}"): 1 for number in range(1300)}
    record(database, many, now=now)
    record(database, many, now=now)
    with database.reading() as session:
        assert session.execute(select(DmarcCount.count)).scalars().all() == [2] * 1300


def test_a_policy_has_no_more_rows_than_there_is_room_for(database, now, monkeypatch):
    """Whoever signs each message with another selector fills nobody's disk; kinds known before still count."""
    monkeypatch.setattr(record_service, "MAX_ROWS_OF_POLICY", 3)
    assert record(database, {counted(selector=f"s{number}"): 1 for number in range(5)}, now=now) == 2
    assert record(database, {counted(selector="s9"): 7, counted(policy_domain="other.test"): 1}, now=now) == 7
    with database.reading() as session:
        known = session.execute(select(DmarcCount.facts).where(DmarcCount.policy_domain == "example.org")).scalars()
        selectors = [facts["dkim"][0]["selector"] for facts in known]
    assert len(selectors) == 3
    assert record(database, {counted(selector=selectors[0]): 1}, now=now) == 0


def test_a_day_has_no_more_rows_than_there_is_room_for(database, now, monkeypatch):
    monkeypatch.setattr(record_service, "MAX_ROWS_OF_DAY", 3)
    assert record(database, {counted(policy_domain=f"d{number}.test"): 1 for number in range(5)}, now=now) == 2
    assert record(database, {counted(day=DAY - timedelta(days=1)): 1}, now=now) == 0


def test_old_days_go(database, now):
    record(database, {counted(): 1, counted(day=DAY - timedelta(days=8)): 1}, now=now)
    assert prune(database, now=now) == 1
    with database.reading() as session:
        assert session.scalars(select(DmarcCount.day)).all() == [DAY]


# --- sending


def test_a_report_is_sent_once_with_the_right_counts(database, now):
    record(database, {counted(): 3, counted(ip="192.0.2.8"): 2}, now=now)
    post = Post()
    run = send(database, now, post)
    ((recipient, message),) = post.messages
    assert recipient == "dmarc@example.org"
    assert counts_in(message) == {"192.0.2.7": 3, "192.0.2.8": 2}
    assert (run.reports, run.sent, run.waiting) == (1, 1, 0)
    assert (send(database, now, post).reports, len(post.messages)) == (0, 1)


def test_a_day_is_reported_when_it_is_over(database):
    record(database, {counted(): 1}, now=datetime(2026, 11, 22, 12, tzinfo=UTC))
    for moment, sent in (
        ("2026-11-22T23:59:59+00:00", 0),
        ("2026-11-23T00:05:00+00:00", 0),
        ("2026-11-23T00:11:00+00:00", 1),
    ):
        assert send(database, datetime.fromisoformat(moment), Post()).sent == sent


def test_each_policy_has_a_report_of_its_own_and_the_days_missed_are_made_up_for(database, now):
    before = DAY - timedelta(days=1)
    record(database, {counted(): 1, counted(day=before): 2, counted(policy_domain="d.example.org"): 4}, now=now)
    post = Post()
    assert send(database, now, post).sent == 3
    assert [sum(counts_in(message).values()) for _, message in post.messages] == [2, 4, 1]


def test_who_did_not_ask_gets_none(database, now):
    record(database, {counted(policy="v=DMARC1; p=reject"): 1}, now=now)
    post = Post()
    assert (send(database, now, post).sent, post.messages) == (0, [])
    assert send(database, now, post).reports == 0, "and it is not looked at again"


def test_what_cannot_be_sent_now_is_sent_later(database, now):
    record(database, {counted(): 1, counted(policy_domain="d.example.org"): 1}, now=now)
    post = Post(Delivery.LATER)
    run = send(database, now, post)
    assert (run.sent, run.waiting, len(post.messages)) == (0, 2, 1), "after one refusal no other is tried"
    assert send(database, now, post).sent == 2


def test_what_is_refused_is_not_tried_again(database, now):
    record(database, {counted(): 1}, now=now)
    assert send(database, now, Post(Delivery.REFUSED)).refused == 1
    assert send(database, now, Post()).reports == 0


def test_what_may_have_been_sent_is_sent_again_after_an_hour_as_the_same_report(database, now):
    record(database, {counted(): 1}, now=now)
    post = Post(Delivery.UNKNOWN)
    assert send(database, now, post).waiting == 1
    assert send(database, now + CLAIM / 2, post).sent == 0
    assert send(database, now + CLAIM, post).sent == 1
    first, second = (message_from_bytes(message, policy=default) for _, message in post.messages)
    assert (first["Subject"], first["Message-ID"]) == (second["Subject"], second["Message-ID"])


def test_two_recipients_are_independent(database, now):
    policy = "v=DMARC1; p=none; rua=mailto:a@example.org,mailto:b@example.org"
    record(database, {counted(policy=policy): 1}, now=now)
    post = Post(Delivery.SENT, Delivery.LATER)
    send(database, now, post)
    send(database, now, post)
    assert [recipient for recipient, _ in post.messages] == ["a@example.org", "b@example.org", "b@example.org"]


def test_while_the_dns_is_silent_the_others_get_theirs(database, now):
    silent = "v=DMARC1; p=none; rua=mailto:a@reports.test"
    record(database, {counted(policy_domain="a.test", policy=silent): 1, counted(): 1}, now=now)
    resolver = FakeResolver({("_dmarc.example.org", "TXT"): [POLICY]}, failing=["_dmarc.reports.test"])
    run = send(database, now, Post(), resolver)
    assert (run.sent, run.waiting) == (1, 1)


def test_two_runs_beside_each_other_send_nothing_twice(database, now):
    """One run, while it hands a report over, is overtaken by another."""
    record(database, {counted(): 1}, now=now)
    inner = Post()

    def meanwhile(recipient, message):
        assert send(database, now, inner).waiting == 1
        return Delivery.SENT

    assert send(database, now, meanwhile).sent == 1
    assert inner.messages == []
    assert send(database, now, inner).reports == 0


@pytest.mark.parametrize("delivery", [Delivery.SENT, Delivery.REFUSED])
def test_what_became_of_it_is_kept(database, now, delivery):
    record(database, {counted(): 1}, now=now)
    send(database, now, Post(delivery))
    with database.reading() as session:
        outcomes = session.execute(select(DmarcReport.recipient, DmarcReport.outcome)).all()
    assert set(outcomes) == {("dmarc@example.org", delivery.value), ("", "closed")}
