"""Suspensions: who is concerned, what they keep from whom, and that each is in the audit trail. And the trail itself."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from smailor.accounts import app_passwords, member_changes
from smailor.errors import NotFound, TemporaryFailure
from smailor.sending import subjects, suspension_service
from smailor.sending.subject import Subject
from smailor.sending.suspension import Part, in_the_way


@pytest.fixture
def suspend(acme, operator):
    def suspend(subject, *parts):
        return suspension_service.suspend(
            acme.database,
            subject=Subject.parse(subject),
            parts=frozenset(parts),
            reason="spam",
            actor=operator,
            now=acme.now,
        )

    return suspend


def lift(acme, operator, subject):
    return suspension_service.lift(
        acme.database, subject=Subject.parse(subject), reason="clean", actor=operator, now=acme.now
    )


def in_the_way_of(acme, address, part):
    return in_the_way(suspension_service.suspensions_of(acme.database, address=address), part)


def rows(acme, query, **values):
    with acme.database.reading() as session:
        return [tuple(row) for row in session.execute(text(query), values)]


SUBJECTS = ["ada@acme.test", "acme.test", "acme"]


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_suspended_log_in_opens_nothing(acme, operator, suspend, subject):
    for login in ("ada@acme.test", "bob@acme.example", "eve@other.test"):
        app_passwords.create_app_password(acme.database, login=login, label="x", expires_at=None, now=acme.now)
    suspend(subject, Part.LOGIN)
    open_to = {login for (login,) in rows(acme, "SELECT username FROM dovecot_passwords")}
    assert "ada@acme.test" not in open_to
    assert "eve@other.test" in open_to
    assert ("bob@acme.example" in open_to) == (subject != "acme")
    found = in_the_way_of(acme, "ada@acme.test", Part.LOGIN)
    assert (str(found.subject), found.reason) == (str(Subject.parse(subject)), "spam")
    assert in_the_way_of(acme, "eve@other.test", Part.LOGIN) is None
    lift(acme, operator, subject)
    assert len(rows(acme, "SELECT username FROM dovecot_passwords")) == 3


@pytest.mark.parametrize("part", [Part.SENDING, Part.RECEIVING])
def test_other_suspensions_leave_the_log_in_open(acme, suspend, part):
    app_passwords.create_app_password(acme.database, login="ada@acme.test", label="x", expires_at=None, now=acme.now)
    suspend("acme", part)
    assert rows(acme, "SELECT username FROM dovecot_passwords") == [("ada@acme.test",)]


@pytest.mark.parametrize("subject", SUBJECTS)
def test_mail_waits_for_whoever_may_not_receive(acme, operator, suspend, subject):
    suspend(subject, Part.RECEIVING)
    held = {recipient for (recipient,) in rows(acme, "SELECT recipient FROM mta_held")}
    queued = {destination for (destination,) in rows(acme, "SELECT destination FROM mta_transports")}
    assert "ada@acme.test" in held == queued
    assert "eve@other.test" not in held
    lift(acme, operator, subject)
    assert rows(acme, "SELECT * FROM mta_held") == rows(acme, "SELECT * FROM mta_transports") == []


def test_several_suspensions_hold_beside_each_other(acme, operator, suspend):
    suspend("ada@acme.test", Part.SENDING)
    suspend("ada@acme.test", Part.RECEIVING)
    suspend("acme.test", Part.SENDING)
    suspend("other", Part.SENDING)
    assert len(suspension_service.list_suspensions(acme.database)) == 4
    assert len(suspension_service.list_suspensions(acme.database, workspace="acme")) == 3
    assert lift(acme, operator, "ada@acme.test") == 2
    assert len(suspension_service.suspensions_of(acme.database, address="ada@acme.test")) == 1
    found = in_the_way_of(acme, "ada@acme.test", Part.SENDING)
    assert str(found.subject) == "domain:acme.test"


def test_nobody_is_suspended_who_is_not_there(acme, operator, suspend, trail):
    for subject in ("nobody@acme.test", "nowhere.test", "nothing"):
        with pytest.raises(NotFound):
            suspend(subject, Part.SENDING)
    with pytest.raises(NotFound):
        lift(acme, operator, "acme")
    assert trail() == ()


def test_each_change_says_who_and_why(acme, operator, suspend, trail):
    suspend("acme", Part.SENDING, Part.LOGIN)
    lift(acme, operator, "acme")
    lifted, added = trail(on="workspace:acme")
    assert (added.action, added.actor, added.source) == ("suspension.add", operator.name, operator.source)
    assert (added.reason, added.outcome, added.at) == ("spam", "done", acme.now)
    assert added.details == {"parts": ["login", "sending"]}
    assert (lifted.action, lifted.reason, lifted.details) == ("suspension.lift", "clean", {"lifted": 1})


@pytest.mark.parametrize("change", ["UPDATE audit_entries SET reason = 'another'", "DELETE FROM audit_entries"])
def test_the_audit_trail_cannot_be_changed(acme, suspend, change, trail):
    suspend("acme", Part.SENDING)
    with (
        pytest.raises((DBAPIError, TemporaryFailure), match="only added to"),
        acme.database.transaction() as session,
    ):
        session.execute(text(change))
    assert len(trail()) == 1


def test_a_change_that_fails_leaves_no_entry(acme, operator, monkeypatch, trail):
    monkeypatch.setattr(suspension_service, "view", lambda row: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        suspension_service.suspend(
            acme.database,
            subject=Subject.parse("acme"),
            parts=frozenset({Part.SENDING}),
            reason="spam",
            actor=operator,
            now=acme.now,
        )
    assert trail() == ()


def test_who_belongs_to_suspended_workspaces_only_is_out(acme, suspend):
    guest = acme.person("guest@elsewhere.test")
    asked = {"user_id": guest.id, "email": guest.email}
    assert suspension_service.login_suspended(acme.database, **asked) is None
    for workspace in ("acme", "other"):
        member_changes.add_member(acme.database, workspace=workspace, email=guest.email, role="member", now=acme.now)
    suspend("acme", Part.LOGIN)
    assert suspension_service.login_suspended(acme.database, **asked) is None
    suspend("other", Part.LOGIN)
    assert suspension_service.login_suspended(acme.database, **asked) is not None


def test_all_log_ins_of_a_subject_are_named_for_dovecot(acme):
    named = {subject: subjects.login_masks(acme.database, Subject.parse(subject)) for subject in SUBJECTS}
    assert named == {
        "ada@acme.test": ("ada@acme.test",),
        "acme.test": ("*@acme.test",),
        "acme": ("*@acme.example", "*@acme.test"),
    }
