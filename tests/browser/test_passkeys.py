"""Passkeys with Chromium's virtual authenticator, and the way to a provider and back, under the pages' strict policy.

The application runs in this process, on `localhost`: browsers take that for a secure place, and passkeys need a name.
"""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.fernet import Fernet
from playwright.sync_api import expect
from werkzeug.serving import make_server

from smailor import config
from smailor.accounts import service as accounts
from smailor.database import schema
from smailor.database.engine import Database
from tests.browser.test_accessibility import faults
from tests.fakes.oidc import CLIENT_ID, CLIENT_SECRET, OidcProvider, Person
from webui import create_app

PASSWORD = "correct horse battery"
NOWHERE = "127.0.0.1:1"
LATER = {"by": timedelta(0)}
"""By how much the application's clock is ahead."""


@pytest.fixture(scope="module")
def provider():
    """A provider of log-ins where Ada is logged in."""
    with OidcProvider() as running:
        yield running


@pytest.fixture(scope="module")
def site(tmp_path_factory, provider):
    """The address of an application with two people."""
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('site')}/smailor.db")
    schema.upgrade(database)
    for email in ("ada@lovelace.test", "charles@lovelace.test"):
        accounts.create_user(database, email=email, name="Somebody", password=PASSWORD, now=datetime.now(UTC))
    settings = config.Settings(
        service=config.Service("mx.smailor.test", "smailor.test"),
        database=config.DatabaseSettings(database.url),
        secrets=config.Secrets("s" * 40, (Fernet.generate_key().decode(),)),
        web=config.Web(bind=NOWHERE, imap=NOWHERE, submission=NOWHERE, secure_cookies=False),
        login=config.Login(signup=True),
        captcha=config.Captcha("work", work_bits=12),
    )
    server = make_server("127.0.0.1", 0, create_app(settings, database=database), threaded=True)
    url = f"http://localhost:{server.server_port}"
    there = config.Provider("oidc", CLIENT_ID, CLIENT_SECRET, provider.url, "Company", loopback=True)
    settings = replace(settings, web=replace(settings.web, public_url=url), providers={"company": there})
    # Which now knows its address.
    server.app = create_app(settings, database=database, clock=lambda: datetime.now(UTC) + LATER["by"])
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield url
    server.shutdown()
    thread.join()
    server.server_close()
    database.dispose()


@pytest.fixture
def page(new_context, site):
    """A page of a browser with a security key of its own, whose owner is always recognised."""
    context = new_context(base_url=site)
    page = context.new_page()
    page.faults = []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on("console", lambda line: page.faults.append(line.text) if "Content Security Policy" in line.text else None)
    devices = page.context.new_cdp_session(page)
    devices.send("WebAuthn.enable")
    devices.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )
    yield page
    assert page.faults == []


def test_a_passkey_is_made_and_opens_the_account_without_a_name(page):
    page.goto("/login?next=/account/security")
    page.get_by_label("E-mail address").fill("ada@lovelace.test")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()
    page.get_by_label("Name of the new passkey").fill("This browser")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_role("heading", name="Keep these codes on paper")).to_be_visible()
    assert page.locator("li code").count() == 10
    assert faults(page) == []
    page.get_by_role("link", name="I have them").click()
    expect(page.get_by_text("This browser", exact=True).first).to_be_visible()
    assert faults(page) == []

    page.context.clear_cookies()
    page.goto("/login?next=/account/security")
    page.get_by_role("button", name="Log in with a passkey").click()
    expect(page.get_by_role("heading", name="Passkeys")).to_be_visible()

    page.context.clear_cookies()
    page.goto("/login?next=/account/security")
    page.get_by_label("E-mail address").fill("ada@lovelace.test")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()
    expect(page.get_by_role("heading", name="Second factor")).to_be_visible()
    assert faults(page) == []
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="Passkeys")).to_be_visible()


def test_whoever_comes_later_shows_first_who_they_are_by_the_passkey(page, monkeypatch):
    page.goto("/login?next=/account/security")
    page.get_by_label("E-mail address").fill("charles@lovelace.test")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()
    page.get_by_label("Name of the new passkey").fill("First")
    page.get_by_role("button", name="Add a passkey").click()
    page.get_by_role("link", name="I have them").click()
    monkeypatch.setitem(LATER, "by", timedelta(minutes=11))
    page.get_by_label("Name of the new passkey").fill("Second")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_role("heading", name="Is it still you?")).to_be_visible()
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="Passkeys")).to_be_visible()


def test_a_browser_without_this_passkey_is_told_and_stays_on_the_page(page):
    page.goto("/login")
    page.get_by_role("button", name="Log in with a passkey").click()
    expect(page.get_by_text("The passkey was not used.")).to_be_visible()
    expect(page.get_by_role("button", name="Log in with a passkey")).to_be_enabled()


@pytest.mark.parametrize("javascript", [True, False])
def test_the_way_to_a_provider_and_back(new_context, site, provider, javascript):
    """The form leads to a page of ours, that one there: the policy stops redirects of forms to elsewhere."""
    provider.person = Person()
    page = new_context(base_url=site, java_script_enabled=javascript).new_page()
    page.goto("/login")
    page.get_by_role("button", name="Log in with Company").click()
    expect(page.get_by_role("heading", name="Not linked yet")).to_be_visible()
    assert ("GET", "/authorize", {}) in provider.requests


def test_somebody_new_comes_by_the_provider_and_links_another_one(page, provider):
    provider.person = Person(sub="mary", email="mary@provider.test", name="Mary")
    page.goto("/login?next=/account/security")
    page.get_by_role("button", name="Log in with Company").click()
    expect(page.get_by_role("heading", name="Create an account?")).to_be_visible()
    assert faults(page) == []
    page.get_by_role("button", name="Create the account").click()
    expect(page.get_by_text("mary@provider.test · linked")).to_be_visible()
    provider.person = Person(sub="mary at home", email="mary@home.test", name="Mary")
    page.get_by_role("button", name="Link Company", exact=True).click()
    expect(page.get_by_role("heading", name="Link this account?")).to_be_visible()
    assert faults(page) == []
    page.get_by_role("button", name="Link", exact=True).click()
    expect(page.get_by_text("mary@home.test · linked")).to_be_visible()
    assert faults(page) == []


def test_the_browser_works_for_a_moment_and_signs_up(page):
    page.goto("/signup")
    page.get_by_label("Your name").fill("Mary")
    page.get_by_label("E-mail address").fill("mary@somerville.test")
    page.get_by_label("Password").fill("a wholly new long password")
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("heading", name="Look at your mail")).to_be_visible()


def test_without_javascript_the_button_is_not_there(new_context, site):
    page = new_context(base_url=site, java_script_enabled=False).new_page()
    page.goto("/login")
    expect(page.get_by_role("button", name="Log in with a passkey")).to_be_hidden()
    expect(page.get_by_role("button", name="Log in", exact=True)).to_be_visible()
