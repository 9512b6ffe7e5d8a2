"""In which language pages speak, and how a person changes that."""

import pytest

from smailor.errors import Conflict, InvalidInput
from webui import texts


def language(page) -> str:
    """What a page says that it speaks, in its head and in its markup."""
    spoken = page.headers["Content-Language"]
    assert f'<html lang="{spoken}">' in page.get_data(as_text=True)
    return spoken


@pytest.mark.parametrize(
    ("wanted", "spoken"),
    [("de-AT,de;q=0.9,en;q=0.5", "de"), ("fr,en;q=0.3", "en"), ("ja", "en"), ("", "en"), ("de;q=x,,;;\x7f", "en")],
)
def test_a_stranger_is_spoken_to_as_the_browser_asks(browser, acme, wanted, spoken):
    assert language(browser.get("/login", headers={"Accept-Language": wanted})) == spoken


def test_the_switch_holds_in_this_browser(browser, stranger, acme):
    answer = browser.post("/language", page="/login", language="de")
    assert answer.status_code == 200
    assert language(browser.get("/login")) == "de"
    assert "Anmelden" in browser.get("/login").get_data(as_text=True)
    assert language(stranger.get("/login")) == "en"


def test_the_switch_goes_with_the_person_to_another_browser(browser, stranger, acme):
    browser.log_in("owner@acme.test")
    browser.post("/language", page="/w/acme/domains/", language="de")
    stranger.log_in("owner@acme.test")
    assert language(stranger.get("/w/acme/domains/")) == "de"


def test_a_person_counts_more_than_the_browser(browser, acme):
    browser.log_in("owner@acme.test")
    browser.post("/language", page="/w/acme/domains/", language="en")
    assert language(browser.get("/w/acme/domains/", headers={"Accept-Language": "de"})) == "en"


@pytest.mark.parametrize("page", ["https://evil.test/", "//evil.test/", "/\\evil.test", "", "x" * 10_000, "/a\r\nb"])
def test_the_switch_leads_to_pages_of_ours_alone(app, browser, acme, page):
    app.config["WTF_CSRF_ENABLED"] = False
    answer = browser.client.post("/language", data={"language": "de", "page": page})
    assert (answer.status_code, answer.location) == (302, "/")


@pytest.mark.parametrize("code", ["", "fr", "de\0", "../de", "d" * 10_000])
def test_an_unknown_language_changes_nothing(app, browser, acme, code):
    app.config["WTF_CSRF_ENABLED"] = False
    answer = browser.client.post("/language", data={"language": code, "page": "/login"})
    assert answer.status_code == 302
    assert "Set-Cookie" not in answer.headers


def test_the_switch_needs_the_page_s_token(browser, acme):
    assert browser.client.post("/language", data={"language": "de"}).status_code == 400


def test_what_a_room_refuses_is_said_in_the_page_s_language(app):
    with app.test_request_context(headers={"Accept-Language": "de"}):
        assert texts.said(InvalidInput("name", "has 1 to 200 characters")) == "hat 1 bis 200 Zeichen"
        assert texts.sentence(Conflict("acme.test is an inbox already")) == "Acme.test ist schon ein Postfach."
        assert texts.said("nobody has translated this") == "nobody has translated this"
        assert texts.said("") == ""
    with app.test_request_context(headers={"Accept-Language": "en"}):
        assert texts.sentence(InvalidInput("name", "has 1 to 200 characters")) == "Has 1 to 200 characters."


def test_numbers_and_times_are_written_as_the_language_does(app, now):
    with app.test_request_context(headers={"Accept-Language": "de"}):
        assert app.jinja_env.filters["number"](1234567) == "1.234.567"
        assert app.jinja_env.filters["size"](1536) == "2 KB"
        assert "UTC" in app.jinja_env.filters["long_moment"](now)
