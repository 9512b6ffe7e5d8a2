"""What a workspace's page shows of its sending: of all its domains and accounts at once, in so many statements."""

from datetime import timedelta

import pytest

from smailor.errors import NotFound
from smailor.sending import limit_service, overview, suspension_service, warmup_service
from smailor.sending.subject import Subject
from smailor.sending.suspension import Part
from smailor.sending.warmup import Record, Schedule, Thresholds
from smailor.sending.warmup_service import Setting

SCHEDULE = Schedule()


@pytest.fixture
def seen(acme, plans):
    """The overview of a workspace, to somebody who may see some domains."""

    def seen(workspace="acme", sees=bool, now=acme.now):
        return overview.overview(acme.database, workspace=workspace, plans=plans, schedule=SCHEDULE, sees=sees, now=now)

    return seen


@pytest.fixture
def put(acme, operator):
    def put(subject, measure, maximum, expires_at=None):
        limit_service.set_limit(
            acme.database,
            subject=Subject.parse(subject),
            measure=measure,
            maximum=maximum,
            reason="slowly",
            expires_at=expires_at,
            actor=operator,
            now=acme.now,
        )

    return put


def names(found):
    return [warmup.domain for warmup, _ in found.domains]


def maxima(views):
    return {view.measure: view.maximum for view in views}


def uses(views):
    return {view.measure: view.used for view in views}


def test_it_is_what_each_domain_shows_by_itself(acme, plans, operator, put, send, seen):
    """One domain is warming and held, one was never looked at by the job, one is set by hand."""
    acme.claim("acme", "third.test")
    acme.verify("acme", "third.test")
    for key, messages in (("workspace:acme", 9), ("domain:acme.test", 4), ("domain:third.test", 5)):
        send(key, messages)
    put("acme", "messages/hour", 77)
    put("acme.test", "recipients/day", 88)
    put("third.test", "messages/day", 99, expires_at=acme.now + timedelta(minutes=1))
    bad = Record(sent=100, accepted=70, hard_bounces=30)
    now = acme.now + timedelta(days=1)
    warmup_service.note_day(acme.database, domain="acme.test", day=acme.now.date(), more=bad)
    warmup_service.run_steps(acme.database, schedule=SCHEDULE, thresholds=Thresholds(), now=now)
    acme.claim("acme", "new.test")
    acme.verify("acme", "new.test")
    warmup_service.set_warmup(
        acme.database,
        domain="third.test",
        setting=Setting(cap=5),
        schedule=SCHEDULE,
        reason="by hand",
        actor=operator,
        now=now,
    )
    for moment in (acme.now, now):
        found = seen(now=moment)
        shown = {"database": acme.database, "now": moment}
        assert names(found) == ["acme.example", "acme.test", "new.test", "third.test"]
        assert found.limits == limit_service.show_limits(subject=Subject.parse("acme"), plans=plans, **shown)
        for warmup, limits in found.domains:
            subject = Subject.parse(warmup.domain)
            assert warmup == warmup_service.show_warmup(domain=warmup.domain, schedule=SCHEDULE, **shown)
            assert limits == limit_service.show_limits(subject=subject, plans=plans, **shown)
    held, young, by_hand = (warmup for warmup, _ in found.domains[1:])
    assert (held.outlook.held, held.record) == ("hard-bounces", bad)
    assert (young.judged, young.record, young.outlook.cap) == (None, None, 480)
    assert (by_hand.outlook.cap, by_hand.operators_reason) == (5, "by hand")


def test_limits_and_uses_are_each_one_s_own(acme, send, put, seen):
    acme.inbox("acme", "acme@acme.test")
    send("domain:acme.test", 2)
    send("account:acme@acme.test", 1)
    send("domain:other.test", 3)
    put("acme", "messages/hour", 1)
    put("acme@acme.test", "messages/hour", 2)
    found = seen()
    limits = {warmup.domain: limits for warmup, limits in found.domains}
    assert maxima(found.limits)["messages/hour"] == 1
    assert maxima(limits["acme.test"])["messages/hour"] == 2000
    assert maxima(limits["acme.test"]) == maxima(limits["acme.example"])
    assert (uses(found.limits)["messages/hour"], uses(limits["acme.test"])["messages/hour"]) == (0, 2)
    assert uses(limits["acme.example"])["messages/hour"] == 0
    assert [(use.account, use.messages_hour, use.messages_hour_maximum) for use in found.accounts] == [
        ("acme@acme.test", 1, 2),
        ("ada@acme.test", 0, 200),
        ("bob@acme.example", 0, 200),
    ]


def test_the_busiest_accounts_come_first(acme, send, put, seen, monkeypatch):
    send("account:bob@acme.example", 3)
    put("ada@acme.test", "messages/hour", 11)
    put("bob@acme.example", "recipients/day", 12, expires_at=acme.now + timedelta(hours=1))
    first, second = seen().accounts
    assert (first.account, first.messages_hour, first.recipients_day) == ("bob@acme.example", 3, 6)
    assert first.recipients_day_maximum == 12
    assert (second.account, second.messages_hour_maximum) == ("ada@acme.test", 11)
    monkeypatch.setattr(overview, "BUSIEST", 1)
    assert seen().accounts == (first,)
    assert seen(now=acme.now + timedelta(hours=2)).accounts[0].recipients_day_maximum == 2000


def test_who_may_see_one_domain_sees_nothing_of_another(acme, operator, seen):
    for subject in ("acme", "acme.test", "ada@acme.test", "bob@acme.example", "eve@other.test", "other"):
        suspension_service.suspend(
            acme.database,
            subject=Subject.parse(subject),
            parts=frozenset({Part.SENDING}),
            reason="spam",
            actor=operator,
            now=acme.now,
        )
    assert [entry.subject.name for entry in seen().suspensions] == [
        "acme",
        "acme.test",
        "ada@acme.test",
        "bob@acme.example",
    ]
    found = seen(sees=lambda domain: domain == "acme.example")
    assert names(found) == ["acme.example"]
    assert [use.account for use in found.accounts] == ["bob@acme.example"]
    assert [entry.subject.name for entry in found.suspensions] == ["acme", "bob@acme.example"]


def test_a_workspace_without_a_verified_domain_has_limits(house, plans, seen):
    house.workspace("empty")
    house.claim("empty", "claimed.test")
    house.inbox("empty", "ada@claimed.test")
    found = seen("empty")
    assert maxima(found.limits)["messages/hour"] == 4000
    assert (found.domains, found.accounts, found.suspensions) == ((), (), ())
    with pytest.raises(NotFound):
        seen("nobody")


def test_it_is_six_statements_however_many_domains_and_inboxes(acme, seen, statements):
    for number in range(10):
        acme.claim("acme", f"domain{number}.test")
        acme.verify("acme", f"domain{number}.test")
        acme.inbox("acme", f"ada@domain{number}.test")
    with statements(acme.database) as said:
        found = seen()
    assert (len(found.domains), len(found.accounts), len(said)) == (12, 12, 6)
