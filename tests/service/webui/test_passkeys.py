"""Passkeys through the web application, with a device in software that may be bent."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import text

from smailor.accounts import audit, passkeys
from smailor.accounts.passkeys import NotAccepted
from tests.fakes.authenticator import Authenticator, _bytes

PUBLIC = "https://mail.smailor.test"
LOG_IN = ("/login/passkey/options", "/login/passkey", "/login")
SECOND = ("/login/second-factor/passkey/options", "/login/second-factor/passkey", "/login/second-factor")
CONFIRM = ("/confirm/passkey/options", "/confirm/passkey", "/confirm")
NEW = ("/account/security/passkeys/options", "/account/security/passkeys", "/account/security")


@pytest.fixture
def settings(settings):
    return replace(settings, web=replace(settings.web, public_url=PUBLIC))


@pytest.fixture
def ada(house):
    return house.person("ada@acme.test")


@pytest.fixture
def device():
    return Authenticator(PUBLIC)


def token(browser, page):
    shown = browser.get(page, follow_redirects=True).get_data(as_text=True)
    return re.search(r'name="csrf_token" value="([^"]+)"', shown)[1]


def options(browser, way):
    answer = browser.client.post(way[0], headers={"X-CSRFToken": token(browser, way[2])})
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()


def send(browser, way, credential, **fields):
    data = {"csrf_token": token(browser, way[2]), "credential": credential, **fields}
    return browser.client.post(way[1], data=data)


def add(browser, device, label="Phone"):
    return send(browser, NEW, device.create(options(browser, NEW)), label=label)


def log_in(browser, device, way=LOG_IN, **bent):
    return send(browser, way, device.get(options(browser, way), **bent))


def logged_in(browser):
    return browser.get("/account/security").status_code == 200


@pytest.fixture
def registered(browser, house, ada, device):
    """Ada has this passkey, and is logged out."""
    browser.log_in("ada@acme.test")
    page = add(browser, device)
    assert "Recovery codes" in page.get_data(as_text=True)
    browser.post("/logout", page="/account/security")
    return device


def test_a_passkey_logs_in_without_a_name_and_counts_as_both_factors(browser, house, registered):
    assert options(browser, LOG_IN)["allowCredentials"] == []
    answer = log_in(browser, registered)
    assert (answer.status_code, answer.location) == (302, "/")
    assert logged_in(browser)
    assert house.database.rows("SELECT method FROM web_sessions", {}) == [("passkey",)]


def test_a_password_alone_no_longer_opens(browser, house, registered):
    assert "Second factor" in browser.log_in("ada@acme.test").get_data(as_text=True)
    assert not logged_in(browser)
    assert log_in(browser, registered, SECOND).status_code == 302
    assert logged_in(browser)


def test_a_passkey_shows_that_it_is_still_the_same_person(browser, house, registered):
    log_in(browser, registered)
    assert log_in(browser, registered, CONFIRM).status_code == 302


def test_somebody_elses_passkey_is_no_second_factor(browser, stranger, house, registered):
    house.person("charles@acme.test")
    other = Authenticator(PUBLIC)
    stranger.log_in("charles@acme.test")
    add(stranger, other)
    browser.log_in("ada@acme.test")
    assert log_in(browser, other, SECOND).status_code == 422
    assert not logged_in(browser)


@pytest.mark.parametrize(
    "bent",
    [
        {"challenge": "YW5vdGhlciBjaGFsbGVuZ2U"},
        {"rp_id": "evil.test"},
        {"handle": b"smailor:999"},
        {"signed": b"something else"},
    ],
)
def test_what_does_not_hold_opens_nothing(browser, house, registered, bent):
    assert log_in(browser, registered, **bent).status_code == 403
    assert not logged_in(browser)
    assert ("login.passkey", "refused") in {(e.action, e.outcome) for e in audit.entries(house.database)}


def test_another_sites_page_opens_nothing(browser, house, registered):
    registered.origin = "https://smailor.evil.test"
    assert log_in(browser, registered).status_code == 403
    assert not logged_in(browser)


def test_a_device_that_did_not_look_who_uses_it_opens_nothing(browser, house, registered):
    registered.user_verified = False
    assert log_in(browser, registered).status_code == 403
    assert not logged_in(browser)


def test_an_answer_works_once(browser, house, registered):
    answer = registered.get(options(browser, LOG_IN))
    assert send(browser, LOG_IN, answer).status_code == 302
    browser.post("/logout", page="/account/security")
    assert send(browser, LOG_IN, answer).status_code == 403
    assert not logged_in(browser)


def test_a_challenge_is_used_up_by_a_wrong_answer(browser, house, registered):
    there = options(browser, LOG_IN)
    assert send(browser, LOG_IN, registered.get(there, signed=b"wrong")).status_code == 403
    assert send(browser, LOG_IN, registered.get(there)).status_code == 403
    assert not logged_in(browser)


def test_a_challenge_of_one_purpose_is_none_of_another(browser, house, registered):
    browser.log_in("ada@acme.test")
    answer = registered.get(options(browser, LOG_IN))
    assert send(browser, SECOND, answer).status_code == 422
    assert not logged_in(browser)


def test_a_counter_that_goes_back_is_a_copy(browser, house, registered):
    """Refused, written down, and told to the owner."""
    log_in(browser, registered)
    log_in(browser, registered)
    browser.post("/logout", page="/account/security")
    registered.count = 0
    assert log_in(browser, registered).status_code == 403
    assert not logged_in(browser)
    entries = {(e.action, e.object, e.outcome) for e in audit.entries(house.database)}
    assert ("login.passkey", "account:ada@acme.test", "refused") in entries
    assert ("passkey.copied", "account:ada@acme.test", "done") in entries


def test_devices_that_do_not_count_are_fine(browser, house, registered):
    registered.counts = False
    assert log_in(browser, registered).status_code == 302
    assert log_in(browser, registered).status_code == 302


def test_the_same_answer_in_many_hands_opens_once(browser, app, house, registered):
    answer = registered.get(options(browser, LOG_IN))
    cookie = browser.client.get_cookie("smailor-passkey").value
    app.config["WTF_CSRF_ENABLED"] = False

    def hand(_):
        client = app.test_client()
        client.set_cookie("smailor-passkey", cookie)
        client.post("/login/passkey", data={"credential": answer})
        return client.get("/account/security").status_code == 200

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(hand, range(8))) == 1


def test_a_passkey_is_named_listed_and_removed(browser, house, registered):
    log_in(browser, registered)
    browser.post("/account/security/passkeys/1/name", page="/account/security", label="My <b>key</b>")
    page = browser.get("/account/security").get_data(as_text=True)
    assert "My &lt;b&gt;key&lt;/b&gt;" in page
    for odd in ("", " ", "x" * 10_000, "a\x00b", "\u202eyek"):
        assert browser.post("/account/security/passkeys/1/name", page="/account/security", label=odd).status_code == 200
    assert "My &lt;b&gt;key&lt;/b&gt;" in browser.get("/account/security").get_data(as_text=True)
    browser.post("/account/security/passkeys/1/remove", page="/account/security")
    browser.post("/logout", page="/account/security")
    assert log_in(browser, registered).status_code == 403
    assert {"passkey.add", "passkey.remove"} <= {e.action for e in audit.entries(house.database)}


def test_the_last_way_in_stays(browser, house, registered):
    with house.database.transaction() as session:
        session.execute(text("UPDATE users SET password_hash = ''"))
    log_in(browser, registered)
    answer = browser.post("/account/security/passkeys/1/remove", page="/account/security")
    assert "last way into your account" in answer.get_data(as_text=True)
    browser.post("/logout", page="/account/security")
    assert log_in(browser, registered).status_code == 302


def test_other_peoples_passkeys_are_not_to_be_changed(browser, stranger, house, registered):
    house.person("charles@acme.test")
    stranger.log_in("charles@acme.test")
    stranger.post("/account/security/passkeys/1/remove", page="/account/security")
    assert stranger.post("/account/security/passkeys/1/name", page="/account/security", label="x").status_code == 404
    assert log_in(browser, registered).status_code == 302


def test_a_passkey_is_added_once(browser, house, ada, device):
    browser.log_in("ada@acme.test")
    add(browser, device)
    assert device_id(options(browser, NEW)["excludeCredentials"]) == device.id
    answer = add(browser, device)
    assert answer.status_code == 302
    assert len(passkeys.list_passkeys(house.database, user_id=ada.id)) == 1


def device_id(excluded):
    return _bytes(excluded[0]["id"])


def test_where_pages_have_no_name_that_passkeys_can_belong_to_none_are_offered():
    party = passkeys.relying_party
    assert party("", name="S") is None
    assert party("http://mail.example.test", name="S") is None
    assert party("https://192.0.2.1", name="S") is None
    assert party("http://127.0.0.1:25080", name="S").origin == "http://localhost:25080"
    assert party("https://mail.example.test:8443", name="S").origin == "https://mail.example.test:8443"
    assert party("https://mail.example.test", name="S").id == "mail.example.test"


@pytest.mark.parametrize(
    "odd",
    [
        "",
        "null",
        "[]",
        "{}",
        "[" * 10_000,
        "x" * 100_000,
        "\x00",
        json.dumps({"id": "\u202e", "rawId": "!", "type": "public-key", "response": {}}),
        json.dumps({"id": "AA", "rawId": "AA", "type": "public-key", "response": []}),
        json.dumps({"id": 1, "rawId": {}, "type": 7, "response": {"clientDataJSON": 5, "authenticatorData": None}}),
        json.dumps(
            {
                "id": "AA",
                "rawId": "AA",
                "type": "public-key",
                "response": {"clientDataJSON": "e30", "authenticatorData": "AA", "signature": "AA"},
            }
        ),
        json.dumps(
            {
                "id": "AA",
                "rawId": "AA",
                "type": "public-key",
                "response": {"clientDataJSON": "e30", "attestationObject": "oWNmbXRkbm9uZQ"},
            }
        ),
    ],
)
def test_odd_answers_are_refused(browser, house, registered, odd):
    options(browser, LOG_IN)
    assert send(browser, LOG_IN, odd).status_code == 403
    log_in(browser, registered)
    options(browser, NEW)
    assert send(browser, NEW, odd, label="x").status_code == 302
    options(browser, CONFIRM)
    assert send(browser, CONFIRM, odd).status_code == 403


def test_bytes_changed_anywhere_in_an_answer_are_refused(house, registered, settings):
    """Every signed byte counts; no change of any byte makes anything but a refusal."""
    party = passkeys.relying_party(PUBLIC, name="Smailor")
    there = passkeys.authentication_options(house.database, party, user_id=None, challenge=b"c" * 32)
    good = json.loads(registered.get(there))
    for name in ("clientDataJSON", "authenticatorData", "signature"):
        value = good["response"][name]
        for place in range(0, len(value) - 4, 5):
            changed = "A" if value[place] != "A" else "B"
            bent = {**good, "response": {**good["response"], name: value[:place] + changed + value[place + 1 :]}}
            with pytest.raises(NotAccepted):
                passkeys.verify_authentication(
                    house.database,
                    party,
                    credential=json.dumps(bent),
                    challenge=b"c" * 32,
                    user_id=None,
                    now=house.now,
                )


def test_many_answers_that_open_nothing_from_one_place_are_slowed_down(browser, app, house, registered, now):
    """And fill no audit trail."""
    app.config["WTF_CSRF_ENABLED"] = False
    codes = [browser.client.post("/login/passkey", data={"credential": "{}"}).status_code for _ in range(52)]
    assert codes == [403] * 50 + [429] * 2
