"""From a new domain to a mail client that reads it, and hostile mail on the way: all in a real browser."""

import re
from email.message import EmailMessage

import dkim
from playwright.sync_api import Page, expect

from tests.system.running import Inbox, Service, token, until

HEAD = "$TTL 1\n@ SOA ns.internet.test. root.internet.test. 1 3600 600 86400 1\n@ NS ns.internet.test.\n"


def log_in(context, service: Service, inbox: Inbox) -> Page:
    page = context.new_page()
    page.goto(service.endpoints["web"])
    page.get_by_label("E-mail address").fill(inbox.address)
    page.get_by_label("Password").fill(inbox.password)
    page.get_by_role("button", name="Log in", exact=True).click()
    expect(page).to_have_title(re.compile("Inbox"))
    return page


def test_a_domain_is_added_verified_and_used(new_context, service: Service, ada: Inbox) -> None:
    """Add a domain, copy its records into the DNS, verify, make an inbox and an app password, write to it, read it."""
    domain = f"{token()[:12]}.test"
    page = log_in(new_context(), service, ada)
    page.goto(f"{service.endpoints['web']}/w/analytical/domains/")
    page.get_by_label("Domain", exact=True).fill(domain)
    page.get_by_role("button", name="Add domain").click()
    expect(page.get_by_role("heading", level=1, name=domain)).to_be_visible()
    expect(page.get_by_text("Not verified")).to_be_visible()

    page.get_by_role("button", name="Verify").click()
    expect(page.get_by_text("Not verified")).to_be_visible()  # nothing is in the DNS yet

    with page.expect_download() as download:
        page.get_by_role("link", name="Zone file").click()
    records = download.value.path().read_text()
    for name in (f"_smailor-challenge.{domain}.", f"._domainkey.{domain}.", f"_dmarc.{domain}."):
        assert name in records
    service.drop_zone(domain, HEAD + records)
    page.get_by_role("button", name="Verify").click()
    expect(page.get_by_text("Verified", exact=True).first).to_be_visible()
    expect(page.get_by_text("All records are in place.")).to_be_visible()

    page.goto(f"{service.endpoints['web']}/w/analytical/inboxes/")
    form = page.locator("form").filter(has_text="New inbox")
    form.get_by_role("textbox").first.fill("hello")
    form.get_by_label("Domain").select_option(label=domain)
    form.get_by_label("Name").fill("Hello There")
    form.get_by_role("checkbox").set_checked(True)
    form.get_by_role("button", name="Create inbox").click()
    expect(page.get_by_text(f"hello@{domain}").first).to_be_visible()

    page.goto(f"{service.endpoints['web']}/settings/hello@{domain}/devices")
    page.get_by_label("Device or program").fill("Laptop")
    page.get_by_role("button", name="Create app password").click()
    secret = page.locator(".secret code").inner_text()
    device = Inbox(f"hello@{domain}", "analytical", "", secret)

    word = token()
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = device.address, "bob@stranger.test", word
    message.set_content("From a new domain.\n")
    with service.smtp(device) as client:
        client.send_message(message)
    verifier = dkim.DKIM(service.outside(word).content)
    assert verifier.verify(dnsfunc=service.txt)
    assert verifier.domain.decode() == domain
    del message["To"], message["From"]
    message["To"], message["From"] = device.address, "bob@stranger.test"
    assert service.from_outside(message, sender="bob@stranger.test", recipient=device.address).accepted
    service.arrived(device, word)

    page.get_by_role("button", name=re.compile("Revoke")).click()
    expect(page.get_by_text("No app password yet")).to_be_visible()


def test_an_answer_written_in_the_browser_leaves_signed(new_context, service: Service, ada: Inbox) -> None:
    word = token()
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "bob@stranger.test", ada.address, f"Question {word}"
    message["Message-ID"] = f"<{word}@stranger.test>"
    message.set_content("Shall we?\n")
    assert service.from_outside(message, sender="bob@stranger.test", recipient=ada.address).accepted
    service.arrived(ada, word)
    page = log_in(new_context(), service, ada)
    page.get_by_role("link", name=re.compile(word)).click()
    page.get_by_role("link", name="Reply", exact=True).click()
    page.get_by_label("Message", exact=True).fill("Grüße, yes.")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".flashes")).to_contain_text("Sent.")
    kept = service.outside(f"Re: Question {word}")
    assert kept.message["In-Reply-To"] == f"<{word}@stranger.test>"
    verifier = dkim.DKIM(kept.content)
    assert verifier.verify(dnsfunc=service.txt)
    assert verifier.domain.decode() == "analytical.test"


def test_an_inbox_is_let_send_as_another_one_which_then_stands_in_from(
    new_context, service: Service, ada: Inbox
) -> None:
    """An administrator adds the right and takes it away; in between the composer offers it and the message passes."""
    boss = service.new_inbox("boss")
    page = log_in(new_context(), service, ada)
    page.goto(f"{service.endpoints['web']}/w/analytical/inboxes/")
    page.locator("li").filter(has_text=f"{ada.address} ·").get_by_role("link", name="Ada Lovelace").click()
    expect(page.get_by_role("heading", name="May also send as")).to_be_visible()
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_text("Choose an inbox or a domain.")).to_be_visible()
    page.get_by_label("Let it send as").select_option(boss.address)
    page.get_by_role("button", name="Allow").click()
    expect(page.locator(".flashes")).to_contain_text(f"may now send as {boss.address}")
    try:
        page.goto(f"{service.endpoints['web']}/compose/{ada.address}")
        page.get_by_label("From").select_option(boss.address)
        word = token()
        page.get_by_label("To", exact=True).fill("bob@stranger.test")
        page.get_by_label("Subject").fill(word)
        page.get_by_label("Message", exact=True).fill("On behalf of the boss.")
        page.get_by_role("button", name="Send").click()
        expect(page.locator(".flashes")).to_contain_text("Sent.")
        kept = service.outside(word)
        assert kept.message["From"] == f"Boss <{boss.address}>"
        assert kept.envelope["mail_from"] == boss.address
        assert dkim.verify(kept.content, dnsfunc=service.txt)
    finally:
        page.goto(f"{service.endpoints['web']}/w/analytical/inboxes/{ada.address}")
        page.get_by_role("button", name=re.compile(f"Remove {boss.address}")).click()
    expect(page.locator(".flashes")).to_contain_text(f"can no longer send as {boss.address}")
    page.goto(f"{service.endpoints['web']}/compose/{ada.address}")
    expect(page.get_by_label("From").locator(f"option[value='{boss.address}']")).to_have_count(0)


def test_hostile_html_neither_runs_nor_loads(new_context, service: Service, ada: Inbox) -> None:
    """A message full of scripts and pictures, opened by a person: no dialog, and no request leaves for elsewhere."""
    word = token()
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "bob@stranger.test", ada.address, f"Hostile {word}"
    message.set_content("plain\n")
    message.add_alternative(
        "<html><head><script>alert(1)</script><link rel=stylesheet href='https://evil.test/a.css'>"
        "<meta http-equiv=refresh content='0;url=https://evil.test/'></head><body onload='alert(2)'>"
        "<p>visible words</p><img src='https://evil.test/pixel.gif' onerror='alert(3)'>"
        "<div style='background:url(https://evil.test/b.png)'>x</div><svg onload='alert(4)'></svg>"
        "<iframe src='https://evil.test/f'></iframe><form action='https://evil.test/'><input name=q></form>"
        "<a href='javascript:alert(5)'>click</a></body></html>",
        subtype="html",
    )
    assert service.from_outside(message, sender="bob@stranger.test", recipient=ada.address).accepted
    context = new_context()
    page = log_in(context, service, ada)
    noticed: list[str] = []
    web = service.endpoints["web"]
    page.on("dialog", lambda dialog: (noticed.append(dialog.message), dialog.dismiss()))
    context.on("request", lambda request: noticed.append(request.url) if not request.url.startswith(web) else None)
    link = page.get_by_role("link", name=re.compile(word))
    until(lambda: page.goto(web) and link.count(), "message in the list")
    link.click()
    frame = page.frame_locator("iframe[title='Message text']")
    expect(frame.get_by_text("visible words")).to_be_visible()
    expect(page.get_by_text("Pictures from elsewhere are not loaded")).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert frame.locator("script, form, iframe, [onload], [onerror], a[href^=javascript]").count() == 0
    assert noticed == []
