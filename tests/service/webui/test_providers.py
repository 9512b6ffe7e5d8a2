"""Logging in by somebody else, through the web application, with a provider that may be hostile."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text

from smailor import config
from smailor.accounts import audit, factor_changes, provider_http, totp
from smailor.accounts.factor_changes import Circumstances
from tests.fakes import oidc
from tests.fakes.oidc import CLIENT_ID, CLIENT_SECRET, OidcProvider, Person

ONE_ENGINE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
"""For what keeps nothing that the other engine could keep otherwise."""
PUBLIC = "https://mail.smailor.test"


@pytest.fixture(scope="module")
def shared_provider():
    with OidcProvider() as provider:
        yield provider


@pytest.fixture
def provider(shared_provider, now):
    """A provider as good as new."""
    shared_provider.hostile, shared_provider.person = "", Person()
    shared_provider.says_issuer = shared_provider.claims_in_token = True
    shared_provider.now = now.timestamp()
    shared_provider.requests.clear()
    return shared_provider


@pytest.fixture
def settings(settings, provider):
    there = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "issuer": provider.url, "loopback": True}
    return replace(
        settings,
        web=replace(settings.web, public_url=PUBLIC),
        providers={
            "company": config.Provider(kind="oidc", label="Company", **there),
            "discord": config.Provider(kind="discord", **there),
            "other": config.Provider(kind="oidc", label="Other", **there),
        },
    )


def onward(page):
    """The address of the provider on the page in between."""
    return re.search(r'<a class="button primary wide" href="([^"]+)"', page.get_data(as_text=True))[1].replace(
        "&amp;", "&"
    )


def go(browser, provider, name="company", path="/login/with/{}", page="/login"):
    """Go to the provider, agree there, come back."""
    answer = browser.post(path.format(name), page=page)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return browser.get(back(provider.allow(onward(answer))))


def back(url):
    assert url.startswith(PUBLIC)
    return url.removeprefix(PUBLIC)


def link(browser, provider, email="ada@acme.test", name="company"):
    """Log in by password and link the provider's person."""
    browser.log_in(email)
    page = go(browser, provider, name, "/account/security/links/{}/begin", page="/account/security")
    assert page.status_code == 200
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.get_data(as_text=True))[1]
    answer = browser.client.post("/account/security/links", data={"csrf_token": token}, follow_redirects=True)
    browser.post("/logout", page="/account/security")
    return answer


def logged_in(browser):
    return browser.get("/account/security").status_code == 200


def last(house, action):
    return next(entry for entry in audit.entries(house.database) if entry.action == action)


@pytest.fixture
def ada(house):
    return house.person("ada@acme.test")


@pytest.mark.parametrize("name", ["company", "discord"])
def test_a_linked_person_logs_in_by_the_provider(browser, house, ada, provider, name):
    assert "Unlink" in link(browser, provider, name=name).get_data(as_text=True)
    assert not logged_in(browser)
    answer = go(browser, provider, name)
    assert (answer.status_code, urlsplit(answer.location).path) == (302, "/")
    assert logged_in(browser)


def test_the_page_that_was_asked_for_comes_after_the_provider(browser, house, ada, provider):
    link(browser, provider)
    answer = go(browser, provider, path="/login/with/{}?next=/account/security", page="/login")
    assert answer.location == "/account/security"
    browser.post("/logout", page="/account/security")
    answer = go(browser, provider, path="/login/with/{}?next=//evil.test/", page="/login")
    assert answer.location == "/"


def test_the_address_may_stand_at_the_userinfo_endpoint_only(browser, house, ada, provider):
    provider.claims_in_token = False
    assert "Unlink" in link(browser, provider).get_data(as_text=True)
    provider.hostile = "userinfo of somebody else"
    assert go(browser, provider).status_code == 403
    assert not logged_in(browser)


def test_a_new_key_of_the_providers_is_asked_for(browser, house, ada, provider, app, now):
    link(browser, provider)
    before = provider.key
    try:
        provider.key = oidc.RSAKey.generate_key(2048, {"kid": "second", "use": "sig"}, private=True)
        known = app.extensions["smailor"].providers
        assert go(browser, provider).status_code == 403  # asked a moment ago: not again
        known._known["company"] = type(known._known["company"])(
            known._known["company"].endpoints, known._known["company"].keys, now - timedelta(minutes=2)
        )
        assert go(browser, provider).status_code == 302
    finally:
        provider.key = before


@ONE_ENGINE
@pytest.mark.parametrize("hostile", oidc.HOSTILE_TOKENS)
def test_an_id_token_with_something_wrong_lets_nobody_in(browser, house, ada, provider, hostile):
    link(browser, provider)
    provider.hostile = hostile
    answer = go(browser, provider)
    assert answer.status_code == 403
    assert "nobody was let in" in answer.get_data(as_text=True)
    assert not logged_in(browser)
    entry = last(house, "login.provider")
    assert (entry.object, entry.outcome) == ("provider:company", "refused")
    assert entry.details["reason"]


@pytest.mark.parametrize("hostile", ["mixed-up answer", "missing iss", "wrong state", "missing state", "wrong code"])
def test_an_answer_of_somebody_else_lets_nobody_in(browser, house, ada, provider, hostile):
    link(browser, provider)
    provider.hostile = hostile
    asked = len([1 for method, path, _ in provider.requests if path == "/token"])
    assert go(browser, provider).status_code == 403
    assert not logged_in(browser)
    assert last(house, "login.provider").outcome == "refused"
    if hostile != "wrong code":  # seen before the code is shown to anybody
        assert len([1 for method, path, _ in provider.requests if path == "/token"]) == asked


@ONE_ENGINE
@pytest.mark.parametrize("hostile", oidc.HOSTILE_ENDPOINTS)
def test_a_token_endpoint_that_misbehaves_costs_seconds_and_lets_nobody_in(
    browser, house, ada, provider, hostile, monkeypatch
):
    link(browser, provider)
    monkeypatch.setattr(provider_http, "ANSWER_SECONDS", 1.0)
    provider.hostile = hostile
    answer = go(browser, provider)
    assert answer.status_code in {403, 503}
    assert not logged_in(browser)
    assert last(house, "login.provider").outcome in {"refused", "no answer"}
    assert ("GET", "/token2", {}) not in provider.requests


@ONE_ENGINE
@pytest.mark.parametrize("hostile", ["another issuer's discovery", "plain endpoint elsewhere"])
def test_a_provider_that_misrepresents_itself_is_not_gone_to(browser, house, ada, provider, hostile):
    provider.hostile = hostile
    assert browser.post("/login/with/company", page="/login").status_code == 403
    assert last(house, "login.provider").outcome == "refused"


def test_a_provider_that_is_away_is_said_to_be(browser, house, app, settings):
    known = app.extensions["smailor"].providers
    known._settings = {"company": config.Provider("oidc", "id", "secret", "http://127.0.0.1:1", loopback=True)}
    answer = browser.post("/login/with/company", page="/login")
    assert answer.status_code == 503
    assert "does not answer just now" in answer.get_data(as_text=True)


def test_whoever_says_no_there_is_told_that_nothing_was_done(browser, house, ada, provider):
    provider.hostile = "denied"
    answer = go(browser, provider)
    assert answer.status_code == 403
    assert "You did not agree there" in answer.get_data(as_text=True)


def test_an_answer_works_once(browser, house, ada, provider):
    link(browser, provider)
    url = back(provider.allow(onward(browser.post("/login/with/company", page="/login"))))
    assert browser.get(url).status_code == 302
    browser.post("/logout", page="/account/security")
    assert browser.get(url).status_code == 403
    assert not logged_in(browser)


def test_an_answer_works_in_the_browser_that_began_only(browser, stranger, house, ada, provider):
    """Somebody else's answer, clicked on by mistake, logs nobody in to somebody else's account."""
    link(browser, provider)
    url = back(provider.allow(onward(browser.post("/login/with/company", page="/login"))))
    assert stranger.get(url).status_code == 403
    assert not logged_in(stranger)


def test_one_providers_answer_is_none_of_another(browser, house, ada, provider):
    link(browser, provider)
    url = back(provider.allow(onward(browser.post("/login/with/company", page="/login"))))
    provider.requests.clear()
    assert browser.get(url.replace("/company/", "/other/")).status_code == 403
    assert not logged_in(browser)
    assert provider.requests == []  # the other one does not even see the code


def test_a_verifier_of_another_log_in_is_refused_by_the_provider(browser, stranger, house, ada, provider):
    """A stolen code is worth nothing in another browser: the provider sees another PKCE verifier."""
    link(browser, provider)
    stolen = back(provider.allow(onward(browser.post("/login/with/company", page="/login"))))
    own = back(provider.allow(onward(stranger.post("/login/with/company", page="/login"))))
    code = re.search(r"code=([^&]+)", stolen)[1]
    assert stranger.get(re.sub(r"code=[^&]+", f"code={code}", own)).status_code == 403
    assert not logged_in(stranger)


def test_the_same_address_under_another_subject_is_somebody_else(browser, house, ada, provider):
    provider.person = Person(email="ada@acme.test")
    link(browser, provider)
    provider.person = Person(sub="whoever has the address now", email="ada@acme.test")
    answer = go(browser, provider)
    assert answer.status_code == 403
    assert "Not linked yet" in answer.get_data(as_text=True)
    assert not logged_in(browser)


@pytest.mark.parametrize("verified", [False, None, "true", 1])
def test_an_address_that_is_not_verified_there_is_neither_linked_nor_told_about(
    browser, stranger, house, ada, provider, verified
):
    provider.person = Person(email="ada@acme.test", email_verified=verified)
    known = go(stranger, provider)
    provider.person = Person(email="nobody@acme.test", email_verified=verified)
    unknown = go(stranger, provider)
    assert known.status_code == unknown.status_code == 403
    words = [re.sub(r'value="[^"]+"', "", page.get_data(as_text=True)) for page in (known, unknown)]
    assert words[0] == words[1]
    browser.log_in("ada@acme.test")
    page = go(browser, provider, "company", "/account/security/links/{}/begin", page="/account/security")
    assert page.status_code == 403


def test_a_link_needs_the_owners_agreement(browser, house, ada, provider):
    browser.log_in("ada@acme.test")
    page = go(browser, provider, "company", "/account/security/links/{}/begin", page="/account/security")
    assert "ada@lovelace.test" in page.get_data(as_text=True)
    browser.post("/logout", page="/account/security")
    assert go(browser, provider).status_code == 403  # shown, but not agreed to


def test_a_link_that_somebody_else_began_is_not_made(browser, house, ada, provider):
    house.person("charles@acme.test")
    browser.log_in("ada@acme.test")
    answer = browser.post("/account/security/links/company/begin", page="/account/security")
    browser.post("/logout", page="/account/security")
    browser.log_in("charles@acme.test")
    assert browser.get(back(provider.allow(onward(answer)))).status_code == 403


def test_an_identity_is_linked_to_one_person_only(browser, house, ada, provider):
    link(browser, provider)
    house.person("charles@acme.test")
    assert "linked already" in link(browser, provider, "charles@acme.test").get_data(as_text=True)


def test_a_link_is_removed(browser, house, ada, provider):
    link(browser, provider)
    browser.log_in("ada@acme.test")
    browser.post("/account/security/links/1/remove", page="/account/security")
    browser.post("/logout", page="/account/security")
    assert go(browser, provider).status_code == 403


def test_a_provider_confirms_that_it_is_still_the_same_person(browser, house, ada, provider):
    link(browser, provider)
    browser.log_in("ada@acme.test")
    answer = go(browser, provider, path="/confirm/with/{}?next=/account/security", page="/confirm")
    assert answer.location == "/account/security"
    for hostile in ("not asked anew", "missing auth_time"):
        provider.hostile = hostile
        assert go(browser, provider, path="/confirm/with/{}", page="/confirm").status_code == 403
    provider.hostile, provider.person = "", Person(sub="somebody else")
    assert go(browser, provider, path="/confirm/with/{}", page="/confirm").status_code == 403


def test_unknown_providers_do_not_exist(browser, house):
    assert browser.post("/login/with/nobody", page="/login").status_code == 404
    assert browser.get("/login/with/nobody/callback?state=x&code=y").status_code in {403, 404}


def test_odd_answers_are_refused(browser, house, ada, provider):
    for query in (
        "",
        "state=",
        "state=%00&code=%00",
        "state=x&state=y",
        "code=" + "x" * 9000,
        "error=%E2%80%AE",
        "iss=x",
    ):
        browser.post("/login/with/company", page="/login")
        assert browser.get(f"/login/with/company/callback?{query}").status_code == 403
        assert not logged_in(browser)


def test_many_wrong_answers_from_one_place_are_slowed_down(browser, house, ada, provider):
    for _ in range(10):
        browser.post("/login/with/company", page="/login")
        browser.get("/login/with/company/callback?state=x&code=y")
    answer = browser.post("/login/with/company", page="/login")
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0


@pytest.fixture
def open_door(app, settings):
    """People may sign up."""
    known = app.extensions["smailor"]
    app.extensions["smailor"] = replace(known, settings=replace(settings, login=config.Login(signup=True)))
    return app


def agree(browser, page):
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.get_data(as_text=True))[1]
    return browser.client.post("/login/with/account", data={"csrf_token": token})


def test_whoever_is_unknown_may_make_an_account_by_agreeing(browser, house, provider, open_door):
    page = go(browser, provider)
    assert "Create an account?" in page.get_data(as_text=True)
    assert not logged_in(browser)
    assert agree(browser, page).status_code == 302
    assert logged_in(browser)
    [(email, name, password)] = house.database.rows("SELECT email, name, password_hash FROM users", {})
    assert (email, name, password) == ("ada@lovelace.test", "Ada Lovelace", "")
    assert last(house, "account.create").object == "account:ada@lovelace.test"
    assert agree(browser, page).status_code in {400, 403}  # once
    browser.post("/logout", page="/account/security")
    assert go(browser, provider).status_code == 302


def test_whoever_has_no_password_does_not_get_in_by_one(browser, stranger, house, provider, open_door):
    agree(browser, go(browser, provider))
    for password in ("", " ", "correct horse battery", "\x00"):
        stranger.post("/login", email="ada@lovelace.test", password=password)
        assert not logged_in(stranger)


def test_the_only_way_in_is_not_unlinked(browser, house, provider, open_door):
    agree(browser, go(browser, provider))
    answer = browser.post("/account/security/links/1/remove", page="/account/security")
    assert "last way into your account" in answer.get_data(as_text=True)
    browser.post("/logout", page="/account/security")
    assert go(browser, provider).status_code == 302


def test_nobody_prepares_an_account_for_somebody_elses_address(browser, stranger, house, provider, open_door, now):
    """Who signed up with the address but never showed that it is theirs has no part in its owner's account."""
    with house.database.transaction() as session:
        session.execute(
            text("UPDATE users SET email_verified_at = NULL WHERE id = :id"),
            {"id": house.person("ada@lovelace.test").id},
        )
    assert agree(browser, go(browser, provider)).status_code == 302
    stranger.log_in("ada@lovelace.test")
    assert not logged_in(stranger)


def test_two_who_agree_at_once_make_one_account(browser, house, provider, open_door):
    go(browser, provider)
    cookie = browser.client.get_cookie("smailor-provider-new").value
    open_door.config["WTF_CSRF_ENABLED"] = False

    def hand(_):
        client = open_door.test_client()
        client.set_cookie("smailor-provider-new", cookie)
        return client.post("/login/with/account").status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(hand, range(8))) == [302] + [403] * 7
    assert house.database.rows("SELECT count(*) FROM users", {}) == [(1,)]


@pytest.mark.parametrize("name", ["x" * 10_000, "\x00", "\u202eadA", "", 7, None])
@ONE_ENGINE
def test_whatever_a_provider_calls_people_they_can_be_shown(browser, house, provider, open_door, name):
    provider.person = Person(name=name)
    assert agree(browser, go(browser, provider)).status_code == 302
    assert browser.get("/account/security").status_code == 200


@pytest.mark.parametrize(
    "email", ["", "no address", "a@b@c", "x" * 400 + "@a.test", "a\x00@a.test", "\u202e@a.test", "ä@ö.test", 7, None]
)
@ONE_ENGINE
def test_whatever_a_provider_calls_an_address_it_is_refused_or_one(browser, house, provider, open_door, email):
    provider.person = Person(email=email)
    assert go(browser, provider).status_code in {200, 403}


def test_where_sign_up_is_closed_the_offer_cannot_be_taken(browser, house, provider, open_door, settings):
    page = go(browser, provider)
    known = open_door.extensions["smailor"]
    open_door.extensions["smailor"] = replace(known, settings=settings)
    assert agree(browser, page).status_code == 403
    assert "No account yet" in go(browser, provider).get_data(as_text=True)
    assert house.database.rows("SELECT count(*) FROM users", {}) == [(0,)]


def test_a_second_factor_comes_after_the_provider_too(browser, house, ada, provider, app, now):
    link(browser, provider)
    context = app.extensions["smailor"]
    by = Circumstances(context.database, context.sealer, context.desk.head, audit.Actor("x", "y"), now)
    codes = factor_changes.add_totp(by, user_id=ada.id, secret=totp.draw_secret(), step=1)
    assert go(browser, provider).location == "/login/second-factor"
    assert not logged_in(browser)
    browser.post("/login/second-factor", code=codes[0])
    assert logged_in(browser)
    assert "oidc:company+recovery" in str(house.database.rows("SELECT method FROM web_sessions", {}))
