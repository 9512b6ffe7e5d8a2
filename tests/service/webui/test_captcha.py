"""The captcha of the sign-up form: none, the browser's own work, Turnstile."""

import hashlib
import itertools
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from smailor import config
from smailor.accounts import captcha as rules
from smailor.errors import TemporaryFailure
from tests.fakes.turnstile import SECRET_KEY, Turnstile
from webui import create_app
from webui.access import public
from webui.auth import captcha

PUBLIC = "https://mail.smailor.test"
ONE_ENGINE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@pytest.fixture
def turnstile():
    with Turnstile() as service:
        yield service


@pytest.fixture
def asking(settings, database, resolver, now):
    """Makes an application with a captcha, and opens a request with a form to it."""

    def make(when=now, form=None, **values):
        changed = replace(settings, web=replace(settings.web, public_url=PUBLIC), captcha=config.Captcha(**values))
        app = create_app(changed, database=database, resolver=resolver, clock=lambda: when)
        return app.test_request_context("/", method="POST", data=form)

    return make


def work(challenge):
    wanted = int(challenge.split(".")[1])
    return next(
        answer
        for number in itertools.count()
        if rules.zero_bits(hashlib.sha256((answer := f"{challenge}:{number}").encode()).digest()) >= wanted
    )


def challenge_of(asking):
    with asking(kind="work", work_bits=8):
        return re.search(r'data-work="([^"]+)"', captcha.widget())[1]


@ONE_ENGINE
def test_with_none_the_form_has_nothing_and_everybody_passes(asking):
    with asking():
        assert captcha.widget() == ""
        assert captcha.solved()


def test_the_browsers_work_counts_once(asking):
    answer = work(challenge_of(asking))
    with asking(kind="work", work_bits=8, form={"captcha": answer}):
        assert captcha.solved()
        assert not captcha.solved()


def test_the_browsers_work_counts_once_however_many_come_at_the_same_time(asking, database, settings, now):
    answer = work(challenge_of(asking))
    with ThreadPoolExecutor(8) as pool:
        passed = pool.map(lambda _: rules.work_done(database, settings, answer=answer, now=now), range(8))
        assert sum(passed) == 1


@ONE_ENGINE
def test_work_on_a_challenge_that_is_not_ours_or_over_does_not_count(asking, now):
    challenge = challenge_of(asking)
    easier = challenge.replace(".8.", ".1.", 1)
    for odd in ("", ":", "x:1", work(easier), f"{challenge}:", f"{challenge}:x", f"{challenge}:\u0661", "9" * 5000):
        with asking(kind="work", work_bits=8, form={"captcha": odd}):
            assert not captcha.solved()
    late = {"captcha": work(challenge)}
    with asking(now + timedelta(minutes=31), kind="work", work_bits=8, form=late):
        assert not captcha.solved()


@pytest.fixture
def passes(asking, turnstile):
    """Tells whether a form with this answer of Turnstile's goes on."""

    def try_it(answer, origin=None):
        form = {} if answer is None else {"cf-turnstile-response": answer}
        there = {"site_key": "site", "secret_key": SECRET_KEY, "origin": origin or turnstile.url}
        with asking(kind="turnstile", form=form, **there):
            return captcha.solved()

    return try_it


@ONE_ENGINE
def test_turnstile_is_asked_and_believed_for_our_page_and_form_only(passes, turnstile):
    turnstile.passed("good", hostname="mail.smailor.test", action="sign-up")
    assert passes("good")
    assert not passes("good")
    turnstile.passed("elsewhere", hostname="evil.test", action="sign-up")
    assert not passes("elsewhere")
    turnstile.passed("another form", hostname="mail.smailor.test", action="log-in")
    assert not passes("another form")
    assert not any(passes(odd) for odd in (None, "", "x" * 9000, "\u202e"))
    assert all(set(body) == {"secret", "response"} for body in turnstile.bodies)  # not who asked


@ONE_ENGINE
def test_while_turnstile_is_away_nobody_signs_up(passes, turnstile):
    """The page of a temporary failure says so: 503."""
    turnstile.status = 500
    for origin in (turnstile.url, "http://127.0.0.1:1"):
        with pytest.raises(TemporaryFailure):
            passes("anything", origin)


@ONE_ENGINE
def test_the_policy_is_widened_for_turnstile_on_its_page_only(settings, database, resolver, now):
    there = config.Captcha("turnstile", "site", SECRET_KEY)
    app = create_app(replace(settings, captcha=there), database=database, resolver=resolver, clock=lambda: now)

    @app.get("/form")
    @public
    def form():
        return captcha.widget()

    page = app.test_client().get("/form")
    assert 'data-sitekey="site"' in page.get_data(as_text=True)
    policy = page.headers["Content-Security-Policy"]
    assert "script-src 'self' https://challenges.cloudflare.com;" in policy
    assert "frame-src 'self' https://challenges.cloudflare.com;" in policy
    assert policy.count("cloudflare") == 2
    assert "cloudflare" not in app.test_client().get("/login").headers["Content-Security-Policy"]
