"""Every page, found through the routes: axe has no serious finding, it fits a phone, its own policy is kept.

A page that a new route brings is here by itself, if its address is made of VALUES; else this test says so.
"""

from collections.abc import Iterator

import pytest
from cryptography.fernet import Fernet
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.axe import findings
from tests.browser.site import EMAIL, GUEST, PASSWORD, Site, make_settings, running
from tests.browser.waiting import until_ready
from webui import access, create_app

SIZES = {"desktop": {"width": 1440, "height": 900}, "phone": {"width": 390, "height": 844}}
SCHEMES = ("light", "dark")

VALUES = {"slug": "acme", "name": "acme.test", "address": EMAIL, "member_id": 2, "number": 2}
"""What the addresses of pages are made of."""
FURTHER = {
    "domains.show": ["/w/acme/domains/analytical.test"],
    "sending.search": [f"/operator/sending?subject={EMAIL}", "/operator/sending?subject=acme.test"],
}
"""More addresses of a page, for its other states."""
WITH_MAIL = {"mail.folder", "mail.message", "mail.body", "mail.attachment", "mail.source", "mail.compose"}
"""Pages that need a mail server: test_webmail.py looks at them the same way."""
NO_PAGES = {
    "assets.static": "files",
    "home.health": "text for machines",
    "home.index": "leads to another page",
    "auth.provider_callback": "leads to another page",
    "auth.second_factor": "only in the middle of a log-in: a test of its own",
    "security.app_picture": "a picture",
    "domains.zone": "a file",
    "sending.export": "a file",
    "audit.export": "a file",
    "api.description": "for programs",
}
"""Routes that show no page, and why."""


def routes() -> list[str]:
    """The endpoints that answer GET, without a database being asked."""
    app = create_app(make_settings("sqlite:////nowhere/smailor.db", Fernet.generate_key().decode()))
    found = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and access.declared(app.view_functions[rule.endpoint]).kind != access.API
    }
    return sorted(found - WITH_MAIL - NO_PAGES.keys())


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("site")) as site:
        yield site


def look(context: BrowserContext) -> Page:
    """A page whose faults are collected: errors, refusals by the policy."""
    page = context.new_page()
    page.faults = []
    page.on("console", lambda said: page.faults.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    return page


def log_in(page: Page, site: Site, email: str) -> None:
    """Give address and password."""
    page.goto(f"{site.url}/login")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()


@pytest.fixture(scope="session")
def visitor(chromium: Browser, site: Site) -> Iterator[Page]:
    """A browser of nobody."""
    context = chromium.new_context(locale="en")
    yield look(context)
    context.close()


@pytest.fixture(scope="session")
def owner(chromium: Browser, site: Site) -> Iterator[Page]:
    """A browser of somebody who may open everything: owner of a workspace, and operator."""
    context = chromium.new_context(locale="en")
    page = look(context)
    log_in(page, site, EMAIL)
    page.wait_for_url(lambda url: not url.endswith("/login"))
    page.faults.clear()  # log-in leads to mail, whose server is not here
    yield page
    context.close()


def paths(site: Site, endpoint: str) -> list[str]:
    """The addresses of a route; fails where VALUES cannot make one."""
    found = []
    for rule in site.app.url_map.iter_rules(endpoint):
        if "GET" not in (rule.methods or ()):
            continue
        values = {**VALUES, "token": site.tokens[endpoint]} if endpoint in site.tokens else VALUES
        unknown = set(rule.arguments) - values.keys() - set(rule.defaults or ())
        assert not unknown or endpoint in FURTHER, f"say in VALUES or FURTHER what {rule} is made of: {unknown}"
        if not unknown:
            _, path = rule.build(values, append_unknown=False)
            found.append(path)
    return found + FURTHER.get(endpoint, [])


def faults(page: Page) -> list[str]:
    """What is wrong with the page that is shown, in both sizes and themes."""
    wrong: list[str] = []
    for size, viewport in SIZES.items():
        page.set_viewport_size(viewport)
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if overflow > 0:
            wrong.append(f"{size}: scrolls {overflow} px to the side")
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            wrong += [f"{size}, {scheme}: {finding}" for finding in findings(page)]
    if page.locator("h1").count() != 1:
        wrong.append(f"{page.locator('h1').count()} headings of the first level")
    if page.evaluate("document.documentElement.lang") != "en":
        wrong.append("another language than the browser's")
    return wrong + page.faults


@pytest.mark.parametrize("endpoint", routes())
def test_a_page_can_be_used_by_everybody(site: Site, visitor: Page, owner: Page, endpoint: str) -> None:
    for page in (visitor, owner):
        page.faults.clear()
    for path in paths(site, endpoint):
        # Pages before log-in are looked at as a visitor, all others as somebody who may open them.
        answer = visitor.goto(site.url + path)
        page = visitor
        if answer is None or visitor.url != site.url + path:
            page = owner
            answer = owner.goto(site.url + path)
        assert answer is not None
        assert (answer.status, page.url) == (200, site.url + path), f"{path} cannot be reached: say why in NO_PAGES"
        assert faults(page) == [], path


@pytest.fixture
def anew(chromium: Browser) -> Iterator[Page]:
    """A browser of its own for one test."""
    context = chromium.new_context(locale="en")
    yield look(context)
    context.close()


def test_the_second_factor_can_be_given_by_everybody(anew: Page, site: Site) -> None:
    log_in(anew, site, "grace@acme.test")
    anew.wait_for_url(f"{site.url}/login/second-factor*")
    assert faults(anew) == []


def test_whoever_has_no_inbox_yet_is_welcomed(anew: Page, site: Site) -> None:
    log_in(anew, site, GUEST)
    anew.get_by_text("You have no inbox yet").wait_for()
    assert faults(anew) == []


def test_acting_for_somebody_else_shows_on_every_page_and_covers_nothing(anew: Page, site: Site) -> None:
    log_in(anew, site, EMAIL)
    anew.wait_for_url(lambda url: not url.endswith("/login"))
    anew.goto(f"{site.url}/operator/people/4")
    anew.locator("#act-reason").fill("Ticket 4711: sees no inbox")
    anew.get_by_role("button", name=f"Act as {GUEST}").click()
    anew.locator(".acting").wait_for()
    anew.faults.clear()
    assert faults(anew) == []
    anew.set_viewport_size(SIZES["desktop"])
    height = anew.evaluate("document.documentElement.scrollHeight - document.documentElement.clientHeight")
    assert height <= 0, "the side bar scrolls away"


def test_an_error_page_can_be_read_by_everybody(anew: Page, site: Site) -> None:
    answer = anew.goto(f"{site.url}/nowhere")
    assert answer is not None
    assert answer.status == 404
    anew.faults.clear()  # the browser notes the status
    assert faults(anew) == []


def test_a_cold_page_is_small(chromium: Browser, site: Site, owner: Page) -> None:
    """At most ten requests and 110 kB, compressed text as browsers ask for it."""
    context = chromium.new_context(storage_state=owner.context.storage_state())
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    sizes: list[float] = []
    session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.goto(f"{site.url}/w/acme/inboxes/", wait_until="networkidle")
    context.close()
    assert len(sizes) <= 10
    assert sum(sizes) <= 110_000


def test_the_language_is_switched_without_a_script(chromium: Browser, site: Site) -> None:
    context = chromium.new_context(locale="en", java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site.url}/login")
    page.get_by_role("button", name="Deutsch").click()
    assert page.locator("html").get_attribute("lang") == "de"
    assert page.url == f"{site.url}/login"
    page.get_by_role("button", name="English").click()
    assert page.locator("html").get_attribute("lang") == "en"
    context.close()


def test_a_question_is_a_dialog_with_a_script_and_a_page_without(chromium: Browser, site: Site) -> None:
    page = chromium.new_page()
    page.goto(f"{site.url}/styleguide")
    until_ready(page)
    link = page.get_by_role("link", name="Remove…")
    link.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("heading", name="Remove Grace Hopper?").wait_for()
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    assert link.evaluate("link => link === document.activeElement")
    page.close()
    plain = chromium.new_context(java_script_enabled=False)
    page = plain.new_page()
    page.goto(f"{site.url}/styleguide")
    page.get_by_role("link", name="Remove…").click()
    assert page.get_by_role("heading", name="Remove Grace Hopper?").is_visible()
    plain.close()
