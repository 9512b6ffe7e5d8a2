"""The operator console: nothing of a tenant opens without a reason, and nobody acts in another's name unseen."""

from datetime import timedelta

import pytest

from smailor.accounts import audit, service
from smailor.accounts import impersonation as acting_as
from smailor.errors import InvalidInput
from webui import create_app
from webui.admin.acting import ALLOWED, ALWAYS, REFUSED

REASON = "Ticket 4711: mail is refused"


@pytest.fixture
def clock(now):
    """A clock that tests put forward."""

    class Clock:
        at = now

        def __call__(self):
            return self.at

    return Clock()


@pytest.fixture
def app(settings, database, resolver, clock):
    app = create_app(settings, database=database, resolver=resolver, clock=clock)
    app.testing = True
    app.config["PROPAGATE_EXCEPTIONS"] = False
    return app


@pytest.fixture
def operator(acme, browser):
    service.create_user(
        acme.database,
        email="op@smailor.test",
        name="Olga Operator",
        password="correct horse battery",
        operator=True,
        now=acme.now,
    )
    browser.log_in("op@smailor.test")
    return browser


def number_of(house, email):
    return next(user.id for user in service.list_users(house.database) if user.email == email)


def actions(house, **wanted):
    return [(entry.actor, entry.action, entry.object) for entry in audit.entries(house.database, **wanted)]


@pytest.mark.parametrize(
    "path",
    [
        "/operator/",
        "/operator/workspaces/acme",
        "/operator/people",
        "/operator/people/1",
        "/operator/health",
        "/operator/queue",
        "/operator/audit",
    ],
)
def test_the_console_does_not_exist_for_others(acme, browser, path):
    browser.log_in("owner@acme.test")
    assert browser.get(path).status_code == 404


def test_workspaces_are_found_by_a_part_of_their_name(operator):
    page = operator.get("/operator/?q=ACM").get_data(as_text=True)
    assert "/operator/workspaces/acme" in page
    assert "/operator/workspaces/other" not in page
    assert "Nothing found" in operator.get("/operator/?q=%25").get_data(as_text=True)


def test_people_are_found_by_a_part_of_their_address(operator):
    page = operator.get("/operator/people?q=owner@a").get_data(as_text=True)
    assert "owner@acme.test" in page
    assert "owner@other.test" not in page


def test_a_workspace_opens_with_a_reason_that_its_owners_read(acme, operator, stranger):
    assert "member@acme.test" not in operator.get("/operator/workspaces/acme").get_data(as_text=True)
    assert operator.post("/operator/workspaces/acme", reason="short").status_code == 422
    assert "member@acme.test" in operator.post("/operator/workspaces/acme", reason=REASON).get_data(as_text=True)
    assert ("op@smailor.test", "workspace.open", "workspace:acme") in actions(acme, workspace="acme")
    stranger.log_in("owner@acme.test")
    page = stranger.get("/w/acme/audit/").get_data(as_text=True)
    assert "op@smailor.test" in page
    assert REASON in page


def test_a_reason_opens_for_half_an_hour(operator, clock):
    operator.post("/operator/workspaces/acme", reason=REASON)
    clock.at += timedelta(minutes=10)
    assert "member@acme.test" in operator.get("/operator/workspaces/acme").get_data(as_text=True)
    clock.at += timedelta(minutes=10)
    assert "member@acme.test" in operator.get("/operator/workspaces/acme").get_data(as_text=True)
    clock.at += timedelta(minutes=11)
    assert "member@acme.test" not in operator.get("/operator/workspaces/acme").get_data(as_text=True)


def test_a_person_opens_with_a_reason(acme, operator):
    number = number_of(acme, "member@acme.test")
    path = f"/operator/people/{number}"
    assert "Authenticator app" not in operator.get(path).get_data(as_text=True)
    page = operator.post(path, reason=REASON).get_data(as_text=True)
    assert "Authenticator app: no" in page
    assert ("op@smailor.test", "person.open", "account:member@acme.test") in actions(acme, workspace="acme")


def test_a_suspended_person_is_out_until_it_is_lifted(acme, operator, stranger):
    path = f"/operator/people/{number_of(acme, 'member@acme.test')}"
    stranger.log_in("member@acme.test")
    operator.post(f"{path}/suspend", page=path, reason="Stolen password")
    assert stranger.get("/").location.startswith("/login")
    assert "Stolen password" in stranger.log_in("member@acme.test").get_data(as_text=True)
    operator.post(f"{path}/lift", page=path)
    stranger.log_in("member@acme.test")
    assert not stranger.get("/").location.startswith("/login")
    told = [action for _, action, _ in actions(acme, workspace="acme")]
    assert {"suspension.add", "suspension.lift"} <= set(told)


def test_a_reset_is_sent_and_written_down(acme, operator):
    path = f"/operator/people/{number_of(acme, 'member@acme.test')}"
    assert "member@acme.test" in operator.post(f"{path}/reset", page=path).get_data(as_text=True)
    assert ("op@smailor.test", "password.send-reset", "account:member@acme.test") in actions(acme, workspace="acme")


def test_whoever_runs_the_service_is_not_kept_out(acme, operator):
    path = f"/operator/people/{number_of(acme, 'op@smailor.test')}"
    assert operator.post(f"{path}/suspend", page="/operator/people?q=", reason="Because").status_code in {400, 422}


def act(operator, house, email="owner@acme.test", reason=REASON, minutes=15, follow=True):
    path = f"/operator/people/{number_of(house, email)}"
    return operator.post(f"{path}/act", page=path, reason=reason, minutes=minutes, follow=follow)


def test_acting_in_a_persons_name_shows_a_banner_and_what_they_see(acme, operator):
    act(operator, acme)
    page = operator.get("/w/acme/domains/").get_data(as_text=True)
    assert "You act as owner@acme.test." in page
    assert "/operator/stop-acting" in page
    assert operator.get("/operator/").status_code == 404


@pytest.mark.parametrize(("reason", "minutes"), [("short", 15), (REASON, 31), (REASON, 0), ("", 15)])
def test_acting_needs_a_reason_and_an_end(acme, operator, reason, minutes):
    assert act(operator, acme, reason=reason, minutes=minutes).status_code == 422
    assert operator.get("/operator/").status_code == 200


def test_nobody_acts_as_an_operator(acme, operator):
    service.create_user(
        acme.database, email="op2@smailor.test", name="O", password="correct horse battery", operator=True, now=acme.now
    )
    with pytest.raises(InvalidInput):
        acting_as.start(
            acme.database,
            session_id=1,
            operator=next(user for user in service.list_users(acme.database) if user.operator),
            user_id=number_of(acme, "op2@smailor.test"),
            reason=REASON,
            minutes=5,
            source="",
            now=acme.now,
        )


def test_acting_needs_a_fresh_log_in(acme, operator, clock):
    clock.at += timedelta(minutes=11)
    answer = act(operator, acme, follow=False)
    assert answer.status_code == 302
    assert "/confirm" in answer.location


def test_it_ends_by_itself(acme, operator, clock):
    act(operator, acme, minutes=10)
    clock.at += timedelta(minutes=10)
    page = operator.get("/operator/")
    assert page.status_code == 200
    assert "You act as" not in operator.get("/operator/people").get_data(as_text=True)


def test_it_ends_with_the_button(acme, operator):
    act(operator, acme)
    page = operator.post("/operator/stop-acting", page="/w/acme/domains/")
    assert page.status_code == 200
    assert operator.get("/operator/").status_code == 200
    told = actions(acme, workspace="acme")
    assert ("op@smailor.test", "impersonation.start", "account:owner@acme.test") in told
    assert ("op@smailor.test", "impersonation.end", "account:owner@acme.test") in told


def test_what_is_done_carries_both_names(acme, operator):
    act(operator, acme)
    operator.post("/w/acme/domains/", name="new.test")
    operator.post("/w/acme/suppressions/", page="/w/acme/sending/", address="bob@x.test", reason="")
    told = actions(acme, workspace="acme")
    assert ("op@smailor.test as owner@acme.test", "domain.add", "domain:new.test") in told
    assert [who for who, what, _ in told if what == "suppression.add"] == ["op@smailor.test as owner@acme.test"]


@pytest.mark.parametrize(
    "path",
    [
        "/settings/owner@acme.test/devices",
        "/settings/owner@acme.test/devices/1/revoke",
        "/mail/owner@acme.test/INBOX/",
        "/mail/owner@acme.test/compose",
    ],
)
def test_what_is_the_persons_alone_is_refused(acme, operator, path):
    act(operator, acme)
    assert operator.post(path, page="/w/acme/domains/").status_code == 403


def test_every_other_blueprints_changes_are_refused(acme, operator, app):
    """Denied unless listed: a page that is added later is closed to whoever acts in another's name."""
    act(operator, acme)
    values = {"slug": "acme", "address": "owner@acme.test", "name": "acme.test", "folder": "INBOX"}
    checked = 0
    for rule in app.url_map.iter_rules():
        if "POST" not in rule.methods or rule.endpoint in ALWAYS or rule.endpoint.startswith("api."):
            continue
        if rule.endpoint.partition(".")[0] in ALLOWED and rule.endpoint not in REFUSED:
            continue
        arguments = {name: values.get(name, "1") for name in rule.arguments}
        with app.test_request_context():
            path = app.url_map.bind("localhost").build(rule.endpoint, arguments, method="POST")
        assert operator.post(path, page="/w/acme/domains/", follow=False).status_code == 403, rule
        checked += 1
    assert checked > 5


def test_opening_a_persons_mail_is_shown_to_them(acme, operator, stranger):
    act(operator, acme)
    for _ in range(2):
        operator.get("/mail/owner@acme.test/INBOX/")
    opened = [row for row in actions(acme, workspace="acme") if row[1] == "inbox.open"]
    assert opened == [("op@smailor.test as owner@acme.test", "inbox.open", "account:owner@acme.test")]
    stranger.log_in("owner@acme.test")
    page = stranger.get("/settings/owner@acme.test/openings").get_data(as_text=True)
    assert "op@smailor.test as owner@acme.test" in page
    assert REASON in page
    stranger.get("/mail/owner@acme.test/INBOX/")
    assert len([row for row in actions(acme, workspace="acme") if row[1] == "inbox.open"]) == 1


def test_health_says_who_does_not_answer(operator):
    page = operator.get("/operator/health").get_data(as_text=True)
    assert "Dovecot, IMAP" in page
    assert "Does not answer" in page
