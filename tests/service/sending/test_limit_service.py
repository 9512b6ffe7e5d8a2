"""Limits as they are shown, set and cleared, each change with who and why."""

from datetime import timedelta

import pytest

from smailor.errors import InvalidInput, NotFound
from smailor.sending import limit_service
from smailor.sending.models import SendingRecipient
from smailor.sending.subject import Subject

ADA = Subject.parse("ada@acme.test")


@pytest.fixture
def put(acme, operator):
    def put(subject="ada@acme.test", measure="messages/hour", maximum=5, reason="slowly", expires_at=None):
        limit_service.set_limit(
            acme.database,
            subject=Subject.parse(subject),
            measure=measure,
            maximum=maximum,
            reason=reason,
            expires_at=expires_at,
            actor=operator,
            now=acme.now,
        )

    return put


def shown(acme, plans, subject="ada@acme.test", now=None):
    views = limit_service.show_limits(acme.database, subject=Subject.parse(subject), plans=plans, now=now or acme.now)
    return {view.measure: view for view in views}


def test_the_plan_s_limits_and_their_use_are_shown(acme, plans, send):
    send("account:ada@acme.test", 7)
    view = shown(acme, plans)["messages/hour"]
    assert (view.maximum, view.plan_maximum, view.used, view.reason) == (200, 200, 7, "")
    assert shown(acme, plans)["recipients/day"].used == 14
    assert shown(acme, plans)["recipients/message"].used is None
    assert shown(acme, plans)["unique-recipients/day"].used == 0
    with acme.database.transaction() as session:
        day = int(acme.now.timestamp()) // 86_400
        for number in range(3):
            session.add(SendingRecipient(account="account:ada@acme.test", day=day, digest=bytes([number] * 16)))
    assert shown(acme, plans)["unique-recipients/day"].used == 3
    assert shown(acme, plans, now=acme.now + timedelta(hours=2))["messages/hour"].used == 0
    assert set(shown(acme, plans, "acme.test")) == {
        "messages/hour",
        "messages/day",
        "recipients/hour",
        "recipients/day",
    }


def test_another_limit_is_shown_with_reason_and_end(acme, plans, put, operator):
    until = acme.now + timedelta(days=7)
    put(maximum=5)
    put(maximum=6, reason="launch  on\nMonday", expires_at=until)
    view = shown(acme, plans)["messages/hour"]
    assert (view.maximum, view.plan_maximum, view.reason) == (6, 200, "launch on Monday")
    assert (view.set_by, view.expires_at) == (operator.name, until)
    assert shown(acme, plans, now=until)["messages/hour"].maximum == 200
    assert limit_service.prune_expired(acme.database, now=until) == 1


def test_each_change_is_in_the_audit_trail(acme, put, operator, trail):
    put(maximum=5, reason="slowly")
    put(maximum=9, reason="faster")
    limit_service.clear_limit(
        acme.database, subject=ADA, measure="messages/hour", reason="", actor=operator, now=acme.now
    )
    cleared, second, first = trail(on="account:ada@acme.test")
    assert (first.action, first.actor, first.source, first.reason) == (
        "limit.set",
        "operator@smailor.test",
        "192.0.2.1",
        "slowly",
    )
    assert (second.details["before"], second.details["maximum"]) == (5, 9)
    assert (cleared.action, cleared.details) == ("limit.clear", {"measures": ["messages/hour"]})
    assert trail(workspace="acme") == (cleared, second, first)
    assert trail(workspace="other") == ()


@pytest.mark.parametrize(
    "wrong",
    [
        {"measure": "letters/hour"},
        {"measure": "unique-recipients/day", "subject": "acme.test"},
        {"maximum": -1},
        {"maximum": 2**31},
        {"reason": "  "},
        {"reason": "x" * 1001},
        {"reason": "a\u202eb"},
    ],
)
def test_what_cannot_be_set_changes_nothing(acme, plans, put, wrong, trail):
    with pytest.raises(InvalidInput):
        put(**wrong)
    assert all(not view.reason for view in shown(acme, plans).values())
    assert trail() == ()


def test_an_end_in_the_past_is_refused(acme, put):
    with pytest.raises(InvalidInput):
        put(expires_at=acme.now)


@pytest.mark.parametrize("subject", ["nobody@acme.test", "nowhere.test", "nothing", "x@nowhere.test"])
def test_nobody_has_limits_who_is_not_there(acme, plans, put, subject):
    with pytest.raises(NotFound):
        put(subject=subject)
    with pytest.raises(NotFound):
        shown(acme, plans, subject)


def test_nothing_is_cleared_where_nothing_was_set(acme, put, operator):
    with pytest.raises(NotFound):
        limit_service.clear_limit(acme.database, subject=ADA, measure=None, reason="", actor=operator, now=acme.now)
    put()
    put(measure="messages/day")
    cleared = limit_service.clear_limit(
        acme.database, subject=ADA, measure=None, reason="", actor=operator, now=acme.now
    )
    assert cleared == 2
