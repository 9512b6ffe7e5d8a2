"""People's way through the service: one signs up, invites another, changes their role, logs in by passkey, ends a session."""

import email
import re
from collections.abc import Callable
from email.policy import default

from playwright.sync_api import BrowserContext, Page, expect

from tests.system.running import Inbox, Service, token

HEAD = "$TTL 1\n@ SOA ns.internet.test. root.internet.test. 1 3600 600 86400 1\n@ NS ns.internet.test.\n@ MX 10 mx.internet.test.\n"
GOOD = "seven purple umbrellas"


class Person:
    """Somebody who comes from outside, and reads their mail there.

    Args:
        service: the running service.
        name: what they are called, in one word.
    """

    def __init__(self, service: Service, name: str) -> None:
        self.service = service
        self.at = service.endpoints["web"]
        # Passkeys belong to a name, and `localhost` is the one that browsers take for a secure place.
        self.web = self.at.replace("127.0.0.1", "localhost")
        self.domain = f"{token()[:12]}.test"
        self.email = f"{name.lower()}@{self.domain}"
        self.name = name
        self.password = GOOD
        service.drop_zone(self.domain, HEAD)

    def link(self, path: str) -> str:
        """Return the newest link that came by letter and leads to such a page; waits for the first."""
        self.service.outside(self.domain)
        links = []
        for kept in self.service.all_outside(self.domain):
            letter = email.message_from_bytes(kept.content, policy=default)
            links += re.findall(rf"{re.escape(self.at)}({path}\S+)", letter.get_content())
        return f"{self.web}{links[-1]}"

    def sign_up(self, page: Page, workspace: str = "") -> None:
        """Fill in the form, and open the link that comes."""
        page.goto(f"{self.web}/signup")
        page.get_by_label("Your name").fill(self.name)
        page.get_by_label("E-mail address").fill(self.email)
        page.get_by_label("Password").fill(self.password)
        page.get_by_label("Company or team").fill(workspace)
        page.get_by_role("button", name="Sign up").click()
        expect(page.get_by_role("heading", name="Look at your mail")).to_be_visible()
        page.goto(self.link("/signup/"))
        page.get_by_role("button", name="Open the account").click()
        expect(page.get_by_role("heading", name="Open your account")).to_have_count(0)

    def log_in(self, page: Page) -> None:
        """Log in by password."""
        page.goto(f"{self.web}/login")
        page.get_by_label("E-mail address").fill(self.email)
        page.get_by_label("Password").fill(self.password)
        page.get_by_role("button", name="Log in", exact=True).click()
        expect(page).not_to_have_url(re.compile("/login"))


def security_key(page: Page) -> None:
    """Give the page's browser a key of its own, whose owner is always recognised."""
    devices = page.context.new_cdp_session(page)
    devices.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    options |= {"isUserVerified": True, "automaticPresenceSimulation": True}
    devices.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def choose_role(page: Page, role: str) -> None:
    page.locator(f'input[type="radio"][name="role"][value="{role}"]').check()


def test_the_whole_story(new_context: Callable[..., BrowserContext], service: Service, ada: Inbox) -> None:
    """Signs up, verifies, invites, changes a role, logs in by passkey, revokes a session and sees it end."""
    mary, john = Person(service, "Mary"), Person(service, "John")
    slug = f"engines-{mary.domain.partition('.')[0]}"
    here = new_context().new_page()
    security_key(here)
    mary.sign_up(here, slug)
    here.goto(f"{mary.web}/w/{slug}/members/")
    here.get_by_role("link", name="Invite").click()
    here.get_by_label("E-mail address").or_(here.locator('input[name="email"]')).first.fill(john.email)
    choose_role(here, "member")
    here.get_by_role("button", name="Send invitation").click()
    expect(here.get_by_text(john.email).first).to_be_visible()

    johns = new_context().new_page()
    johns.goto(john.link("/invitations/"))
    johns.get_by_label("Your name").or_(johns.locator('input[name="name"]')).first.fill("John")
    johns.locator('input[name="password"]').fill(john.password)
    johns.get_by_role("button", name="Open an account and accept").click()
    expect(johns).to_have_url(re.compile("/login"))
    john.log_in(johns)
    johns.goto(f"{john.web}/w/{slug}/domains/")
    expect(johns.get_by_text("Not yours to open")).to_be_visible()

    here.goto(f"{mary.web}/w/{slug}/members/")
    here.get_by_role("link", name="John").first.click()
    choose_role(here, "read-only")
    here.get_by_role("button", name="Save").click()
    johns.reload()
    expect(johns.get_by_text("Not yours to open")).to_have_count(0)

    elsewhere = new_context(user_agent="Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) FxiOS/140.0").new_page()
    mary.log_in(elsewhere)
    elsewhere.goto(f"{mary.web}/account/sessions")
    expect(elsewhere.get_by_text("This browser")).to_be_visible()

    here.goto(f"{mary.web}/account/security")
    here.get_by_label("Name of the new passkey").fill("Laptop")
    here.get_by_role("button", name="Add a passkey").click()
    here.get_by_role("link", name="I have them").click()
    here.context.clear_cookies()
    here.goto(f"{mary.web}/login?next=/account/sessions")
    here.get_by_role("button", name="Log in with a passkey").click()
    expect(here).to_have_url(re.compile("/account/sessions"))

    row = here.get_by_role("listitem").filter(has_text="Firefox on iPhone")
    row.get_by_role("button").click()
    expect(here.get_by_text("That browser is logged out.")).to_be_visible()
    elsewhere.reload()
    expect(elsewhere).to_have_url(re.compile("/login"))


def test_a_forgotten_password_is_set_anew_by_a_letter_to_an_inbox_of_ours(
    new_context: Callable[..., BrowserContext], service: Service, ada: Inbox
) -> None:
    """The letter arrives in one's own inbox, read over IMAP; another person's password must not change for it."""
    page = new_context().new_page()
    page.goto(f"{service.endpoints['web']}/forgot")
    page.get_by_label("E-mail address").fill(ada.address)
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_role("heading", name="Look at your mail")).to_be_visible()
    letter = email.message_from_bytes(service.arrived(ada, "new password"), policy=default)
    page.goto(re.search(r"http\S+/reset/\S+", letter.get_content())[0])
    expect(page.get_by_role("heading", name="Choose a new password")).to_be_visible()
