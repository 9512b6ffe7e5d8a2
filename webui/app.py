"""Wiring of the web application: settings, database, mail and blueprints put together. No page and no rule here."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from flask import Flask
from flask_wtf.csrf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix

from smailor import log
from smailor.accounts.desk import Desk, breached, letterhead
from smailor.accounts.providers import Providers
from smailor.clock import now
from smailor.config import Settings, load_settings
from smailor.database.engine import Database
from smailor.delivery import Deliver
from smailor.dns.answer import DnsClient
from smailor.dns.cache import AnswerCache
from smailor.dns.resolver import Resolver
from smailor.mailboxes.submission import letter_carrier
from smailor.sealing import Sealer
from webui import (
    access,
    admin,
    api,
    api_keys,
    assets,
    audit,
    domains,
    errors,
    headers,
    home,
    inboxes,
    numbers,
    people,
    rendering,
    sending,
    styleguide,
    texts,
)
from webui.account import pages as account
from webui.account import security_pages as security
from webui.auth import pages as auth
from webui.context import Context
from webui.courier import Courier
from webui.mail import pages as mail
from webui.mail.office import PostOffice
from webui.workspace import pages as workspace

MAX_FORM_BYTES = 40 * 1024 * 1024
"""A request's body: attachments (`composing.MAX_ATTACHMENT_BYTES`) and the text beside them."""
MAX_FORM_PARTS = 300


def create_app(
    settings: Settings | None = None,
    *,
    database: Database | None = None,
    resolver: DnsClient | None = None,
    clock: Callable[[], datetime] = now,
    deliver: Deliver | None = None,
) -> Flask:
    """Make the WSGI application.

    Args:
        settings: None: read from the file that `SMAILOR_CONFIG` names.
        database: None: the one of the settings.
        resolver: None: the DNS servers of the settings.
        clock: gives the present moment.
        deliver: hands letters about accounts over; None: to the submission server of the settings.

    Raises:
        ConfigError: the configuration cannot be used.
    """
    if settings is None:
        settings = load_settings()
        log.set_up(settings.log.level, "web")
    database = database or Database(settings.database.url, pool_size=settings.web.threads)
    app = Flask("webui", root_path=str(Path(__file__).parent), static_folder=None)
    app.config.update(
        SECRET_KEY=settings.secrets.session_key,
        SESSION_COOKIE_NAME="smailor_form",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.web.secure_cookies,
        MAX_CONTENT_LENGTH=MAX_FORM_BYTES,
        MAX_FORM_MEMORY_SIZE=4 * 1024 * 1024,
        MAX_FORM_PARTS=MAX_FORM_PARTS,
        WTF_CSRF_TIME_LIMIT=None,  # as long as the form cookie: a composer may stay open all day
        WTF_CSRF_SSL_STRICT=settings.web.secure_cookies,
    )
    if settings.web.bind.startswith("unix:"):
        # Behind nginx on a socket that only nginx can reach: its word on the client's address and scheme counts.
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)  # type: ignore[method-assign]
    sealer = Sealer(settings.secrets.sealing_keys)
    app.extensions["smailor"] = Context(
        settings=settings,
        database=database,
        resolver=resolver or _live_resolver(settings),
        sealer=sealer,
        post_office=PostOffice(settings.web, database, clock=clock),
        desk=Desk(letterhead(settings), sealer, breached(settings)),
        courier=Courier(database, sealer, deliver=deliver or letter_carrier(database, settings), clock=clock),
        clock=clock,
        providers=Providers(settings.providers),
    )
    csrf = CSRFProtect(app)
    csrf.exempt(api.blueprint)  # it knows no cookie: see webui/api/access.py
    for part in (numbers, people, access, admin, texts, headers, errors, assets, rendering, security, api):
        part.init_app(app)
    for part in (
        home,
        auth,
        account,
        security,
        mail,
        workspace,
        domains,
        inboxes,
        sending,
        audit,
        admin,
        api_keys,
        api,
    ):
        app.register_blueprint(part.blueprint)
    if settings.web.styleguide:
        app.register_blueprint(styleguide.blueprint)
    return app


def _live_resolver(settings: Settings) -> Resolver:
    """Whoever has just entered a record and looks again must see it: no answer is kept here."""
    return Resolver(settings.dns.servers, settings.dns.timeout_seconds, cache=AnswerCache(longest_seconds=0))
