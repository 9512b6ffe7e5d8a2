"""A person's own pages: profile, password, address, and where they are logged in."""

import re
from datetime import timedelta

import pytest

from smailor.accounts import service as accounts
from smailor.accounts import session_rules
from smailor.accounts.session_rules import Area
from tests.service.webui.conftest import PASSWORD

GOOD = "seven purple umbrellas"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def moment(now):
    """The present moment, which a test can move."""

    class Moment:
        def __init__(self):
            self.now = now

        def __call__(self):
            return self.now

        def passes(self, **duration):
            self.now += timedelta(**duration)

    return Moment()


@pytest.fixture
def app(app, moment):
    context = app.extensions["smailor"]
    object.__setattr__(context, "clock", moment)
    return app


@pytest.fixture
def settings(settings):
    object.__setattr__(settings.login, "letters_from", "letters@smailor.test")
    object.__setattr__(settings.web, "public_url", "https://mail.smailor.test")
    return settings


def link(letter):
    return re.search(r"https://mail\.smailor\.test(/\S+)", letter[1].get_content())[1]


def test_name_and_language_are_ones_own(browser, acme):
    browser.log_in("owner@acme.test")
    page = browser.post("/account/", name="Ada, Countess", language="de").get_data(as_text=True)
    assert "Ada, Countess" in page
    assert '<html lang="de"' in page


@pytest.mark.parametrize("name", ["", " ", "x" * 201, "a\0b", "abc\u202edef", "x" * 10_000])
def test_a_name_that_cannot_be_shown_is_refused_beside_its_field(browser, acme, name):
    browser.log_in("owner@acme.test")
    answer = browser.post("/account/", name=name, language="")
    assert answer.status_code == 422
    assert 'id="name-error"' in answer.get_data(as_text=True)


def test_the_sessions_are_listed_with_device_and_place_and_this_one_marked(browser, stranger, acme):
    stranger.client.environ_base["HTTP_USER_AGENT"] = FIREFOX
    stranger.client.environ_base["REMOTE_ADDR"] = "198.51.100.9"
    stranger.log_in("owner@acme.test")
    browser.log_in("owner@acme.test")
    page = browser.get("/account/sessions").get_data(as_text=True)
    assert "Firefox on Linux" in page
    assert "198.51.100.9" in page
    assert page.count("This browser") == 1


def test_a_session_is_revoked_from_another(browser, stranger, acme):
    stranger.log_in("owner@acme.test")
    browser.log_in("owner@acme.test")
    page = browser.get("/account/sessions").get_data(as_text=True)
    (number,) = re.findall(r"/account/sessions/(\d+)/revoke", page)
    assert "logged out" in browser.post(f"/account/sessions/{number}/revoke", page="/account/sessions").get_data(
        as_text=True
    )
    assert stranger.get("/account/").location.startswith("/login")
    assert browser.get("/account/").status_code == 200


def test_nobody_revokes_somebody_elses_session(browser, stranger, acme):
    stranger.log_in("owner@other.test")
    browser.log_in("owner@acme.test")
    for number in range(1, 10):
        own = f"/account/sessions/{number}/revoke" not in browser.get("/account/sessions").get_data(as_text=True)
        assert own
        browser.post(f"/account/sessions/{number}/revoke", page="/account/sessions")
        if browser.get("/account/").status_code != 200:
            break  # that was this browser's own, which one may end as well
    assert stranger.get("/account/").status_code == 200


def test_all_others_end_at_once(browser, stranger, acme):
    stranger.log_in("owner@acme.test")
    browser.log_in("owner@acme.test")
    browser.post("/account/sessions/revoke-others", page="/account/sessions")
    assert stranger.get("/account/").location.startswith("/login")
    assert browser.get("/account/").status_code == 200


def test_a_new_password_ends_the_other_sessions_and_moves_this_one(browser, stranger, acme, mailbag):
    stranger.log_in("owner@acme.test")
    browser.log_in("owner@acme.test")
    before = browser.client.get_cookie("smailor").value
    browser.post("/account/password", password=GOOD)
    assert stranger.get("/account/").location.startswith("/login")
    assert browser.get("/account/").status_code == 200
    assert browser.client.get_cookie("smailor").value != before
    stranger.client.set_cookie("smailor", before)
    assert stranger.get("/account/").location.startswith("/login")
    assert accounts.verify_password(acme.database, email="owner@acme.test", password=GOOD)
    ((recipient, letter),) = mailbag.take()
    assert (recipient, letter["To"].addresses[0].addr_spec) == ("owner@acme.test", "owner@acme.test")


def test_what_is_sensitive_asks_who_one_is_and_comes_back(browser, acme, moment):
    browser.log_in("owner@acme.test")
    moment.passes(minutes=11)
    asked = browser.get("/account/password")
    assert asked.location == "/confirm?next=/account/password"
    before = browser.client.get_cookie("smailor").value
    assert browser.post(asked.location, password="not it at all").status_code == 422
    assert browser.post(asked.location, follow=False, password=PASSWORD).location == "/account/password"
    assert browser.client.get_cookie("smailor").value != before
    assert browser.get("/account/password").status_code == 200


def test_a_new_address_counts_when_its_link_is_opened_and_the_old_one_is_told(browser, stranger, acme, mailbag):
    browser.log_in("owner@acme.test")
    stranger.log_in("owner@other.test")
    browser.post("/account/address", email="ada@new.test")
    (letter,) = mailbag.take()
    assert letter[0] == "ada@new.test"
    assert stranger.get(link(letter)).status_code == 404
    assert "ada@new.test" in browser.get(link(letter)).get_data(as_text=True)
    assert accounts.verify_password(acme.database, email="owner@acme.test", password=PASSWORD)
    browser.post(link(letter))
    assert accounts.verify_password(acme.database, email="ada@new.test", password=PASSWORD)
    ((recipient, told),) = mailbag.take()
    assert recipient == "owner@acme.test"
    assert "ada@new.test" in told.get_content()
    assert browser.get(link(letter)).status_code == 404


def test_nobody_learns_by_a_new_address_who_has_it(browser, acme, mailbag):
    browser.log_in("owner@acme.test")
    pages = [browser.post("/account/address", email=email) for email in ("member@acme.test", "nobody@acme.test")]
    bodies = {re.sub(r'value="[^"]{30,}"', "", page.get_data(as_text=True)) for page in pages}
    assert len(bodies) == 1
    subjects = {recipient: letter["Subject"] for recipient, letter in mailbag.take()}
    assert "already" in subjects["member@acme.test"]


def test_settings_close_after_half_a_day_but_mail_stays_open(browser, acme, moment):
    browser.log_in("owner@acme.test")
    moment.passes(hours=13)
    assert browser.get("/").location == "/mail/owner@acme.test/INBOX/"
    assert browser.get("/account/").location.startswith("/confirm?")
    browser.post("/confirm?next=/account/", password=PASSWORD)
    assert browser.get("/account/").status_code == 200


def test_use_keeps_a_session_open_up_to_its_absolute_end(browser, acme, moment):
    browser.log_in("owner@acme.test")
    for _ in range(6):
        moment.passes(days=4.9)
        assert browser.get("/").location.startswith("/mail/")
    moment.passes(days=1)
    assert browser.get("/").location.startswith("/login")


def test_a_session_that_nobody_uses_ends(browser, acme, moment):
    browser.log_in("owner@acme.test")
    moment.passes(days=7)
    assert browser.get("/").location.startswith("/login")


def test_a_known_device_is_not_slowed_down_by_what_others_try(browser, stranger, acme):
    """Whatever comes from wherever, even from the same network: an owner's own browser has a budget of its own."""
    browser.log_in("owner@acme.test")
    browser.post("/logout", page="/account/")
    for _ in range(12):
        stranger.log_in("owner@acme.test", "wrong")
    assert stranger.log_in("owner@acme.test").status_code == 429
    assert browser.post("/login", follow=False, email="owner@acme.test", password=PASSWORD).status_code == 302


def test_a_known_device_guesses_no_faster_than_others(browser, acme):
    browser.log_in("owner@acme.test")
    browser.post("/logout", page="/account/")
    codes = [browser.log_in("owner@acme.test", "wrong").status_code for _ in range(12)]
    assert codes[-1] == 429


@pytest.mark.parametrize("cookie", ["", "x", "x" * 3000, "a.b.c", "\u202e"])
def test_a_cookie_that_is_not_ours_makes_no_device_known(browser, acme, cookie):
    browser.client.set_cookie("smailor-known", cookie)
    assert browser.log_in("owner@acme.test").status_code in {200, 302, 503}


def test_limits_grow_shorter_with_power():
    limits = [session_rules.LIMITS[area] for area in (Area.MAIL, Area.SETTINGS, Area.OPERATOR)]
    assert sorted(limits, key=lambda limit: limit.idle, reverse=True) == limits
    assert sorted(limits, key=lambda limit: limit.absolute, reverse=True) == limits
