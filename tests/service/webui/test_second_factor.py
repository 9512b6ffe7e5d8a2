"""The second factor through the web application: app, recovery codes, and that each opens once."""

import base64
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pyotp
import pytest

from smailor.accounts import audit, factor_changes, pending, recovery_codes, second_factor, totp
from smailor.accounts.factor_changes import Circumstances
from smailor.accounts.letters import Letterhead
from smailor.accounts.totp import Answer
from webui import create_app

PAGE = "/login/second-factor"


@pytest.fixture
def ada(house):
    return house.person("ada@acme.test")


@pytest.fixture
def by(house):
    head = Letterhead("Smailor", "post@smailor.test", "post@smailor.test", "https://mail.smailor.test")
    return Circumstances(house.database, house.sealer, head, audit.Actor("ada@acme.test", "192.0.2.1"), house.now)


@pytest.fixture
def enrolled(house, ada, by, app):
    """Ada's app with its secret, and her recovery codes."""
    secret = totp.draw_secret()
    by = Circumstances(by.database, app.extensions["smailor"].sealer, by.head, by.actor, by.now)
    step = int(house.now.timestamp()) // 30 - 5
    return secret, factor_changes.add_totp(by, user_id=ada.id, secret=secret, step=step)


def code(secret, when):
    return pyotp.TOTP(secret).at(when)


def logged_in(browser):
    return browser.get("/account/security").status_code == 200


def secret_on(page):
    return "".join(re.search(r"<code>([A-Z2-7 ]{39})</code>", page.get_data(as_text=True))[1].split())


def codes_on(page):
    return re.findall(r"<li><code>([a-z2-9-]{19})</code></li>", page.get_data(as_text=True))


def test_an_app_is_added_by_its_first_code_and_asked_for_from_then_on(browser, stranger, house, ada, now):
    browser.log_in("ada@acme.test")
    page = browser.get("/account/security/app")
    secret = secret_on(page)
    assert secret_on(browser.get("/account/security/app")) == secret
    picture = browser.get("/account/security/app/qr.svg")
    assert picture.mimetype == "image/svg+xml"
    assert b"style" not in picture.data
    assert picture.headers["Cache-Control"] == "no-store"
    assert browser.post("/account/security/app", code="000000").status_code == 422
    assert not second_factor.needed(house.database, ada.id)
    shown = browser.post("/account/security/app", code=code(secret, now))
    assert len(set(codes_on(shown))) == 10
    assert second_factor.needed(house.database, ada.id)
    assert {entry.action for entry in audit.entries(house.database)} >= {"totp.add"}

    assert "Second factor" in stranger.log_in("ada@acme.test").get_data(as_text=True)
    assert not logged_in(stranger)
    assert stranger.post(PAGE, code=code(secret, now)).status_code == 422  # used for adding it
    stranger.post(PAGE, code=code(secret, now + timedelta(seconds=30)))
    assert logged_in(stranger)


def test_changing_a_factor_asks_for_a_fresh_log_in_and_moves_the_session(browser, house, ada, app, settings, now):
    browser.log_in("ada@acme.test")
    before = browser.client.get_cookie("smailor").value
    secret = secret_on(browser.get("/account/security/app"))
    browser.post("/account/security/app", code=code(secret, now))
    assert browser.client.get_cookie("smailor").value != before

    later = create_app(settings, database=house.database, clock=lambda: now + timedelta(minutes=11))
    browser.client.application = later
    for path in ("app", "app/remove", "codes", "passkeys", "passkeys/options", "passkeys/1/remove", "links/1/remove"):
        answer = browser.post(f"/account/security/{path}", page="/account/security", follow=False)
        assert answer.location.startswith("/confirm"), path
    assert second_factor.needed(house.database, ada.id)


def test_a_recovery_code_opens_once(browser, house, ada, enrolled):
    _, codes = enrolled
    browser.log_in("ada@acme.test")
    browser.post(PAGE, code=f" {codes[0].upper()} ")
    assert logged_in(browser)
    browser.post("/logout", page="/account/security")
    browser.log_in("ada@acme.test")
    assert browser.post(PAGE, code=codes[0]).status_code == 422
    assert not logged_in(browser)
    actions = [(entry.action, entry.outcome) for entry in audit.entries(house.database)]
    assert ("recovery-codes.use", "done") in actions
    assert ("login.recovery", "refused") in actions


def test_new_recovery_codes_void_the_old_ones(browser, house, ada, enrolled, now):
    secret, old = enrolled
    browser.log_in("ada@acme.test")
    browser.post(PAGE, code=code(secret, now))
    new = codes_on(browser.post("/account/security/codes", page="/account/security"))
    assert len(new) == 10
    assert not recovery_codes.use(house.database, user_id=ada.id, code=old[0], now=now)
    assert recovery_codes.use(house.database, user_id=ada.id, code=new[0], now=now)


def test_without_a_factor_there_are_no_codes(browser, house, ada):
    browser.log_in("ada@acme.test")
    assert not codes_on(browser.post("/account/security/codes", page="/account/security"))


def test_removing_the_app_ends_what_stood_in_for_it(browser, house, ada, enrolled, now):
    secret, codes = enrolled
    browser.log_in("ada@acme.test")
    browser.post(PAGE, code=code(secret, now))
    browser.post("/account/security/app/remove", page="/account/security")
    assert not second_factor.needed(house.database, ada.id)
    assert not recovery_codes.use(house.database, user_id=ada.id, code=codes[0], now=now)
    assert "totp.remove" in {entry.action for entry in audit.entries(house.database)}


def test_five_wrong_codes_and_the_log_in_begins_anew(browser, house, ada, enrolled, now):
    secret, _ = enrolled
    browser.log_in("ada@acme.test")
    for _ in range(pending.MAX_ATTEMPTS):
        assert browser.post(PAGE, code="000000").status_code == 422
    answer = browser.post(PAGE, follow=False, code=code(secret, now))
    assert answer.location.startswith("/login")
    assert not logged_in(browser)
    failed = [entry for entry in audit.entries(house.database) if entry.action == "login.totp"]
    assert len(failed) == 5
    assert {entry.object for entry in failed} == {"account:ada@acme.test"}


def test_guessing_from_many_places_closes_the_app_for_a_while_but_not_the_owner_out(house, ada, enrolled, now, app):
    secret, codes = enrolled
    sealer = app.extensions["smailor"].sealer

    def tried(typed, when=now):
        return totp.check(house.database, sealer, user_id=ada.id, code=typed, now=when)

    answers = [tried("000000") for _ in range(totp.MAX_FAILURES)]
    assert answers[-1] is Answer.LAST
    assert set(answers[:-1]) == {Answer.WRONG}
    assert tried(code(secret, now)) is Answer.CLOSED
    assert recovery_codes.use(house.database, user_id=ada.id, code=codes[0], now=now)
    later = now + totp.WINDOW
    assert tried(code(secret, later), later) is Answer.RIGHT


def test_a_code_is_good_for_a_step_before_and_after_and_never_twice(house, ada, enrolled, app, now):
    secret, _ = enrolled
    sealer = app.extensions["smailor"].sealer

    def tried(seconds):
        when = now + timedelta(seconds=seconds)
        return totp.check(house.database, sealer, user_id=ada.id, code=code(secret, when), now=now)

    assert tried(-60) is Answer.WRONG
    assert tried(60) is Answer.WRONG
    assert tried(-30) is Answer.RIGHT
    assert tried(-30) is Answer.USED
    assert tried(30) is Answer.RIGHT
    assert tried(0) is Answer.USED  # an earlier step than one that was taken


def test_of_many_with_the_same_code_one_gets_in(house, ada, enrolled, app, now):
    secret, codes = enrolled
    sealer = app.extensions["smailor"].sealer
    typed = code(secret, now)
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(
                lambda _: totp.check(house.database, sealer, user_id=ada.id, code=typed, now=now),
                range(8),
            )
        )
        used = list(
            pool.map(
                lambda _: recovery_codes.use(house.database, user_id=ada.id, code=codes[0], now=now),
                range(8),
            )
        )
    assert answers.count(Answer.RIGHT) == 1
    assert used.count(True) == 1


def test_of_two_browsers_with_one_half_way_log_in_one_gets_in(app, house, ada, enrolled, now, browser):
    """The same cookie in eight hands, each with another right code: one session."""
    _, codes = enrolled
    browser.log_in("ada@acme.test")
    token = browser.client.get_cookie("smailor-second-factor").value
    app.config["WTF_CSRF_ENABLED"] = False

    def hand(number):
        client = app.test_client()
        client.set_cookie("smailor-second-factor", token)
        client.post(PAGE, data={"code": codes[number]})
        return client.get("/account/security").status_code == 200

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(hand, range(8))) == 1


def test_the_half_way_log_in_of_one_purpose_is_none_of_another(browser, house, ada, enrolled, now):
    token = pending.begin(house.database, purpose="totp-new", user_id=ada.id, now=now)
    browser.client.set_cookie("smailor-second-factor", token)
    assert browser.get(PAGE).location.startswith("/login")


def test_the_secret_is_sealed_and_codes_are_digests(house, ada, enrolled):
    secret, codes = enrolled
    text = str(house.database.rows("SELECT sealed_secret FROM totp_devices", {}))
    text += str(house.database.rows("SELECT token_sha256 FROM recovery_codes", {}))
    assert secret not in text
    assert not any(code in text or code.replace("-", "") in text for code in codes)


def test_the_owner_is_told_by_letter(house, ada, enrolled, app):
    sealer = app.extensions["smailor"].sealer
    [(recipient, sealed)] = house.database.rows("SELECT recipient, sealed_message FROM notices", {})
    letter = base64.b64decode(sealer.unseal(sealed)).decode()
    assert recipient == "ada@acme.test"
    assert "authenticator app was added" in letter
    assert not any(code in letter for code in enrolled[1])


@pytest.mark.parametrize(
    "typed", ["", " ", "0" * 10_000, "\x00", "\u202e123456", "١٢٣٤٥٦", "12 34 5x", "-" * 16, "é" * 16]
)
def test_odd_codes_are_answered_with_the_form(browser, house, ada, enrolled, typed):
    browser.log_in("ada@acme.test")
    answer = browser.post(PAGE, code=typed)
    assert answer.status_code == 422
    assert not logged_in(browser)


def test_without_a_log_in_that_has_begun_there_is_nothing_to_add_to(browser, house):
    assert browser.get(PAGE).location.startswith("/login")
    assert browser.post("/login/second-factor/passkey/options", page="/login").status_code == 404
    assert browser.post("/login/second-factor/passkey", page="/login", follow=False).location.startswith("/login")


def test_many_wrong_codes_from_one_place_are_slowed_down_over_several_log_ins(browser, house, ada, enrolled, now):
    secret, _ = enrolled
    for _ in range(2):
        browser.post("/logout", page="/login")
        browser.log_in("ada@acme.test")
        for _ in range(pending.MAX_ATTEMPTS):
            browser.post(PAGE, code="000000")
    browser.log_in("ada@acme.test")
    answer = browser.post(PAGE, code=code(secret, now))
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert not logged_in(browser)


def test_a_new_password_ends_what_the_old_one_began(browser, stranger, house, ada, enrolled, app, now):
    """Whoever stands before the second factor with a stolen password does not get in by it any more."""
    secret, codes = enrolled
    stranger.log_in("ada@acme.test")
    browser.log_in("ada@acme.test")
    browser.post(PAGE, code=code(secret, now))
    browser.post("/account/password", password="a wholly new long password")
    stranger.post(PAGE, page="/login", code=codes[0])
    assert not logged_in(stranger)
    assert recovery_codes.use(house.database, user_id=ada.id, code=codes[0], now=now)  # not even used up
