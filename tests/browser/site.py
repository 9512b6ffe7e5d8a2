"""The web application alone on loopback, with a database that holds something for every page to show."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.fernet import Fernet
from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from smailor import config
from smailor.accounts import app_passwords, member_changes, one_time, passwords, totp, workspaces
from smailor.accounts import service as accounts
from smailor.accounts.models import Invitation
from smailor.accounts.one_time import Purpose
from smailor.database import schema
from smailor.database.engine import Database
from smailor.dns.fake import FakeResolver
from smailor.domains import service as domains
from smailor.mailboxes import aliases
from smailor.mailboxes import service as mailboxes
from smailor.sealing import Sealer
from webui import create_app

EMAIL, PASSWORD = "ada@acme.test", "correct horse battery"
GUEST = "mary@elsewhere.test"
"""Belongs to no workspace and has no inbox."""
NOWHERE = "127.0.0.1:1"


@dataclass(frozen=True)
class Site:
    """Where the pages are, and what their addresses are made of.

    Attributes:
        tokens: what the links in letters end with, by the endpoint that they lead to.
    """

    url: str
    app: Flask
    database: Database
    now: datetime
    tokens: dict[str, str]


class _Quiet(WSGIRequestHandler):
    def log(self, *args) -> None:
        """Say nothing of requests."""


def make_settings(database_url: str, sealing_key: str) -> config.Settings:
    """Settings without mail servers: pages of mail are tested beside the whole running service."""
    return config.Settings(
        service=config.Service("mx.smailor.test", "smailor.test", spf_include="_spf.smailor.test"),
        database=config.DatabaseSettings(database_url),
        secrets=config.Secrets("s" * 40, (sealing_key,)),
        login=config.Login(signup=True, letters_from="letters@acme.test"),
        web=config.Web(
            bind=NOWHERE,
            imap=NOWHERE,
            submission=NOWHERE,
            mail_hostname="mail.smailor.test",
            secure_cookies=False,
            styleguide=True,
        ),
    )


@contextmanager
def running(folder: Path) -> Iterator[Site]:
    """Serve the application for the block."""
    url, key, now = f"sqlite:///{folder}/smailor.db", Fernet.generate_key().decode(), datetime.now(UTC)
    database = Database(url)
    schema.upgrade(database)
    fill(database, Sealer([key]), now)
    tokens = write_letters(database, now)
    ask_for_a_second_factor(database, Sealer([key]), now)
    app = create_app(make_settings(url, key), database=database, resolver=FakeResolver({}))
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Site(f"http://127.0.0.1:{server.server_port}", app, database, now, tokens)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        database.dispose()


def fill(database: Database, sealer: Sealer, now: datetime) -> None:
    """Put people, workspaces, domains and inboxes in: Ada owns Acme and runs the service."""
    for email, name in (
        (EMAIL, "Ada Lovelace"),
        ("grace@acme.test", "Grace Hopper"),
        ("cb@acme.test", "C. Babbage"),
        (GUEST, "Mary Somerville"),
    ):
        accounts.create_user(database, email=email, name=name, password=PASSWORD, operator=email == EMAIL, now=now)
    for slug, name in (("acme", "Acme Analytical Engines GmbH"), ("loom", "Loom")):
        workspaces.create_workspace(database, slug=slug, name=name, now=now)
    for slug, email, role in (
        ("acme", EMAIL, "owner"),
        ("acme", "grace@acme.test", "admin"),
        ("acme", "cb@acme.test", "read-only"),
        ("loom", EMAIL, "admin"),
    ):
        member_changes.add_member(database, workspace=slug, email=email, role=role, now=now)
    for slug, name in (("acme", "acme.test"), ("acme", "analytical.test"), ("loom", "loom.test")):
        domain = domains.add_domain(database, workspace=slug, name=name, sealer=sealer, now=now)
        proof = {(f"_smailor-challenge.{name}", "TXT"): [f"smailor-verify={domain.verification_token}"]}
        if name != "analytical.test":
            domains.verify_domain(database, workspace=slug, name=name, resolver=FakeResolver(proof), now=now)
    for address, name in ((EMAIL, "Ada Lovelace"), ("sales@acme.test", "Sales")):
        mailboxes.create_inbox(database, workspace="acme", address=address, name=name, reader=EMAIL, now=now)
    aliases.create_alias(database, workspace="acme", source="info@acme.test", target="sales@acme.test", now=now)
    app_passwords.create_app_password(database, login=EMAIL, label="Phone", service="*", expires_at=None, now=now)


def write_letters(database: Database, now: datetime) -> dict[str, str]:
    """Make the links that letters have: to confirm, to choose a new password, to join a workspace."""
    users = {view.email: view.id for view in accounts.list_users(database)}
    tokens = {"workspace.invitation": "i" * 43}
    with database.transaction() as session:
        for endpoint, purpose, values in (
            ("auth.verify", Purpose.SIGN_UP, {"mark": "another browser"}),
            ("auth.reset", Purpose.RESET_PASSWORD, {}),
            ("account.confirm_address", Purpose.CHANGE_ADDRESS, {"email": "ada@analytical.test"}),
        ):
            tokens[endpoint] = one_time.draw_in(session, purpose=purpose, user_id=users[EMAIL], values=values, now=now)
        session.add(
            Invitation(
                workspace_id=1,
                email="new@acme.test",
                role="member",
                domains=["acme.test"],
                token_sha256=passwords.digest_secret(tokens["workspace.invitation"]),
                invited_by=EMAIL,
                created_at=now,
                expires_at=now + timedelta(days=7),
            )
        )
    return tokens


def ask_for_a_second_factor(database: Database, sealer: Sealer, now: datetime) -> None:
    """Give Grace an authenticator app."""
    (grace,) = (view for view in accounts.list_users(database) if view.email == "grace@acme.test")
    with database.transaction() as session:
        totp.enrol_in(session, sealer, user_id=grace.id, secret=totp.draw_secret(), step=0, now=now)
