"""A person at work: logs in, reads, answers, and sees new mail come in. Nothing breaks the pages' own policy."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import findings
from tests.browser.waiting import until_ready
from tests.system.running import Inbox, Service, letter, token

# The pages do not depend on the kind of database; test_setting_up.py goes the whole way on both.
pytestmark = pytest.mark.parametrize("service", ["sqlite"], indirect=True)

SIZES = {"wide": {"width": 1440, "height": 900}, "phone": {"width": 390, "height": 844}}


def enter(context, service: Service, inbox: Inbox) -> Page:
    """Log in; every error on the console is collected in `page.faults`."""
    page = context.new_page()
    page.faults = []
    page.on("console", lambda said: page.faults.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.goto(service.endpoints["web"])
    page.get_by_label("E-mail address").fill(inbox.address)
    page.get_by_label("Password").fill(inbox.password)
    page.get_by_role("button", name="Log in", exact=True).click()
    expect(page).to_have_title(re.compile("Inbox"))
    return page


def test_new_mail_shows_up_by_itself_is_read_and_answered(new_context, service: Service, ada: Inbox) -> None:
    page = enter(new_context(), service, ada)
    word = token()
    message = letter("Stranger <stranger@stranger.test>", ada.address, f"Question {word}", "How is the engine?\n")
    service.from_outside(message, sender="stranger@stranger.test", recipient=ada.address)
    page.get_by_role("link", name=re.compile(word)).click()
    expect(page.get_by_role("heading", level=1, name=f"Question {word}")).to_be_visible()
    expect(page.locator(".plain")).to_contain_text("How is the engine?")
    until_ready(page)
    page.keyboard.press("r")
    expect(page.get_by_label("To", exact=True)).to_have_value("Stranger <stranger@stranger.test>")
    until_ready(page)
    page.keyboard.type("It runs.")
    page.locator("[data-files]").set_input_files(
        [{"name": "Plan ü.txt", "mimeType": "text/plain", "buffer": b"wheels"}]
    )
    page.keyboard.press("Control+Enter")
    expect(page.locator(".flashes")).to_contain_text("Sent.")
    kept = service.outside(f"Question {word}")
    text, file = kept.message.iter_parts()
    assert text.get_content().startswith("It runs.")
    assert "> How is the engine?" in text.get_content()
    assert (file.get_filename(), file.get_content().strip()) == ("Plan ü.txt", "wheels")
    assert page.faults == []


def test_a_refusal_keeps_text_and_files(new_context, service: Service, ada: Inbox) -> None:
    page = enter(new_context(), service, ada)
    until_ready(page)
    page.keyboard.press("c")
    page.get_by_label("To", exact=True).fill("nobody@lovelace.test")
    page.get_by_label("Message", exact=True).fill("every word")
    page.locator("[data-files]").set_input_files([{"name": "a.txt", "mimeType": "text/plain", "buffer": b"kept"}])
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("alert")).to_contain_text("550 5.1.1")
    expect(page.get_by_label("Message", exact=True)).to_have_value("every word")
    word = token()
    page.get_by_label("To", exact=True).fill("bob@stranger.test")
    page.get_by_label("Subject").fill(word)
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".flashes")).to_contain_text("Sent.")
    assert b"a.txt" in service.outside(word).content


def test_a_designed_message_fills_its_frame(new_context, service: Service) -> None:
    page = enter(new_context(), service, service.inbox("annabella@lovelace.test"))
    page.get_by_role("link", name="The Loom Gazette, no. 117").click()
    frame = page.frame_locator("iframe[title='Message text']")
    expect(frame.get_by_text("cards that weave")).to_be_visible()
    page.wait_for_function(
        "() => { const f = document.querySelector('iframe'), d = f.contentDocument.documentElement;"
        " return f.style.height && Math.abs(d.scrollHeight - f.clientHeight) < 2 }"
    )
    assert findings(page) == []
    assert page.faults == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_every_page_keeps_its_policy_and_fits_its_screen(
    new_context, service: Service, ada: Inbox, size: str, scheme: str
) -> None:
    context = new_context(viewport=SIZES[size], color_scheme=scheme)
    page = enter(context, service, ada)
    word = token()
    designed = letter("Stranger <stranger@stranger.test>", ada.address, word, "<h1>Engines</h1><p>They run.")
    designed.replace_header("Content-Type", "text/html; charset=utf-8")
    service.from_outside(designed, sender="stranger@stranger.test", recipient=ada.address)
    message = page.get_by_role("link", name=re.compile(word)).get_attribute("href")
    for path in (
        "/",
        message,
        f"/mail/{ada.address}/Junk/",
        f"/compose/{ada.address}",
        f"/w/{ada.workspace}/domains/",
        f"/w/{ada.workspace}/domains/analytical.test",
        f"/w/{ada.workspace}/inboxes/",
        f"/w/{ada.workspace}/inboxes/{ada.address}",
        f"/settings/{ada.address}/devices",
    ):
        page.goto(service.endpoints["web"] + path)
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, path
        assert page.locator("h1").count() >= 1, path
        assert findings(page) == [], path
    assert page.faults == []


def test_pages_work_without_a_script(new_context, service: Service, ada: Inbox) -> None:
    page = enter(new_context(java_script_enabled=False), service, ada)
    page.get_by_role("link", name="Table of operations, second draft").click()
    page.get_by_role("link", name="Reply", exact=True).click()
    word = token()
    page.get_by_label("To", exact=True).fill("bob@stranger.test")
    page.get_by_label("Subject").fill(word)
    page.get_by_label("Message", exact=True).fill("without a script")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".flashes")).to_contain_text("Sent.")
    service.outside(word)
    page.locator("summary").filter(has_text="Settings").click()
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_title(re.compile("Log in"))


def test_an_app_password_is_made_for_a_device(new_context, service: Service, charles: Inbox) -> None:
    page = enter(new_context(), service, charles)
    page.goto(f"{service.endpoints['web']}/settings/{charles.address}/devices")
    page.get_by_label("Device or program").fill("Phone")
    page.get_by_role("button", name="Create app password").click()
    secret = page.locator(".secret code").inner_text()
    with service.imap(charles, secret) as client:
        client.noop()
