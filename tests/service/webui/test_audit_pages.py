"""The audit pages: an owner reads, filters and takes the trail of their own workspace; readers see who opened an inbox."""

import csv
import io
import json
from datetime import timedelta

import pytest

from smailor.accounts import audit, audit_search
from smailor.accounts.audit import Actor
from smailor.accounts.audit_search import Cursor, Filter
from smailor.mailboxes import service as mailboxes

EVIL = '=HYPERLINK("http://evil.test")'


def write(house, count=1, workspace="acme", **changes):
    with house.database.transaction() as session:
        for number in range(count):
            given = {
                "actor": Actor("ada@acme.test", "192.0.2.1"),
                "action": "thing.do",
                "on": f"thing:{number}",
                "workspace": workspace,
                "now": house.now + timedelta(seconds=number // 3),
                **changes,
            }
            audit.record_in(session, given.pop("actor"), **given)


def test_a_workspace_sees_its_own_entries_only(acme, browser):
    write(acme)
    write(acme, workspace="other", on="thing:secret")
    browser.log_in("owner@acme.test")
    page = browser.get("/w/acme/audit/").get_data(as_text=True)
    assert "thing:0" in page
    assert "thing:secret" not in page


@pytest.mark.parametrize(("email", "status"), [("member@acme.test", 403), ("owner@other.test", 404)])
@pytest.mark.parametrize("path", ["/w/acme/audit/", "/w/acme/audit/export.csv"])
def test_others_do_not(acme, browser, email, status, path):
    browser.log_in(email)
    assert browser.get(path).status_code == status


def test_pages_lead_through_all_entries_once(acme, browser):
    write(acme, count=120)
    seen, after = [], None
    while True:
        page = audit_search.search(acme.database, Filter(workspace="acme", action="thing.do"), after=after, limit=50)
        seen += [entry.object for entry in page.entries]
        if page.next is None:
            break
        after = Cursor.parse(str(page.next))
    assert seen == [f"thing:{number}" for number in reversed(range(120))]
    browser.log_in("owner@acme.test")
    assert "after=" in browser.get("/w/acme/audit/").get_data(as_text=True)
    streamed = audit_search.stream(acme.database, Filter(workspace="acme", action="thing.do"), limit=7)
    assert len(list(streamed)) == 7


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("actor=bob@acme.test", True),
        ("actor=nobody@acme.test", False),
        ("action=other.thing", True),
        ("object=thing:bob", True),
        ("since=2026-11-23&until=2026-11-23", True),
        ("since=2026-11-24", False),
        ("until=2026-11-22", False),
    ],
)
def test_the_filter(acme, browser, query, found):
    write(acme, actor=Actor("bob@acme.test", ""), action="other.thing", on="thing:bob")
    browser.log_in("owner@acme.test")
    assert (">thing:bob<" in browser.get(f"/w/acme/audit/?{query}").get_data(as_text=True)) is found


@pytest.mark.parametrize(
    "query", ["actor=a%00b", "since=rubbish", "object=" + "x" * 10_000, "action=%E2%80%AEx", "until=9999-12-31"]
)
def test_odd_filters_are_refused_or_find_nothing(acme, browser, query):
    browser.log_in("owner@acme.test")
    assert browser.get(f"/w/acme/audit/?{query}").status_code in {200, 422}


@pytest.mark.parametrize("after", ["x", "1-2-3", "9" * 17 + "-1", "1-" + "9" * 18, "%00", "-1-1"])
def test_odd_cursors_begin_anew(acme, browser, after):
    write(acme)
    browser.log_in("owner@acme.test")
    assert browser.get(f"/w/acme/audit/?after={after}").status_code == 200


def test_the_csv_file_holds_no_formula(acme, browser):
    write(acme, reason=EVIL, actor=Actor("@SUM(1)", "-1"), on="+1", details={"a": "ü"})
    browser.log_in("owner@acme.test")
    answer = browser.get("/w/acme/audit/export.csv?action=thing.do")
    assert answer.mimetype == "text/csv"
    assert "attachment" in answer.headers["Content-Disposition"]
    (row,) = csv.DictReader(io.StringIO(answer.get_data().decode("utf-8-sig")))
    assert (row["reason"], row["actor"], row["source"], row["object"]) == (f"'{EVIL}", "'@SUM(1)", "'-1", "'+1")
    assert json.loads(row["details"]) == {"a": "ü"}


def test_json_lines_have_every_value_as_it_is_and_taking_them_is_an_entry(acme, browser):
    write(acme, count=1203, reason=EVIL)
    browser.log_in("owner@acme.test")
    answer = browser.get("/w/acme/audit/export.jsonl?action=thing.do")
    rows = [json.loads(line) for line in answer.get_data(as_text=True).splitlines()]
    assert len(rows) == 1203
    assert rows[0]["reason"] == EVIL
    assert rows[0]["at"].endswith("Z")
    entry = audit.entries(acme.database, workspace="acme", limit=1)[0]
    assert (entry.actor, entry.action) == ("owner@acme.test", "audit.export")


def test_readers_of_a_shared_inbox_see_each_other(acme, browser, stranger):
    acme.inbox("acme", "office@acme.test", reader="owner@acme.test")
    mailboxes.add_reader(acme.database, workspace="acme", address="office@acme.test", reader="member@acme.test")
    stranger.log_in("member@acme.test")
    for _ in range(2):
        stranger.get("/mail/office@acme.test/INBOX/")
    browser.log_in("owner@acme.test")
    page = browser.get("/settings/office@acme.test/openings").get_data(as_text=True)
    assert page.count("<strong>inbox.open</strong>") == 1
    assert "inbox-reader.add" in page
    assert browser.get("/settings/other@acme.test/openings").status_code == 404
    stranger.log_in("member@acme.test")
    stranger.get("/mail/office@acme.test/INBOX/")
    page = browser.get("/settings/office@acme.test/openings").get_data(as_text=True)
    assert page.count("<strong>inbox.open</strong>") == 2, "once for each session"
