"""Whatever is sent to the forms around log-in and security: an answer, never an error of ours."""

import json
import random
from dataclasses import replace

import pytest

from smailor import config
from smailor.accounts import attempts

FIELDS = ("code", "credential", "label", "csrf_token", "email", "password", "captcha", "name", "next", "state", "iss")
ODD = (
    "",
    " ",
    "0",
    "-1",
    "x" * 10_000,
    "\x00",
    "a\x00b",
    "\u202eabc",
    "\U0001f600",
    "<script>",
    "' OR 1=1 --",
    "%00",
    "../../etc/passwd",
    "{}",
    "[]",
    "null",
    json.dumps({"id": "AAAA", "rawId": "AAAA", "type": "public-key", "response": {"userHandle": "!!"}}),
    "123456",
    "abcd-efgh-ijkm-npqr",
)
OURS = ("auth.", "security.")


@pytest.fixture
def settings(settings):
    nowhere = config.Provider("oidc", "us", "secret", "http://127.0.0.1:1", loopback=True)
    return replace(
        settings,
        web=replace(settings.web, public_url="https://mail.smailor.test"),
        providers={"company": nowhere},
        captcha=config.Captcha("work", work_bits=4),
        login=config.Login(signup=True, letters_from="post@smailor.test"),
    )


def pages(app):
    values = {"name": ("company", "x", "\u202e"), "number": (1, 0, 2**63 - 1), "token": ("x", "y" * 500)}
    adapter = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith(OURS):
            for place in range(3 if rule.arguments else 1):
                filled = {name: values[name][place % len(values[name])] for name in rule.arguments}
                for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
                    yield adapter.build(rule.endpoint, filled, method=method), method


@pytest.mark.parametrize("who", ["nobody", "ada"])
def test_every_page_answers_whatever_comes(app, browser, house, who, monkeypatch):
    monkeypatch.setattr(attempts, "_wait", lambda *_: 0)  # slowed down, the pages would say nothing else
    house.person("ada@acme.test")
    app.config["WTF_CSRF_ENABLED"] = False
    chance = random.Random(6)
    there = [page for page in pages(app) if page[0] != "/logout"]
    assert len(there) > 25
    for path, method in there:
        for _ in range(2):
            if who == "ada":
                browser.client.post("/login", data={"email": "ada@acme.test", "password": "correct horse battery"})
            data = {field: chance.choice(ODD) for field in FIELDS}
            cookies = (
                "provider",
                "provider-link",
                "provider-new",
                "second-factor",
                "passkey",
                "passkey-new",
                "totp-new",
            )
            for cookie in cookies if chance.random() < 0.5 else ():
                browser.client.set_cookie(f"smailor-{cookie}", chance.choice(("x", "a" * 300, "'", "k7wq-k7wq")))
            answer = (
                browser.client.post(path, data=data)
                if method == "POST"
                else browser.client.get(path, query_string=data)
            )
            silent = answer.status_code == 503 and ("/with/" in path or path.endswith("/begin"))
            assert answer.status_code < 500 or silent, (path, method, data)
            browser.client.delete_cookie("smailor")


def test_a_number_that_no_database_holds_names_nothing(browser, house):
    house.person("ada@acme.test")
    browser.log_in("ada@acme.test")
    for number in (2**63, 2**70, 10**300):
        for path in ("passkeys/{}/remove", "passkeys/{}/name", "links/{}/remove"):
            answer = browser.post("/account/security/" + path.format(number), page="/account/security", label="x")
            assert answer.status_code == 404
