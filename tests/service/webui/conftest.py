"""The web application over a real database, asked by Flask's test client. Its mail servers are away, on purpose."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.policy import default

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import FileSystemBytecodeCache

from smailor import config
from smailor.accounts import member_changes
from smailor.delivery import Delivery
from smailor.dns.fake import FakeResolver
from webui import create_app

PASSWORD = "correct horse battery"
NOWHERE = "127.0.0.1:1"


@dataclass
class Browser:
    """A client with its cookies, that fills in forms as a person does: the CSRF token comes from the page."""

    client: FlaskClient

    def get(self, path, **options):
        return self.client.get(path, **options)

    def post(self, path, page=None, follow=True, **fields):
        """Send a form found on `page`; None: on the page at `path`."""
        shown = self.client.get(page or path, follow_redirects=True).get_data(as_text=True)
        found = re.search(r'name="csrf_token" value="([^"]+)"', shown)
        if found:
            fields["csrf_token"] = found[1]
        return self.client.post(path, data=fields, follow_redirects=follow, content_type="multipart/form-data")

    def log_in(self, email, password=PASSWORD):
        return self.post("/login", email=email, password=password)


@pytest.fixture
def resolver():
    return FakeResolver()


@pytest.fixture
def settings(sealing_key):
    return config.Settings(
        service=config.Service("mx.smailor.test", "smailor.test", spf_include="_spf.smailor.test"),
        database=config.DatabaseSettings("sqlite:///"),
        secrets=config.Secrets("s" * 40, (sealing_key,)),
        web=config.Web(
            bind=NOWHERE, imap=NOWHERE, submission=NOWHERE, mail_hostname="mail.smailor.test", secure_cookies=False
        ),
    )


class Mailbag:
    """Takes the letters that the application sends, in place of a submission server."""

    def __init__(self):
        self.courier = None
        self._letters = []

    def __call__(self, recipient, message):
        self._letters.append((recipient, message_from_bytes(message, policy=default)))
        return Delivery.SENT

    def take(self):
        """Return what was sent since the last time, as pairs of recipient and message."""
        self.courier.wait(10)
        taken, self._letters = self._letters, []
        return taken


@pytest.fixture
def mailbag() -> Mailbag:
    return Mailbag()


@pytest.fixture(scope="session", autouse=True)
def compiled_templates(tmp_path_factory) -> Iterator[None]:
    """Compile each template once, not once for each test's application."""
    cache = FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Flask, "jinja_options", {"bytecode_cache": cache})
        yield


@pytest.fixture
def app(settings, database, resolver, now, mailbag) -> Iterator[Flask]:
    app = create_app(settings, database=database, resolver=resolver, clock=lambda: now, deliver=mailbag)
    app.testing = True
    app.config["PROPAGATE_EXCEPTIONS"] = False  # errors are shown as a person sees them
    mailbag.courier = app.extensions["smailor"].courier
    yield app
    mailbag.courier.wait(10)


@pytest.fixture
def browser(app) -> Browser:
    return Browser(app.test_client())


@pytest.fixture
def stranger(app) -> Browser:
    """A second browser, with cookies of its own."""
    return Browser(app.test_client())


@pytest.fixture
def acme(house):
    """A workspace with an owner, a member, a read-only member, a verified domain and an inbox that the owner reads."""
    for email in ("owner@acme.test", "member@acme.test", "reader@acme.test", "owner@other.test"):
        house.person(email)
    house.workspace("acme", "acme.test")
    house.workspace("other", "other.test")
    for workspace, email, role in (
        ("acme", "owner@acme.test", "owner"),
        ("acme", "member@acme.test", "member"),
        ("acme", "reader@acme.test", "read-only"),
        ("other", "owner@other.test", "owner"),
    ):
        member_changes.add_member(house.database, workspace=workspace, email=email, role=role, now=house.now)
    house.inbox("acme", "owner@acme.test", reader="owner@acme.test")
    return house
