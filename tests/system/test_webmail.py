"""Webmail over the running service: real IMAP, real submission, pages asked for as a browser without scripts does."""

import http.cookiejar
import re
import urllib.error
import urllib.parse
import urllib.request
import uuid
from dataclasses import dataclass
from email.message import EmailMessage
from html import unescape

import pytest

from tests.system.running import Inbox, Service, letter, token, until


@dataclass
class Page:
    """An answer of the web application."""

    status: int
    url: str
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")

    def hidden(self, name: str) -> str:
        """The value of a form's hidden field."""
        found = re.search(rf'name="{name}" value="([^"]*)"', self.text)
        assert found, f"no field {name} on {self.url}"
        return unescape(found[1])


class _Stay(urllib.request.HTTPErrorProcessor):
    """Errors are answers, too; redirects are followed."""

    def http_response(self, request, response):
        return response if response.status >= 400 else super().http_response(request, response)


class Browser:
    """Cookies, links and forms."""

    def __init__(self, base: str) -> None:
        self.base = base
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.opener = urllib.request.build_opener(jar, _Stay)

    def get(self, path: str, **headers: str) -> Page:
        return self._open(urllib.request.Request(urllib.parse.urljoin(self.base, path), headers=headers))  # noqa: S310

    def post(self, path: str, fields: dict[str, str]) -> Page:
        boundary = uuid.uuid4().hex
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        ]
        return self._open(
            urllib.request.Request(  # noqa: S310
                urllib.parse.urljoin(self.base, path),
                data=("".join(parts) + f"--{boundary}--\r\n").encode(),
                headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
            )
        )

    def _open(self, request: urllib.request.Request) -> Page:
        try:
            with self.opener.open(request, timeout=30) as answer:
                return Page(answer.status, answer.url, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as answer:
            return Page(answer.code, request.full_url, dict(answer.headers), b"")

    def log_in(self, inbox: Inbox) -> Page:
        form = self.get("/login").hidden("csrf_token")
        page = self.post("/login", {"csrf_token": form, "email": inbox.address, "password": inbox.password})
        assert page.url.endswith("/INBOX/"), page.text
        return page

    def compose(self, path: str, **fields: str) -> Page:
        """Open the composer, fill it in, send it."""
        page = self.get(path)
        names = ("csrf_token", "key", "in_reply_to", "references", "mode", "uid", "folder", "validity")
        kept = {name: page.hidden(name) for name in names}
        for name in ("to", "subject"):
            found = re.search(rf'<input id="{name}" name="{name}" value="([^"]*)"', page.text)
            assert found
            kept[name] = unescape(found[1])
        sent = re.match(r".*?(/compose/[^?]+)", page.url)
        assert sent
        return self.post(sent[1], kept | {"send": "1"} | fields)

    def act(self, page: Page, action: str, uid: str) -> Page:
        form = {"csrf_token": page.hidden("csrf_token"), "validity": page.hidden("validity")}
        return self.post(page.url.partition("?")[0].rpartition("/")[0] + "/", form | {"uid": uid, "action": action})


@pytest.fixture
def browser(service: Service, annabella: Inbox) -> Browser:
    browser = Browser(service.endpoints["web"])
    browser.log_in(annabella)
    return browser


@pytest.fixture
def annabella(service: Service) -> Inbox:
    return service.inbox("annabella@lovelace.test")


def row(page: Page, word: str) -> str:
    """Path of the message whose subject holds the word; empty where it is not listed."""
    found = re.search(rf'<a href="([^"]+)" data-row>[^<]*(?:<span[^<]*</span>)?[^<]*{word}', page.text)
    return unescape(found[1]) if found else ""


def list_path(inbox: Inbox, folder: str = "INBOX") -> str:
    return f"/mail/{inbox.address}/{folder}/"


def receive(service: Service, browser: Browser, inbox: Inbox, message: EmailMessage, word: str) -> str:
    """Deliver a message from outside; return its page's path."""
    delivery = service.from_outside(message, sender="stranger@stranger.test", recipient=inbox.address)
    assert delivery, delivery
    return until(lambda: row(browser.get(list_path(inbox)), word), f"row {word}")


def test_a_message_from_outside_is_listed_read_and_answered_and_the_answer_arrives(
    service: Service, browser: Browser, annabella: Inbox
) -> None:
    word = token()
    message = letter("Stranger <stranger@stranger.test>", annabella.address, f"Question {word}", "Wie geht's?\n")
    path = receive(service, browser, annabella, message, word)
    assert "unread" in browser.get(list_path(annabella)).text.partition(word)[0].rpartition("<li")[2]
    page = browser.get(path)
    assert "Wie geht&#39;s?" in page.text
    uid = path.rpartition("/")[2]
    done = browser.compose(f"/compose/{annabella.address}?reply={uid}&folder=INBOX", text=f"Sehr gut! Grüße {word}")
    assert (done.status, done.url.rpartition("/mail/")[2]) == (200, f"{annabella.address}/INBOX/")
    kept = service.outside(f"Question {word}")
    assert kept.envelope["rcpt_to"] == ["stranger@stranger.test"]
    assert kept.message["Subject"] == f"Re: Question {word}"
    assert kept.message["In-Reply-To"] == message["Message-ID"]
    assert "Grüße" in kept.message.get_content()
    assert kept.message["DKIM-Signature"]
    assert row(browser.get(list_path(annabella, "Sent")), word)
    assert "Answered" in browser.get(list_path(annabella)).text.partition(word)[2].partition("</li>")[0]


def test_sending_the_same_composer_twice_sends_once(service: Service, browser: Browser, annabella: Inbox) -> None:
    word, key = token(), uuid.uuid4().hex
    for _ in range(2):
        done = browser.compose(
            f"/compose/{annabella.address}", key=key, to="bob@stranger.test", subject=word, text="once"
        )
        assert done.url.endswith("/INBOX/")
    later = token()
    browser.compose(f"/compose/{annabella.address}", to="bob@stranger.test", subject=later, text="after it")
    service.outside(later)
    assert len(service.all_outside(word)) == 1


def test_the_servers_own_words_stand_beside_a_message_that_it_refuses(browser: Browser, annabella: Inbox) -> None:
    page = browser.compose(
        f"/compose/{annabella.address}",
        to="bob@stranger.test, nobody@lovelace.test",
        subject="Kept",
        text="every word of it",
    )
    assert page.status == 422
    assert "550 5.1.1" in page.text
    assert "every word of it" in page.text


def test_a_designed_message_is_shown_in_a_frame_that_can_do_nothing(
    service: Service, browser: Browser, annabella: Inbox
) -> None:
    word = token()
    message = letter("Stranger <stranger@stranger.test>", annabella.address, word)
    message.add_alternative(
        '<p style="color:red">Designed</p><script>alert(1)</script><img src="https://tracker.test/p.gif">', "html"
    )
    message.add_attachment(b"%PDF \x00\xff", maintype="application", subtype="pdf", filename="Übersicht.pdf")
    path = receive(service, browser, annabella, message, word)
    page = browser.get(path)
    assert 'sandbox="allow-same-origin allow-popups allow-popups-to-escape-sandbox"' in page.text
    assert "Pictures from elsewhere are not loaded" in page.text
    body = browser.get(f"{path}/body")
    assert "default-src 'none'" in body.headers["Content-Security-Policy"]
    assert "sandbox" in body.headers["Content-Security-Policy"]
    assert "Designed" in body.text
    assert "script" not in body.text
    assert "tracker" not in body.text
    file = re.search(rf'href="({re.escape(path)}/attachments/\d+)"', page.text)
    assert file
    download = browser.get(file[1])
    assert download.body == b"%PDF \x00\xff"
    assert download.headers["Content-Disposition"].startswith("attachment;")
    assert download.headers["Content-Type"] == "application/octet-stream"
    assert browser.get(f"{path}/source").body.endswith(b"--\r\n")


def test_messages_move_to_where_they_are_sent_and_can_be_found(
    service: Service, browser: Browser, annabella: Inbox
) -> None:
    word = token()
    path = receive(service, browser, annabella, letter("s@stranger.test", annabella.address, f"Größe {word}"), word)
    uid = path.rpartition("/")[2]
    found = browser.get(f"{list_path(annabella)}?q={urllib.parse.quote(f'größe {word}')}")
    assert row(found, word)
    assert not row(browser.get(f"{list_path(annabella)}?q=nothing{word}"), word)
    browser.act(browser.get(path), "archive", uid)
    assert not row(browser.get(list_path(annabella)), word)
    archived = browser.get(list_path(annabella, "Archive"))
    browser.act(archived, "trash", row(archived, word).rpartition("/")[2])
    trash = browser.get(list_path(annabella, "Trash"))
    browser.act(trash, "delete", row(trash, word).rpartition("/")[2])
    assert not row(browser.get(list_path(annabella, "Trash")), word)


def test_a_page_from_before_the_folder_was_renumbered_moves_nothing(browser: Browser, annabella: Inbox) -> None:
    page = browser.get(list_path(annabella))
    form = {"csrf_token": page.hidden("csrf_token"), "validity": "1", "uid": "1", "action": "trash"}
    assert "has changed since" in browser.post(list_path(annabella), form).text


def test_the_list_is_sent_again_only_when_it_has_changed(service: Service, browser: Browser, annabella: Inbox) -> None:
    first = browser.get(list_path(annabella), **{"X-Fragment": "list"})
    assert "<html" not in first.text
    tag = first.headers["ETag"]
    assert browser.get(list_path(annabella), **{"X-Fragment": "list", "If-None-Match": tag}).status == 304
    word = token()
    receive(service, browser, annabella, letter("s@stranger.test", annabella.address, word), word)
    assert row(browser.get(list_path(annabella), **{"X-Fragment": "list", "If-None-Match": tag}), word)


def test_a_draft_waits_and_is_gone_once_it_is_sent(service: Service, browser: Browser, annabella: Inbox) -> None:
    word = token()
    page = browser.get(f"/compose/{annabella.address}")
    fields = {"csrf_token": page.hidden("csrf_token"), "to": "bob@stranger.test", "subject": word, "text": "half a"}
    browser.post(f"/compose/{annabella.address}", fields | {"save": "1"})
    path = row(browser.get(list_path(annabella, "Drafts")), word)
    assert "half a</textarea>" in browser.get(path).text
    browser.compose(path, text="a whole one")
    service.outside(word)
    assert not row(browser.get(list_path(annabella, "Drafts")), word)


def test_connections_that_dovecot_has_ended_are_made_anew_unnoticed(
    service: Service, browser: Browser, annabella: Inbox
) -> None:
    """Revoking any app password ends all of the inbox's connections, the web's own among them."""
    made = service.new_app_password(annabella.address, annabella.workspace)
    assert browser.get(list_path(annabella)).status == 200
    service.operate("app-password", "revoke", annabella.address, str(made["id"]), "--workspace", annabella.workspace)
    assert browser.get(list_path(annabella)).status == 200


def test_what_is_not_there_is_not_found(browser: Browser, annabella: Inbox) -> None:
    for path in (
        f"{list_path(annabella)}999999",
        f"{list_path(annabella)}999999/body",
        list_path(annabella, "Nowhere"),
    ):
        assert browser.get(path).status == 404
