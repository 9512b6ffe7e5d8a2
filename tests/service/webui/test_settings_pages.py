"""Domains, inboxes, aliases and app passwords, as an owner sets them up."""

import re

from smailor.accounts import app_passwords
from smailor.domains import service as domains
from smailor.mailboxes import aliases, sender_rights
from smailor.mailboxes import service as mailboxes


def shown(answer):
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_data(as_text=True)


def test_a_domain_is_added_and_its_records_are_shown_beside_what_is_seen(browser, acme, resolver, database):
    browser.log_in("owner@acme.test")
    resolver.set("new.test", "MX", ["10 mx.elsewhere.test"])
    page = shown(browser.post("/w/acme/domains/", name="New.Test."))
    token = domains.get_domain(database, workspace="acme", name="new.test").verification_token
    assert f"smailor-verify={token}" in page
    assert "mx.elsewhere.test" in page
    assert "Differs" in page
    assert "Not there yet" in page


def test_a_domain_is_verified_once_its_record_is_seen(browser, acme, resolver, database):
    browser.log_in("owner@acme.test")
    browser.post("/w/acme/domains/", name="new.test")
    page = shown(browser.post("/w/acme/domains/new.test/verify", page="/w/acme/domains/new.test"))
    assert "not to be seen yet" in page
    token = domains.get_domain(database, workspace="acme", name="new.test").verification_token
    resolver.set("_smailor-challenge.new.test", "TXT", [f"smailor-verify={token}"])
    page = shown(browser.post("/w/acme/domains/new.test/verify", page="/w/acme/domains/new.test"))
    assert "new.test is yours" in page


def test_dns_that_does_not_answer_is_said_and_breaks_nothing(browser, acme, resolver):
    acme.claim("acme", "silent.test")
    browser.log_in("owner@acme.test")
    resolver._failing = {"_smailor-challenge.silent.test", "silent.test"}
    assert "No answer" in shown(browser.get("/w/acme/domains/silent.test"))
    page = shown(browser.post("/w/acme/domains/silent.test/verify", page="/w/acme/domains/silent.test"))
    assert "Not verified" in page


def test_what_is_no_domain_is_said_beside_the_field(browser, acme):
    browser.log_in("owner@acme.test")
    for name in ("nonsense", "-.test", "a" * 300, "<script>", "1.2.3.4", "acme.test", "other.test"):
        answer = browser.post("/w/acme/domains/", name=name)
        assert answer.status_code == 422, name
        assert 'id="name-error"' in answer.get_data(as_text=True)
        assert "<script>" not in answer.get_data(as_text=True)


def test_the_zone_file_is_there_to_take_along(browser, acme):
    browser.log_in("owner@acme.test")
    answer = browser.get("/w/acme/domains/acme.test/zone")
    assert "attachment" in answer.headers["Content-Disposition"]
    assert "IN MX 10 mx.smailor.test." in answer.get_data(as_text=True)


def test_an_inbox_is_created_and_its_reader_goes_on_to_devices(browser, acme, database):
    browser.log_in("owner@acme.test")
    answer = browser.post("/w/acme/inboxes/", local_part="Sales", domain="acme.test", name="Sales team", mine="y")
    assert answer.request.path == "/settings/sales@acme.test/devices"
    assert [inbox.address for inbox in mailboxes.list_inboxes(database, workspace="acme")] == [
        "owner@acme.test",
        "sales@acme.test",
    ]


def test_what_is_no_inbox_is_said_beside_the_field(browser, acme):
    browser.log_in("owner@acme.test")
    for local_part, domain, name in (
        ("owner", "acme.test", "Taken"),
        ("a b", "acme.test", "Blank"),
        ("a+b", "acme.test", "Plus"),
        ("", "acme.test", "Empty"),
        ("x", "other.test", "Not ours"),
        ("x", "", "None"),
        ("x", "acme.test", "\u202e" * 5),
        ("x", "acme.test", "n" * 10_000),
    ):
        answer = browser.post("/w/acme/inboxes/", local_part=local_part, domain=domain, name=name)
        assert answer.status_code == 422, local_part
        assert '-error"' in answer.get_data(as_text=True)


def test_aliases_and_the_catch_all_come_and_go(browser, acme, database):
    browser.log_in("owner@acme.test")
    browser.post(
        "/w/acme/aliases/", page="/w/acme/inboxes/", source="info", domain="acme.test", target="owner@acme.test"
    )
    page = shown(
        browser.post(
            "/w/acme/aliases/", page="/w/acme/inboxes/", source="", domain="acme.test", target="owner@acme.test"
        )
    )
    assert "Everything else @acme.test" in page
    assert [alias.source for alias in aliases.list_aliases(database, workspace="acme")] == [
        "@acme.test",
        "info@acme.test",
    ]
    answer = browser.post(
        "/w/acme/aliases/", page="/w/acme/inboxes/", source="owner", domain="acme.test", target="a@b.test"
    )
    assert answer.status_code == 422
    for _ in range(2):  # the second time it is gone already
        shown(
            browser.post(
                "/w/acme/aliases/delete", page="/w/acme/inboxes/", source="info@acme.test", target="owner@acme.test"
            )
        )
    assert [alias.source for alias in aliases.list_aliases(database, workspace="acme")] == ["@acme.test"]


def test_another_tenants_alias_cannot_be_deleted(browser, acme, database):
    aliases.create_alias(database, workspace="other", source="a@other.test", target="b@other.test", now=acme.now)
    browser.log_in("owner@acme.test")
    browser.post("/w/acme/aliases/delete", page="/w/acme/inboxes/", source="a@other.test", target="b@other.test")
    assert len(aliases.list_aliases(database, workspace="other")) == 1


def test_an_inbox_is_let_send_as_another_one_and_as_a_domain_and_not_any_more(browser, acme, database):
    acme.inbox("acme", "boss@acme.test")
    browser.log_in("owner@acme.test")
    page = "/w/acme/inboxes/owner@acme.test"
    assert f'href="{page}"' in shown(browser.get("/w/acme/inboxes/"))
    for sender, said in (("boss@acme.test", "boss@acme.test"), ("@acme.test", "Any address @acme.test")):
        assert f'<option value="{sender}"' in shown(browser.get(page))
        answer = shown(browser.post(f"{page}/senders", page=page, sender=sender))
        assert said in answer
        assert f'<option value="{sender}"' not in answer
    assert [right.sender for right in sender_rights.list_rights(database, workspace="acme")] == [
        "@acme.test",
        "boss@acme.test",
    ]
    for words in ("can no longer send as boss@acme.test", "gone already"):
        assert words in shown(browser.post(f"{page}/senders/remove", page=page, sender="boss@acme.test"))
    assert [right.sender for right in sender_rights.list_rights(database, workspace="acme")] == ["@acme.test"]


def test_a_sender_that_cannot_be_given_is_said_beside_the_field(browser, acme, database):
    acme.inbox("other", "theirs@other.test")
    acme.inbox("acme", "boss@acme.test")
    acme.claim("acme", "claimed.test")
    browser.log_in("owner@acme.test")
    page = "/w/acme/inboxes/owner@acme.test"
    browser.post(f"{page}/senders", page=page, sender="boss@acme.test")
    for sender, words in (
        ("", "Choose an inbox or a domain."),
        ("owner@acme.test", "own address"),
        ("boss@acme.test", "already"),
        ("theirs@other.test", "Acme has no domain other.test."),
        ("@other.test", "Acme has no domain other.test."),
        ("@claimed.test", "not verified"),
        ("<script>", "name@example.com"),
        ("x" * 400, "longer than 320"),
    ):
        answer = browser.post(f"{page}/senders", page=page, sender=sender)
        body = answer.get_data(as_text=True)
        assert answer.status_code == 422, sender
        assert 'id="sender-error"' in body
        assert words in body
        assert "<script>" not in body
    assert [right.sender for right in sender_rights.list_rights(database, workspace="acme")] == ["boss@acme.test"]


def test_another_tenants_inbox_gets_and_loses_nothing(browser, acme, database):
    acme.inbox("other", "theirs@other.test")
    acme.inbox("other", "boss@other.test")
    given = {"workspace": "other", "login": "theirs@other.test", "sender": "boss@other.test"}
    sender_rights.allow(database, **given, now=acme.now)
    browser.log_in("owner@acme.test")
    home = "/w/acme/inboxes/"
    for path in ("/w/acme/inboxes/theirs@other.test", "/w/other/inboxes/theirs@other.test", "/w/acme/inboxes/nonsense"):
        assert browser.get(path).status_code == 404
        for action in ("senders", "senders/remove"):
            assert browser.post(f"{path}/{action}", page=home, sender="boss@other.test").status_code == 404
    page = "/w/acme/inboxes/owner@acme.test"
    browser.post(f"{page}/senders/remove", page=page, sender="boss@other.test")
    assert len(sender_rights.list_rights(database, workspace="other")) == 1


def test_whoever_may_only_look_sees_rights_without_forms(browser, acme, database):
    acme.inbox("acme", "boss@acme.test")
    page = "/w/acme/inboxes/owner@acme.test"
    browser.log_in("reader@acme.test")
    assert "Nothing else" in shown(browser.get(page))
    right = {"workspace": "acme", "login": "owner@acme.test", "sender": "boss@acme.test"}
    sender_rights.allow(database, **right, now=acme.now)
    body = shown(browser.get(page))
    assert "boss@acme.test" in body
    assert "/senders" not in body


def test_the_composer_offers_every_sender_by_name_and_takes_no_other(browser, acme, database):
    mailboxes.create_inbox(database, workspace="acme", address="boss@acme.test", name="The Boss", now=acme.now)
    mailboxes.create_inbox(database, workspace="acme", address="hr@acme.test", name="HR", now=acme.now)
    right = {"workspace": "acme", "login": "owner@acme.test", "sender": "boss@acme.test"}
    sender_rights.allow(database, **right, now=acme.now)
    browser.log_in("owner@acme.test")
    page = shown(browser.get("/compose/owner@acme.test"))
    assert "Somebody &lt;owner@acme.test&gt;" in page
    assert "The Boss &lt;boss@acme.test&gt;" in page
    assert "hr@acme.test" not in page
    answer = browser.post("/compose/owner@acme.test", sender="boss@acme.test", to="nonsense", send="1")
    assert '<option value="boss@acme.test" selected' in answer.get_data(as_text=True)
    answer = browser.post("/compose/owner@acme.test", sender="hr@acme.test", to="nonsense", send="1")
    assert '<option value="owner@acme.test" selected' in answer.get_data(as_text=True)


def test_an_app_password_is_shown_once_with_what_a_mail_program_needs(browser, acme, database):
    browser.log_in("owner@acme.test")
    path = "/settings/owner@acme.test/devices"
    page = shown(browser.post(path, label="Phone"))
    secret = re.search(r"[a-z2-9]{4}(?:-[a-z2-9]{4}){7}", page)[0]
    assert "mail.smailor.test" in page
    assert "STARTTLS" in page
    assert secret not in shown(browser.get(path))
    (kept,) = app_passwords.list_app_passwords(database, login="owner@acme.test")
    assert kept.label == "Phone"


def test_an_app_password_is_revoked(browser, acme, database):
    browser.log_in("owner@acme.test")
    path = "/settings/owner@acme.test/devices"
    browser.post(path, label="Phone")
    (kept,) = app_passwords.list_app_passwords(database, login="owner@acme.test")
    assert "Revoked" in shown(browser.post(f"{path}/{kept.id}/revoke", page=path))
    assert app_passwords.list_app_passwords(database, login="owner@acme.test") == ()
    assert "gone already" in shown(browser.post(f"{path}/{kept.id}/revoke", page=path))


def test_nobody_revokes_the_app_password_of_another_inbox(browser, acme, database):
    acme.inbox("other", "theirs@other.test", reader="owner@other.test")
    new = app_passwords.create_app_password(
        database, login="theirs@other.test", label="Phone", expires_at=None, now=acme.now
    )
    browser.log_in("owner@acme.test")
    path = "/settings/owner@acme.test/devices"
    browser.post(f"{path}/{new.view.id}/revoke", page=path)
    assert len(app_passwords.list_app_passwords(database, login="theirs@other.test")) == 1
