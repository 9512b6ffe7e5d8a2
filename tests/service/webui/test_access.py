"""Every page says who may open it; whether it means it is test_walk.py's. What all pages have in common besides."""

import re
from dataclasses import replace

import pytest

from webui import access, create_app, headers

VALUES = {"slug": "acme", "name": "acme.test", "address": "owner@acme.test", "folder": "INBOX", "uid": 1, "index": 0}
VALUES |= {"number": 1, "version": "x", "token": "x", "kind": "csv", "member_id": 1, "invitation_id": 1}
KINDS = {access.PUBLIC, access.SIGNED_IN, access.OPERATORS, access.MEMBERS}


def pages(app):
    """(rule's path with values filled in, method, declaration) of every page; the API's walk is in test_walk.py."""
    adapter = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("api."):
            continue
        values = {
            name: "acme.test" if name == "name" and "static" in rule.endpoint else VALUES[name]
            for name in rule.arguments
        }
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
            yield (
                adapter.build(rule.endpoint, values, method=method),
                method,
                access.declared(app.view_functions[rule.endpoint]),
            )


def test_every_page_declares_who_may_open_it(app):
    undeclared = [path for path, _, declaration in pages(app) if declaration is None or declaration.kind not in KINDS]
    assert undeclared == []
    assert len(list(pages(app))) > 25


def test_a_page_that_declares_nothing_is_refused(app, browser):
    app.add_url_rule("/forgotten", "forgotten", lambda: "secret")
    answer = browser.get("/forgotten")
    assert answer.status_code == 500
    assert b"secret" not in answer.data


def test_whoever_is_not_logged_in_is_sent_to_log_in(app, browser, acme):
    app.config["WTF_CSRF_ENABLED"] = False
    for path, method, declaration in pages(app):
        if declaration.kind != access.PUBLIC:
            answer = browser.client.open(path, method=method)
            assert (answer.status_code, answer.location.startswith("/login")) == (302, True), path


def test_an_admin_does_not_read_an_inbox_that_is_not_given_to_them(app, browser, acme):
    acme.inbox("acme", "private@acme.test", reader="member@acme.test")
    browser.log_in("owner@acme.test")
    for path in ("/mail/private@acme.test/INBOX/", "/compose/private@acme.test", "/settings/private@acme.test/devices"):
        assert browser.get(path).status_code == 404


def test_no_form_works_without_its_token(app, browser, acme):
    browser.log_in("owner@acme.test")
    for path, method, _ in pages(app):
        if method == "POST":
            assert browser.client.post(path).status_code == 400, path


def test_every_answer_carries_its_headers(app, browser, acme):
    browser.log_in("owner@acme.test")
    for path in ("/login", "/w/acme/domains/", "/nothing", "/mail/owner@acme.test/INBOX/"):
        sent = browser.get(path).headers
        assert sent["Content-Security-Policy"] == headers.PAGE_POLICY
        assert sent["X-Content-Type-Options"] == "nosniff"
        assert sent["Referrer-Policy"] == "same-origin"
        assert sent["Cache-Control"] == "no-store"


def test_no_page_has_a_script_or_style_of_its_own(app, browser, acme):
    acme.claim("acme", "new.test")
    browser.log_in("owner@acme.test")
    paths = ["/login", "/w/acme/domains/", "/w/acme/domains/new.test", "/w/acme/inboxes/", "/compose/owner@acme.test"]
    paths += ["/w/acme/sending/", "/settings/owner@acme.test/sending", "/settings/owner@acme.test/devices"]
    for path in paths:
        page = browser.get(path).get_data(as_text=True)
        assert " style=" not in page
        assert "<style" not in page
        assert " on" not in {part[:3] for part in page.split('"')}
        assert page.count("<script") == page.count('<script type="module" src="/static/')


def test_files_are_named_by_their_content_and_kept(app, browser):
    page = browser.get("/login").get_data(as_text=True)
    sheet = page.partition('rel="stylesheet" href="')[2].partition('"')[0]
    answer = browser.get(sheet)
    assert answer.status_code == 200
    assert "immutable" in answer.headers["Cache-Control"]
    assert "../" not in answer.get_data(as_text=True)
    assert browser.get("/static/x/../app.py").status_code == 404
    assert browser.get("/static/x/%2e%2e/app.py").status_code == 404


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_form_over_https_is_believed_from_a_page_of_ours_alone(settings, database):
    """A browser names the page that a form stood on as far as that page's own policy lets it."""
    secure = replace(settings, web=replace(settings.web, secure_cookies=True))
    client = create_app(secure, database=database).test_client()
    here = "https://mail.smailor.test"
    page = client.get("/login", base_url=here)
    assert page.headers["Referrer-Policy"] == "same-origin"
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.get_data(as_text=True))[1]
    form = {"csrf_token": token, "email": "nobody@acme.test", "password": "wrong horse battery"}
    for referrer, status in ((f"{here}/login", 200), ("https://elsewhere.test/login", 400), (None, 400)):
        sent = {"Referer": referrer} if referrer else {}
        assert client.post("/login", data=form, base_url=here, headers=sent).status_code == status, referrer
