"""Signing up, forgotten passwords: what comes by letter, and that no answer tells who has an account."""

import re

import pytest

from smailor.accounts import passwords
from smailor.accounts import service as accounts

GOOD = "seven purple umbrellas"


@pytest.fixture
def settings(settings):
    """A service where people may sign up."""
    object.__setattr__(settings.login, "signup", True)
    object.__setattr__(settings.login, "letters_from", "letters@smailor.test")
    object.__setattr__(settings.web, "public_url", "https://mail.smailor.test")
    return settings


@pytest.fixture
def letters(mailbag):
    """Returns the letters that were sent since the last time."""
    return mailbag.take


def link(letter):
    """The path of the link in a letter."""
    return re.search(r"https://mail\.smailor\.test(/\S+)", letter[1].get_content())[1]


def sign_up(browser, email="ada@analytical.test", **fields):
    values = {"name": "Ada Lovelace", "password": GOOD, "workspace": "Analytical Engines", **fields}
    return browser.post("/signup", email=email, **values)


def without_token(answer):
    return re.sub(r'value="[^"]{30,}"', "", answer.get_data(as_text=True))


def test_one_signs_up_opens_the_link_and_owns_a_workspace(browser, letters, database):
    answer = sign_up(browser)
    assert "Look at your mail" in answer.get_data(as_text=True)
    (letter,) = letters()
    assert letter[0] == "ada@analytical.test"
    assert letter[1]["From"].addresses[0].addr_spec == "letters@smailor.test"
    page = browser.get(link(letter))
    assert page.status_code == 200
    assert 'type="password"' not in page.get_data(as_text=True)
    assert browser.post(link(letter), follow=False).location == "/"
    assert browser.get("/w/analytical-engines/domains/").status_code == 200
    assert accounts.verify_password(database, email="ada@analytical.test", password=GOOD).verified


def test_a_mail_scanner_that_opens_the_link_does_not_use_it_up(browser, stranger, letters):
    sign_up(browser)
    (letter,) = letters()
    for _ in range(3):
        assert stranger.get(link(letter)).status_code == 200
    assert browser.post(link(letter), follow=False).status_code == 302


def test_in_another_browser_the_link_asks_for_the_password(browser, stranger, letters):
    """Whoever signs up with somebody else's address must not get an account there because its owner opens links."""
    sign_up(browser)
    (letter,) = letters()
    assert stranger.post(link(letter), password="").status_code == 422
    assert stranger.post(link(letter), password="not the one at all").status_code == 422
    assert stranger.post(link(letter), follow=False, password=GOOD).status_code == 302


def test_a_link_works_once(browser, stranger, letters):
    sign_up(browser)
    (letter,) = letters()
    browser.post(link(letter))
    assert stranger.get(link(letter)).status_code == 404
    assert stranger.post(link(letter), page="/login", password=GOOD).status_code == 404


def test_until_then_only_who_knows_the_password_is_told_to_look_at_their_mail(browser, stranger, letters):
    sign_up(browser)
    wrong = stranger.log_in("ada@analytical.test", "seven purple elephants")
    assert "do not belong together" in wrong.get_data(as_text=True)
    right = stranger.log_in("ada@analytical.test", GOOD)
    assert right.status_code == 403
    assert "Look at your mail" in right.get_data(as_text=True)
    assert stranger.get("/").location.startswith("/login")


def test_the_letter_can_be_sent_again_a_few_times(browser, letters):
    sign_up(browser)
    letters()
    browser.log_in("ada@analytical.test", GOOD)
    for _ in range(5):
        browser.post("/signup/again", page="/signup")
    again = letters()
    assert len(again) == 2  # the first one of the hour was that of the sign-up
    assert browser.post(link(again[-1]), follow=False).status_code == 302


def test_nobody_learns_by_signing_up_who_has_an_account(browser, stranger, acme, letters, monkeypatch):
    hashed = []
    real = passwords.hash_password
    monkeypatch.setattr(passwords, "hash_password", lambda password: hashed.append(password) or real(password))
    known = sign_up(browser, email="owner@acme.test")
    unknown = sign_up(stranger, email="nobody@acme.test")
    assert known.status_code == unknown.status_code == 200
    assert without_token(known) == without_token(unknown)
    assert hashed == [GOOD, GOOD]
    sent = dict(letters())
    assert set(sent) == {"owner@acme.test", "nobody@acme.test"}
    assert "already" in sent["owner@acme.test"]["Subject"]
    assert "/signup/" not in sent["owner@acme.test"].get_content()
    assert accounts.verify_password(acme.database, email="owner@acme.test", password=GOOD) is None


def test_nobody_learns_by_forgetting_who_has_an_account(browser, stranger, acme, letters):
    known = browser.post("/forgot", email="owner@acme.test")
    unknown = stranger.post("/forgot", email="nobody@acme.test")
    assert known.status_code == unknown.status_code == 200
    assert without_token(known) == without_token(unknown)
    assert [recipient for recipient, _ in letters()] == ["owner@acme.test"]


def test_an_address_gets_few_letters_whoever_asks_for_them(app, browser, acme, letters):
    for number in range(6):
        browser.client.environ_base["REMOTE_ADDR"] = f"198.51.100.{number}"
        assert browser.post("/forgot", email="owner@acme.test").status_code == 200
    assert len(letters()) == 3


def test_a_source_that_floods_has_to_wait(browser, acme):
    codes = [browser.post("/forgot", email=f"somebody{number}@acme.test").status_code for number in range(21)]
    assert codes == [200] * 20 + [429]


def test_a_forgotten_password_is_set_anew_and_ends_all_sessions(browser, stranger, acme, letters):
    stranger.log_in("owner@acme.test")
    assert stranger.get("/account/").status_code == 200
    browser.post("/forgot", email="owner@acme.test")
    (letter,) = letters()
    assert browser.get(link(letter)).status_code == 200
    answer = browser.post(link(letter), follow=False, password=GOOD)
    assert answer.location == "/login"
    assert stranger.get("/account/").location.startswith("/login")
    assert browser.post("/login", follow=False, email="owner@acme.test", password=GOOD).location == "/"
    ((recipient, told),) = letters()
    assert recipient == "owner@acme.test"
    assert "was changed" in told["Subject"]
    assert browser.post(link(letter), page="/account/", password=GOOD).status_code == 404


def test_an_older_link_ends_with_the_one_that_is_used(browser, acme, letters):
    browser.post("/forgot", email="owner@acme.test")
    browser.post("/forgot", email="owner@acme.test")
    first, second = letters()
    browser.post(link(second), password=GOOD)
    assert browser.get(link(first)).status_code == 404


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("short", "at least 12"),
        ("password1234", "lists"),
        ("P4ssw0rd!!!!2024", "lists"),
        ("qwertyuiop123", "lists"),
        ("ada@analytical.test", "your address"),
        ("Ada.Lovelace.1815", "your address"),
        ("smailorsmailor", "your address"),
        ("a\0bcdefghijklmnop", "character"),
    ],
)
def test_a_password_that_others_know_is_refused_beside_its_field(browser, letters, password, said):
    answer = sign_up(browser, password=password)
    assert answer.status_code == 422
    page = answer.get_data(as_text=True)
    assert said in page
    assert 'id="password-error"' in page
    assert letters() == []


def test_where_sign_up_is_closed_there_is_no_page(browser, settings):
    object.__setattr__(settings.login, "signup", False)
    assert browser.get("/signup").status_code == 404
    assert "/signup" not in browser.get("/login").get_data(as_text=True)


def test_letters_speak_the_language_of_the_page(browser, letters):
    browser.client.set_cookie("smailor_language", "de")
    sign_up(browser)
    (letter,) = letters()
    assert "Konto" in letter[1]["Subject"]
    assert letter[1]["Content-Language"] == "de"
