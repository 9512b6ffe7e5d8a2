"""Getting in and out."""

import pytest

from smailor.accounts import attempts
from tests.service.webui.conftest import PASSWORD


def test_the_right_password_opens_the_inbox(browser, acme):
    answer = browser.post("/login", follow=False, email=" Owner@ACME.test ", password=PASSWORD)
    assert (answer.status_code, answer.location) == (302, "/")
    cookie = next(value for value in answer.headers.getlist("Set-Cookie") if value.startswith("smailor="))
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert browser.get("/").location == "/mail/owner@acme.test/INBOX/"


def test_cookies_are_for_https_alone_where_that_is_set(app, browser, acme, settings):
    object.__setattr__(settings.web, "secure_cookies", True)
    app.config["WTF_CSRF_ENABLED"] = False
    answer = browser.client.post(
        "/login", data={"email": "owner@acme.test", "password": PASSWORD}, base_url="https://localhost"
    )
    cookie = next(value for value in answer.headers.getlist("Set-Cookie") if value.startswith("__Host-smailor="))
    assert "Secure" in cookie


@pytest.mark.parametrize(
    ("email", "password"),
    [("owner@acme.test", "wrong"), ("nobody@acme.test", PASSWORD), ("not an address", PASSWORD), ("a@b.test\0", "\0")],
)
def test_the_same_answer_for_whoever_is_not_known_and_a_wrong_password(browser, acme, email, password):
    answer = browser.log_in(email, password)
    assert answer.status_code == 200
    assert "Address and password do not belong together." in answer.get_data(as_text=True)
    assert browser.get("/").location.startswith("/login")


def test_fields_left_empty_say_so_beside_them(browser, acme):
    page = browser.log_in("", "").get_data(as_text=True)
    assert "Enter your address." in page
    assert 'aria-describedby="password-error"' in page


def test_guessing_is_slowed_down_even_for_the_right_password_but_not_from_elsewhere(app, browser, stranger, acme):
    for _ in range(attempts.PER_PAIR):
        browser.log_in("owner@acme.test", "wrong")
    answer = browser.log_in("owner@acme.test")
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    stranger.client.environ_base["REMOTE_ADDR"] = "198.51.100.9"
    assert stranger.log_in("owner@acme.test").status_code != 429


def test_one_is_taken_to_the_page_that_was_asked_for(browser, acme):
    wanted = browser.get("/w/acme/inboxes/").location
    answer = browser.post(wanted, follow=False, email="owner@acme.test", password=PASSWORD)
    assert answer.location == "/w/acme/inboxes/"


@pytest.mark.parametrize("target", ["//evil.test/", "https://evil.test/", "/\\evil.test", "javascript:x", "/a\r\nX: y"])
def test_nobody_is_taken_to_another_host(browser, acme, target):
    answer = browser.client.get("/login", query_string={"next": target})
    assert answer.status_code == 200
    token = answer.get_data(as_text=True).partition('name="csrf_token" value="')[2].partition('"')[0]
    fields = {"email": "owner@acme.test", "password": PASSWORD, "csrf_token": token}
    assert browser.client.post("/login", query_string={"next": target}, data=fields).location == "/"


def test_logging_out_ends_the_session_itself(browser, acme):
    browser.log_in("owner@acme.test")
    token = browser.client.get_cookie("smailor").value
    browser.post("/logout", page="/w/acme/domains/")
    assert browser.get("/").location.startswith("/login")
    browser.client.set_cookie("smailor", token)
    assert browser.get("/").location.startswith("/login")


def test_a_new_log_in_has_a_new_token_and_ends_the_old_session(browser, acme):
    browser.log_in("owner@acme.test")
    first = browser.client.get_cookie("smailor").value
    browser.post("/login", page="/w/acme/domains/", email="owner@acme.test", password=PASSWORD)
    assert browser.client.get_cookie("smailor").value != first
    browser.client.set_cookie("smailor", first)
    assert browser.get("/").location.startswith("/login")


def test_health_tells_whether_the_database_answers(app, browser, database):
    assert browser.get("/health").status_code == 200
    database.engine.dispose()
    database.engine = type(database)(f"sqlite:////nowhere/{__name__}.db").engine
    assert browser.get("/health").status_code == 503
    assert browser.get("/login").status_code in {200, 503}
