"""What the policy daemon reads of the terms: the same from both engines, and a generation that tells each change."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from smailor.address import Address, DomainName
from smailor.sending import limit_service, pause_service, suppression_service, suspension_service, warmup_service
from smailor.sending.anomalies import Anomaly, Kind
from smailor.sending.decision import Kind as Answer
from smailor.sending.limits import HOUR, TODAY, Limit
from smailor.sending.subject import Subject
from smailor.sending.suspension import Part
from smailor.sending.terms import Applied
from smailor.sending.warmup import Schedule
from smailor.sending.warmup_service import Setting


def asked(account, domain=None):
    address = Address.parse(account)
    return address, DomainName.parse(domain) if domain else address.domain


def graduate(acme, operator, *domains):
    for domain in domains:
        warmup_service.set_warmup(
            acme.database,
            domain=domain,
            setting=Setting(graduated=True),
            schedule=Schedule(),
            reason="known",
            actor=operator,
            now=acme.now,
        )


def maxima(terms, key):
    return {
        (applied.limit.unit, applied.limit.window.name): applied.limit.maximum
        for applied in terms.limits
        if applied.key == key and not applied.warm_up
    }


def test_a_plan_gives_limits_to_account_domain_and_workspace(acme, terms, connection, operator):
    graduate(acme, operator, "acme.test")
    (found,) = terms.read(connection, [asked("ada@acme.test")])
    assert (found.workspace, found.refusal, found.max_recipients) == ("acme", None, 200)
    assert found.unique_recipients == Limit("unique recipients", TODAY, 1000)
    assert maxima(found, "account:ada@acme.test") == {
        ("messages", "hour"): 200,
        ("messages", "day"): 1000,
        ("recipients", "hour"): 400,
        ("recipients", "day"): 2000,
    }
    assert maxima(found, "domain:acme.test")["messages", "hour"] == 2000
    assert maxima(found, "workspace:acme")["recipients", "day"] == 40_000
    assert found.limits[0] == Applied("account:ada@acme.test", Limit("messages", HOUR, 200), "ada@acme.test")


def test_a_young_domain_has_a_cap_before_anything_else(acme, terms, connection):
    (found,) = terms.read(connection, [asked("ada@acme.test")])
    assert found.limits[0] == Applied("domain:acme.test", Limit("recipients", TODAY, 480), "acme.test", warm_up=True)


def test_the_sender_domain_s_limits_hold_and_not_the_log_in_s(acme, terms, connection, operator):
    graduate(acme, operator, "acme.test")
    (found,) = terms.read(connection, [asked("ada@acme.test", "acme.example")])
    assert found.limits[0].warm_up
    assert {applied.key for applied in found.limits} == {
        "account:ada@acme.test",
        "domain:acme.example",
        "workspace:acme",
    }


def test_answers_come_in_the_order_asked_and_once_for_each(acme, terms, connection):
    wanted = [asked("eve@other.test"), asked("ada@acme.test"), asked("nobody@nowhere.test"), asked("eve@other.test")]
    found = terms.read(connection, wanted)
    assert [(str(one.account), one.workspace) for one in found] == [
        ("eve@other.test", "other"),
        ("ada@acme.test", "acme"),
        ("nobody@nowhere.test", None),
        ("eve@other.test", "other"),
    ]
    assert terms.read(connection, []) == []


def test_many_are_read_at_once(acme, terms, connection):
    wanted = [asked(f"u{number}@acme.test") for number in range(2000)]
    assert [one.account for one in terms.read(connection, wanted)] == [account for account, _ in wanted]


def test_an_operator_s_limit_takes_the_place_of_the_plan_s_until_it_ends(acme, terms, connection, operator):
    def put(subject, measure, maximum, expires_at=None):
        limit_service.set_limit(
            acme.database,
            subject=Subject.parse(subject),
            measure=measure,
            maximum=maximum,
            reason="asked for it",
            expires_at=expires_at,
            actor=operator,
            now=acme.now,
        )

    put("ada@acme.test", "messages/hour", 7)
    put("ada@acme.test", "recipients/message", 3)
    put("ada@acme.test", "unique-recipients/day", 4)
    put("acme.test", "recipients/day", 8)
    put("acme", "messages/day", 9, datetime.now(UTC) + timedelta(days=1))
    (found,) = terms.read(connection, [asked("ada@acme.test")])
    assert maxima(found, "account:ada@acme.test")["messages", "hour"] == 7
    assert (found.max_recipients, found.unique_recipients.maximum) == (3, 4)
    assert maxima(found, "domain:acme.test")["recipients", "day"] == 8
    assert maxima(found, "workspace:acme")["messages", "day"] == 9


def test_a_limit_that_has_run_out_is_the_plan_s_again(acme, terms, connection, operator, database):
    limit_service.set_limit(
        database,
        subject=Subject.parse("acme"),
        measure="messages/hour",
        maximum=1,
        reason="for a day",
        expires_at=acme.now + timedelta(days=1),
        actor=operator,
        now=acme.now,
    )
    with database.transaction() as session:
        past = datetime.now(UTC) - timedelta(minutes=1)
        value = past.replace(tzinfo=None).isoformat(" ") if database.dialect == "sqlite" else past
        session.execute(text("UPDATE limit_overrides SET expires_at = :past"), {"past": value})
    (found,) = terms.read(connection, [asked("ada@acme.test")])
    assert maxima(found, "workspace:acme")["messages", "hour"] == 4000


def test_a_workspace_s_plan_decides(acme, terms, connection, database):
    with database.transaction() as session:
        session.execute(text("UPDATE workspaces SET plan = 'large' WHERE slug = 'acme'"))
    large, small = terms.read(connection, [asked("ada@acme.test"), asked("eve@other.test")])
    assert maxima(large, "account:ada@acme.test")["messages", "hour"] == 1000
    assert maxima(small, "account:eve@other.test")["messages", "hour"] == 200


@pytest.mark.parametrize(
    ("subject", "what"), [("ada@acme.test", "account"), ("acme.test", "domain"), ("acme", "workspace")]
)
@pytest.mark.parametrize("part", [Part.SENDING, Part.LOGIN])
def test_whoever_is_suspended_is_refused_and_told_whom_to_ask(acme, terms, connection, operator, subject, what, part):
    suspension_service.suspend(
        acme.database,
        subject=Subject.parse(subject),
        parts=frozenset({part}),
        reason="spam",
        actor=operator,
        now=acme.now,
    )
    hit, other = terms.read(connection, [asked("ada@acme.test"), asked("eve@other.test")])
    assert hit.refusal.kind is Answer.SUSPENDED
    assert hit.refusal.text == f"Sending is suspended for this {what}; contact postmaster@smailor.test"
    assert other.refusal is None
    suspension_service.lift(acme.database, subject=Subject.parse(subject), reason="", actor=operator, now=acme.now)
    assert terms.read(connection, [asked("ada@acme.test")])[0].refusal is None


def test_a_suspended_sender_domain_stops_other_domains_people_too(acme, terms, connection, operator):
    suspension_service.suspend(
        acme.database,
        subject=Subject.parse("acme.test"),
        parts=frozenset({Part.SENDING}),
        reason="spam",
        actor=operator,
        now=acme.now,
    )
    hit, free = terms.read(connection, [asked("bob@acme.example", "acme.test"), asked("bob@acme.example")])
    assert hit.refusal is not None
    assert free.refusal is None


def test_receiving_alone_stops_no_sending(acme, terms, connection, operator):
    suspension_service.suspend(
        acme.database,
        subject=Subject.parse("acme"),
        parts=frozenset({Part.RECEIVING}),
        reason="moving",
        actor=operator,
        now=acme.now,
    )
    assert terms.read(connection, [asked("ada@acme.test")])[0].refusal is None


def test_a_paused_account_is_told_where_to_confirm(acme, terms, connection, operator):
    pause_service.pause(
        acme.database, account="ada@acme.test", anomaly=Anomaly(Kind.VOLUME, "500 recipients"), now=acme.now
    )
    (found,) = terms.read(connection, [asked("ada@acme.test")])
    assert found.refusal.kind is Answer.PAUSED
    assert "500 recipients" in found.refusal.text
    assert "https://mail.smailor.test/settings/ada@acme.test/sending" in found.refusal.text
    pause_service.confirm(acme.database, account="ada@acme.test", actor=operator, now=acme.now)
    assert terms.read(connection, [asked("ada@acme.test")])[0].refusal is None


def test_a_suppressed_recipient_is_refused_with_date_and_reason(acme, terms, connection, operator):
    suppression_service.add(
        acme.database,
        workspace="acme",
        address="Gone@Stranger.test",
        reason="mailbox does not exist",
        actor=operator,
        now=datetime(2026, 11, 2, 8, 0, tzinfo=UTC),
    )
    wanted = [
        ("acme", "gone@STRANGER.test"),
        ("other", "gone@stranger.test"),
        ("acme", "here@stranger.test"),
        ("acme", "no address at all"),
        ("acme", ""),
    ]
    first, *rest = terms.suppressed(connection, wanted)
    assert first.text == ("<gone@STRANGER.test> is on your suppression list since 2026-11-02 (mailbox does not exist)")
    assert (first.code, first.enhanced_code) == (550, "5.7.1")
    assert rest == [None] * 4
    assert terms.suppressed(connection, []) == []


def test_every_change_of_terms_raises_the_generation(acme, operator, database, connection):
    def generation():
        return connection.rows("SELECT generation FROM sending_terms")[0][0]

    ada = Subject.parse("ada@acme.test")
    given = {"actor": operator, "now": acme.now}
    changes = [
        lambda: limit_service.set_limit(
            database, subject=ada, measure="messages/hour", maximum=1, reason="x", expires_at=None, **given
        ),
        lambda: limit_service.clear_limit(database, subject=ada, measure=None, reason="", **given),
        lambda: suspension_service.suspend(database, subject=ada, parts=frozenset({Part.SENDING}), reason="x", **given),
        lambda: suspension_service.lift(database, subject=ada, reason="", **given),
        lambda: suppression_service.add(database, workspace="acme", address="x@y.test", **given),
        lambda: suppression_service.remove(database, workspace="acme", address="x@y.test", **given),
        lambda: graduate(acme, operator, "acme.test"),
        lambda: pause_service.pause(
            database, account="ada@acme.test", anomaly=Anomaly(Kind.VOLUME, "much"), now=acme.now
        ),
        lambda: pause_service.confirm(database, account="ada@acme.test", **given),
        lambda: acme.workspace("new", "new.test"),
    ]
    for change in changes:
        before = generation()
        change()
        assert generation() > before, change


def test_what_is_no_change_of_terms_raises_nothing(acme, connection):
    before = connection.rows("SELECT generation FROM sending_terms")
    acme.person("somebody@acme.test")
    acme.inbox("acme", "new@acme.test")
    assert connection.rows("SELECT generation FROM sending_terms") == before


def test_a_cap_set_by_hand_holds_after_the_warm_up_as_well(acme, terms, connection, operator):
    setting = Setting(cap=50)
    for one in (setting, replace(setting, cap=None, graduated=True)):
        warmup_service.set_warmup(
            acme.database,
            domain="acme.test",
            setting=one,
            schedule=Schedule(),
            reason="slowly",
            actor=operator,
            now=acme.now,
        )
        (found,) = terms.read(connection, [asked("ada@acme.test")])
        assert found.limits[0].limit == Limit("recipients", TODAY, 50)
