"""Whatever is typed into whatever form of logging in, signing up and one's own account: no page breaks."""

import random

import pytest

from smailor.accounts import notices

HOSTILE = [
    "",
    " ",
    "x" * 10_000,
    "\x00",
    "a\x00b",
    "\u202eabc",
    "\u200b\ufeff",
    "\ufffe\uffff",
    "\r\nBcc: victim@example.test",
    "' OR 1=1 --",
    "<script>alert(1)</script>",
    "{{ 7*7 }}%s%(x)s{0}",
    "../../etc/passwd",
    "💥" * 50,
    '"quoted local"@acme.test',
    "ada+tag@acme.test",
    "ada@bücher.test",
    "ada@[192.0.2.1]",
    "ada@" + "a" * 300 + ".test",
    "@",
    "-1",
    "99999999999999999999",
    "seven purple umbrellas",
    "owner@acme.test",
]
FIELDS = ["email", "password", "name", "workspace", "language", "code", "label", "next", "page", "username", "number"]
BLUEPRINTS = {"auth", "account", "security", "texts"}


@pytest.fixture
def settings(settings):
    object.__setattr__(settings.login, "signup", True)
    object.__setattr__(settings.login, "letters_from", "letters@smailor.test")
    return settings


def forms(app):
    """(endpoint, path) of every form, with an odd value in its place of the address."""
    adapter = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        if rule.endpoint.partition(".")[0] in BLUEPRINTS and "POST" in rule.methods and rule.endpoint != "auth.logout":
            values = {}
            for name, converter in rule._converters.items():
                try:
                    converter.to_url("x")
                    values[name] = "x' \u202e"
                except ValueError:
                    values[name] = 99999
            yield rule.endpoint, adapter.build(rule.endpoint, values, method="POST")


@pytest.mark.parametrize("logged_in", [False, True])
def test_no_form_breaks_whatever_is_typed(app, browser, acme, monkeypatch, logged_in):
    """Each form with each value in all of its fields, then with values drawn for each field."""
    app.config["WTF_CSRF_ENABLED"] = False
    drawn = random.Random(6)
    monkeypatch.setattr(notices, "BATCH", 1)
    if logged_in:
        browser.log_in("owner@acme.test")
    tried = 0
    for endpoint, path in forms(app):
        for number, value in enumerate(HOSTILE + HOSTILE):
            fields = {field: value if number < len(HOSTILE) else drawn.choice(HOSTILE) for field in FIELDS}
            browser.client.environ_base["REMOTE_ADDR"] = f"2001:db8:{tried:x}::1"
            answer = browser.client.post(path, data=fields)
            tried += 1
            assert answer.status_code < 500, (endpoint, value[:40], fields)
    assert tried > 400


@pytest.mark.parametrize("value", HOSTILE)
def test_no_page_breaks_whatever_follows_the_question_mark(app, browser, acme, value):
    for path in ("/login", "/confirm", "/signup", "/forgot", "/account/", "/account/sessions"):
        assert browser.client.get(path, query_string={"next": value, "page": value}).status_code < 500


@pytest.mark.parametrize("header", ["User-Agent", "Accept-Language", "Cookie", "X-Forwarded-For"])
@pytest.mark.parametrize("value", ["", "x" * 8000, "\x01\x02", "é" * 100, "a=b; smailor=\xff; smailor-known=\xff"])
def test_no_header_breaks_logging_in(app, browser, acme, header, value):
    app.config["WTF_CSRF_ENABLED"] = False
    fields = {"email": "owner@acme.test", "password": "correct horse battery"}
    assert browser.client.post("/login", data=fields, headers={header: value}).status_code < 500
