"""What tenants see of their limits, how they keep their suppression list, and the operator's hand on all of it."""

import io

import pytest

from smailor.accounts import audit, member_changes
from smailor.accounts import service as accounts
from smailor.accounts.audit import Actor
from smailor.sending import limit_service, pause_service, suppression_service, suspension_service, warmup_service
from smailor.sending.anomalies import Anomaly, Kind
from smailor.sending.subject import Subject
from smailor.sending.suspension import Part

PASSWORD = "correct horse battery"
POSTMASTER = Actor("postmaster@smailor.test", "192.0.2.1")


def shown(answer, code=200):
    text = answer.get_data(as_text=True)
    assert answer.status_code == code, text
    return text


@pytest.fixture
def operator(database, acme, stranger):
    accounts.create_user(
        database, email="boss@smailor.test", name="Boss", password=PASSWORD, operator=True, now=acme.now
    )
    stranger.log_in("boss@smailor.test")
    return stranger


def suspend(acme, subject, *parts, reason="spam was seen"):
    suspension_service.suspend(
        acme.database,
        subject=Subject.parse(subject),
        parts=frozenset(parts),
        reason=reason,
        actor=POSTMASTER,
        now=acme.now,
    )


def test_a_tenant_sees_limits_warm_up_and_inboxes(browser, acme):
    browser.log_in("owner@acme.test")
    page = shown(browser.get("/w/acme/sending/"))
    assert "Step 1 of 16" in page
    assert "480" in page
    assert "672 recipients a day after a day on which more than 90 % of what was sent was accepted" in page
    assert "4,000" in page, "the workspace's messages in an hour"
    assert "0 of 2,000 messages in any hour" in page, "the domain's"
    assert "owner@acme.test" in page


def test_a_limit_set_by_hand_is_shown_with_its_reason(browser, acme, database):
    limit_service.set_limit(
        database,
        subject=Subject.parse("acme"),
        measure="messages/hour",
        maximum=77,
        reason="trial until paid",
        expires_at=None,
        actor=POSTMASTER,
        now=acme.now,
    )
    browser.log_in("owner@acme.test")
    page = shown(browser.get("/w/acme/sending/"))
    assert "trial until paid" in page
    assert "77" in page


def test_a_suspension_is_shown_with_reason_and_whom_to_ask(browser, acme):
    suspend(acme, "acme.test", Part.SENDING, Part.RECEIVING)
    browser.log_in("owner@acme.test")
    page = shown(browser.get("/w/acme/sending/"))
    assert "acme.test: receiving suspended, sending suspended" in page
    assert "spam was seen" in page
    assert "postmaster@smailor.test" in page
    assert "spam was seen" in shown(browser.get("/settings/owner@acme.test/sending"))


def test_addresses_are_suppressed_found_and_released(browser, acme, database):
    browser.log_in("owner@acme.test")
    path = "/w/acme/sending/"
    page = shown(browser.post("/w/acme/suppressions/", page=path, address="Gone@Stranger.test", reason="moved"))
    assert "gone@stranger.test" in page
    assert "moved" in page
    assert "gone@stranger.test" not in shown(browser.get(path, query_string={"search": "other"})).partition("<main")[2]
    again = browser.post("/w/acme/suppressions/", page=path, address="gone@stranger.test")
    assert "is on the list already" in shown(again, 422)
    assert "address-error" in shown(browser.post("/w/acme/suppressions/", page=path, address="<script>"), 422)
    assert "gone@stranger.test,moved" in shown(browser.get("/w/acme/suppressions.csv"))
    for _ in range(2):  # the second time it is gone already
        shown(browser.post("/w/acme/suppressions/remove", page=path, address="gone@stranger.test"))
    assert suppression_service.list_suppressed(database, workspace="acme") == ()
    entries = [entry for entry in audit.entries(database, workspace="acme") if entry.action.startswith("suppression.")]
    assert {entry.actor for entry in entries} == {"owner@acme.test"}


def test_a_csv_file_is_imported_and_what_cannot_be_read_is_told(browser, acme, database):
    browser.log_in("owner@acme.test")
    content = b"email;reason\nA@x.test;bounced\nb@x.test;\nnonsense;\n" + bytes(range(128, 255)) + b"\n"
    page = shown(
        browser.post("/w/acme/suppressions/import", page="/w/acme/sending/", file=(io.BytesIO(content), "list.csv"))
    )
    assert "2 addresses added" in page
    assert "2 lines could not be read" in page
    assert [entry.address for entry in suppression_service.list_suppressed(database, workspace="acme")] == [
        "a@x.test",
        "b@x.test",
    ]
    assert "Choose a file" in shown(browser.post("/w/acme/suppressions/import", page="/w/acme/sending/"), 422)


def test_long_lists_come_in_pages(browser, acme, database):
    text = "\n".join(f"u{number:03}@x.test" for number in range(120))
    suppression_service.import_csv(database, workspace="acme", text=text, actor=POSTMASTER, now=acme.now)
    browser.log_in("owner@acme.test")
    page = shown(browser.get("/w/acme/sending/"))
    assert "u049@x.test" in page
    assert "u050@x.test" not in page
    page = shown(browser.get("/w/acme/sending/", query_string={"after": "u049@x.test"}))
    assert "u050@x.test" in page


def test_another_tenants_list_stays_theirs(browser, acme, database):
    suppression_service.add(database, workspace="other", address="x@y.test", actor=POSTMASTER, now=acme.now)
    browser.log_in("owner@acme.test")
    browser.post("/w/acme/suppressions/remove", page="/w/acme/sending/", address="x@y.test")
    assert len(suppression_service.list_suppressed(database, workspace="other")) == 1
    assert "x@y.test" not in shown(browser.get("/w/acme/sending/"))


def test_the_reader_of_a_paused_inbox_says_that_it_was_meant(browser, acme, database):
    pause_service.pause(
        database, account="owner@acme.test", anomaly=Anomaly(Kind.VOLUME, "500 recipients"), now=acme.now
    )
    browser.log_in("owner@acme.test")
    path = "/settings/owner@acme.test/sending"
    assert "500 recipients" in shown(browser.get(path))
    assert "You can send again" in shown(browser.post(f"{path}/confirm", page=path))
    assert pause_service.pause_of(database, account="owner@acme.test") is None
    assert "not paused" in shown(browser.post(f"{path}/confirm", page="/w/acme/sending/"))


def test_whose_log_in_is_suspended_is_out_at_once_and_told_why(browser, acme):
    browser.log_in("owner@acme.test")
    shown(browser.get("/w/acme/domains/"))
    suspend(acme, "owner@acme.test", Part.LOGIN, reason="stolen password")
    assert browser.get("/w/acme/domains/").location.startswith("/login")
    page = shown(browser.log_in("owner@acme.test"), 403)
    assert "stolen password" in page
    assert "postmaster@smailor.test" in page
    suspension_service.lift(
        acme.database, subject=Subject.parse("owner@acme.test"), reason="", actor=POSTMASTER, now=acme.now
    )
    shown(browser.get("/w/acme/domains/"))


@pytest.mark.parametrize("subject", ["acme.test", "acme"])
def test_a_suspended_domain_or_workspace_closes_to_its_people(browser, acme, subject):
    browser.log_in("owner@acme.test")
    suspend(acme, subject, Part.LOGIN)
    assert browser.get("/w/acme/domains/").location.startswith("/login")


def test_whoever_belongs_elsewhere_too_goes_on_there(browser, acme, database):
    acme.person("guest@elsewhere.test")
    for workspace in ("acme", "other"):
        member_changes.add_member(
            database, workspace=workspace, email="guest@elsewhere.test", role="owner", now=acme.now
        )
    browser.log_in("guest@elsewhere.test")
    suspend(acme, "acme", Part.LOGIN, reason="unpaid")
    assert "unpaid" in shown(browser.get("/w/acme/domains/"), 403)
    shown(browser.get("/w/other/domains/"))
    suspend(acme, "other", Part.LOGIN)
    assert browser.get("/w/other/domains/").location.startswith("/login")


def test_a_suspended_inbox_is_closed_to_another_person_who_reads_it(browser, acme):
    acme.inbox("acme", "team@acme.test", reader="owner@acme.test")
    browser.log_in("owner@acme.test")
    suspend(acme, "team@acme.test", Part.LOGIN)
    assert "spam was seen" in shown(browser.get("/mail/team@acme.test/INBOX/"), 403)
    shown(browser.get("/w/acme/domains/"))


def test_suspended_sending_closes_no_page(browser, acme):
    suspend(acme, "acme", Part.SENDING, Part.RECEIVING)
    browser.log_in("owner@acme.test")
    shown(browser.get("/w/acme/domains/"))


def test_the_operators_pages_do_not_exist_for_others(browser, acme):
    browser.log_in("owner@acme.test")
    assert browser.get("/operator/sending").status_code == 404
    assert "/operator/sending" not in shown(browser.get("/w/acme/sending/"))


def test_the_operator_sets_and_clears_a_limit(operator, database):
    path = "/operator/sending?subject=owner@acme.test"
    page = shown(operator.get(path))
    assert "Messages in any hour" in page
    form = {"subject": "owner@acme.test", "measure": "messages/hour", "maximum": "5", "limit_reason": "spam trap"}
    page = shown(operator.post("/operator/sending/limit", page=path, **form))
    assert "spam trap" in page
    for wrong in (
        {"maximum": "-1"},
        {"maximum": "many"},
        {"limit_reason": ""},
        {"expires": "2001-01-01"},
        {"measure": "x"},
    ):
        answer = operator.post("/operator/sending/limit", page=path, **{**form, **wrong})
        assert "-error" in shown(answer, 422), wrong
    page = shown(operator.post("/operator/sending/limit", page=path, subject="owner@acme.test", clear="messages/hour"))
    assert "Set by hand" not in page
    cleared, put = audit.entries(database, on="account:owner@acme.test", limit=2)
    assert (cleared.action, put.action) == ("limit.clear", "limit.set")
    assert cleared.source == "127.0.0.1"


def test_the_operator_suspends_and_lifts(operator, database):
    path = "/operator/sending?subject=acme"
    form = {"subject": "acme", "sending": "y", "suspension_reason": "unpaid"}
    assert "unpaid" in shown(operator.post("/operator/sending/suspension", page=path, **form))
    assert [entry.parts for entry in suspension_service.list_suspensions(database)] == [frozenset({Part.SENDING})]
    none = operator.post("/operator/sending/suspension", page=path, subject="acme", suspension_reason="x")
    assert "at least one" in shown(none, 422)
    shown(operator.post("/operator/sending/suspension", page=path, subject="acme", lift="1"))
    assert suspension_service.list_suspensions(database) == ()


def test_the_operator_steers_a_warm_up(operator, acme, database):
    path = "/operator/sending?subject=acme.test"
    given = {"subject": "acme.test", "warmup_reason": "knows the domain"}
    assert "Step 5 of 16" in shown(operator.post("/operator/sending/warmup", page=path, day="5", **given))
    assert "Paused" in shown(operator.post("/operator/sending/warmup", page=path, verb="pause", **given))
    assert "Paused" not in shown(operator.post("/operator/sending/warmup", page=path, verb="resume", **given))
    assert "of 33" in shown(operator.post("/operator/sending/warmup", page=path, cap="33", **given))
    shown(operator.post("/operator/sending/warmup", page=path, verb="clear-cap", **given))
    assert "Past warm-up" in shown(operator.post("/operator/sending/warmup", page=path, verb="graduate", **given))
    assert "-error" in shown(operator.post("/operator/sending/warmup", page=path, day="99", **given), 422)
    assert "-error" in shown(operator.post("/operator/sending/warmup", page=path, **given), 422)
    view = warmup_service.show_warmup(database, domain="acme.test", schedule=warmup_service.Schedule(), now=acme.now)
    assert view.outlook.cap is None


def test_the_operator_looks_for_what_is_not_there(operator):
    for wanted in ("nobody@acme.test", "nowhere.test", "nothing", "@", "<script>alert(1)</script>"):
        page = shown(operator.get("/operator/sending", query_string={"subject": wanted}), 404)
        assert "<script>alert" not in page
    assert "Nobody is suspended" in shown(operator.get("/operator/sending"))


def test_the_operator_lets_a_paused_account_go_on(operator, acme, database):
    pause_service.pause(database, account="owner@acme.test", anomaly=Anomaly(Kind.NETWORKS, "9 networks"), now=acme.now)
    assert "9 networks" in shown(operator.get("/operator/sending"))
    shown(operator.post("/operator/sending/confirm", page="/operator/sending", subject="owner@acme.test"))
    assert pause_service.list_pauses(database) == ()
