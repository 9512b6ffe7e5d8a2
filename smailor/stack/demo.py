"""Fills a new local service: two workspaces with people, verified domains, inboxes and a few conversations.

Everything goes the way that it goes for anybody: domains are verified through DNS, mail is put into inboxes over IMAP.
Running it on a database that has been filled before gives the same people new passwords.
"""

from __future__ import annotations

import contextlib
import logging
import ssl
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path

from imapclient import IMAPClient

from smailor import log
from smailor.accounts import app_passwords, member_changes, passwords, workspaces
from smailor.accounts import service as accounts
from smailor.accounts.audit import Actor
from smailor.config import Settings
from smailor.database.engine import Database
from smailor.dns.cache import AnswerCache
from smailor.dns.resolver import Resolver
from smailor.domains import records
from smailor.domains import service as domains
from smailor.errors import Conflict, NotFound, TemporaryFailure
from smailor.mailboxes import aliases
from smailor.mailboxes import service as mailboxes
from smailor.sealing import Sealer
from smailor.sending import plans, warmup_service
from smailor.sending.warmup_service import Setting
from smailor.stack.demo_mail import DemoMessage, conversations
from smailor.stack.internet_zones import replace_file
from smailor.stack.layout import LETTERS

OPERATOR = "operator@smailor.test"
LABEL = "Demo"
ESTABLISHED = timedelta(days=120)
"""Age of the domains that are past warm-up; the young one is of today."""
ZONE_WAIT_SECONDS = 10.0
IMAP_TIMEOUT_SECONDS = 20.0

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DemoInbox:
    """An inbox and how to open it.

    Attributes:
        address: the inbox, and the name to log in with everywhere.
        workspace: the workspace's slug.
        password: opens the web interface.
        app_password: opens IMAP and submission.
    """

    address: str
    workspace: str
    password: str
    app_password: str


@dataclass(frozen=True, slots=True)
class DemoAccounts:
    """Who can log in."""

    operator_email: str
    operator_password: str
    inboxes: tuple[DemoInbox, ...]


@dataclass(frozen=True, slots=True)
class _Person:
    email: str
    name: str
    workspace: str
    role: str


_WORKSPACES = (("analytical", "Analytical Engines"), ("lovelace", "Lovelace & Daughters"), ("smailor", "Smailor"))
_PEOPLE = (
    _Person("ada@analytical.test", "Ada Lovelace", "analytical", "owner"),
    _Person("charles@analytical.test", "Charles Babbage", "analytical", "member"),
    _Person("grace@lovelace.test", "Grace Hopper", "lovelace", "owner"),
    _Person("annabella@lovelace.test", "Annabella Byron", "lovelace", "member"),
    _Person("hello@young.test", "Young & Sons", "lovelace", "member"),
)
_LETTERS_DOMAIN = LETTERS.partition("@")[2]
_VERIFIED = (
    ("analytical", "analytical.test"),
    ("lovelace", "lovelace.test"),
    ("lovelace", "young.test"),
    ("smailor", _LETTERS_DOMAIN),
)
_YOUNG = "young.test"
_UNVERIFIED = ("analytical", "unverified.test")


def seed_demo(database: Database, settings: Settings, *, zones: Path, now: datetime) -> DemoAccounts:
    """Fill the service; IMAP, the resolver and the watcher of the zone files must be up.

    Args:
        database: where people and inboxes go.
        settings: the service's own.
        zones: directory of zone files that the resolver serves.
        now: the present moment.

    Returns:
        Who can log in, with passwords drawn for this run.

    Raises:
        TemporaryFailure: the resolver does not answer the new zones in time, or IMAP cannot be used.
    """
    sealer = Sealer(settings.secrets.sealing_keys)
    secrets = {email: _draw_password() for email in (OPERATOR, *(person.email for person in _PEOPLE))}
    for slug, name in _WORKSPACES:
        _unless_there(lambda: workspaces.create_workspace(database, slug=slug, name=name, now=now))  # noqa: B023
    # Hashing passwords and making keys takes nearly all of the time, outside of Python's lock.
    with ThreadPoolExecutor(max_workers=4) as pool:
        jobs = [pool.submit(_add_domain, database, sealer, *domain, now) for domain in (*_VERIFIED, _UNVERIFIED)]
        jobs.append(pool.submit(_add_person, database, OPERATOR, "The operator", secrets[OPERATOR], now))
        jobs += [pool.submit(_add_person, database, p.email, p.name, secrets[p.email], now) for p in _PEOPLE]
        for job in jobs:
            job.result()
    for slug, domain in _VERIFIED:
        _publish(database, settings, zones, slug, domain)
    inboxes = tuple(_add_inbox(database, person, secrets[person.email], now) for person in _PEOPLE)
    _add_extras(database, now)
    _verify(database, settings, now)
    _warm_up(database, settings, now)
    _deliver(settings, inboxes, conversations(now))
    return DemoAccounts(OPERATOR, secrets[OPERATOR], inboxes)


def _draw_password() -> str:
    """Something a person can type: 80 random bits."""
    return passwords.draw_secret()[:19]


def _add_person(database: Database, email: str, name: str, password: str, now: datetime) -> None:
    try:
        accounts.create_user(database, email=email, name=name, password=password, operator=email == OPERATOR, now=now)
    except Conflict:
        accounts.set_password(database, email=email, password=password)


def _add_domain(database: Database, sealer: Sealer, workspace: str, domain: str, now: datetime) -> None:
    since = now if domain == _YOUNG else now - ESTABLISHED
    _unless_there(lambda: domains.add_domain(database, workspace=workspace, name=domain, sealer=sealer, now=since))


def _publish(database: Database, settings: Settings, zones: Path, workspace: str, domain: str) -> None:
    """Write the domain's zone file: what its owner would enter at a DNS provider."""
    service = settings.service
    names = records.ServiceNames(service.hostname, service.spf_include, service.postmaster)
    wanted = domains.wanted_records(database, workspace=workspace, name=domain, service=names)
    head = f"{domain}. 60 SOA ns.internet.test. hostmaster.{domain}. 1 3600 600 86400 60\n"
    head += f"{domain}. 60 NS ns.internet.test.\n"
    replace_file(zones / f"{domain}.zone", head + records.zone_text(wanted, ttl=60))


def _add_inbox(database: Database, person: _Person, password: str, now: datetime) -> DemoInbox:
    member_changes.add_member(database, workspace=person.workspace, email=person.email, role=person.role, now=now)
    _unless_there(
        lambda: mailboxes.create_inbox(
            database, workspace=person.workspace, address=person.email, name=person.name, reader=person.email, now=now
        )
    )
    for known in app_passwords.list_app_passwords(database, login=person.email):
        if known.label == LABEL:
            app_passwords.revoke_app_password(database, login=person.email, password_id=known.id)
    made = app_passwords.create_app_password(database, login=person.email, label=LABEL, expires_at=None, now=now)
    return DemoInbox(person.email, person.workspace, password, made.secret)


def _add_extras(database: Database, now: datetime) -> None:
    workspace, domain = _UNVERIFIED
    _unless_there(
        lambda: mailboxes.create_inbox(database, workspace="smailor", address=LETTERS, name="Smailor", now=now)
    )
    _unless_there(
        lambda: aliases.create_alias(
            database, workspace="analytical", source="info@analytical.test", target="ada@analytical.test", now=now
        )
    )
    _unless_there(
        lambda: mailboxes.create_inbox(
            database, workspace=workspace, address=f"ada@{domain}", name="Ada Lovelace", now=now
        )
    )


def _verify(database: Database, settings: Settings, now: datetime) -> None:
    """Verify the domains through DNS as soon as the resolver answers their zones."""
    resolver = Resolver(settings.dns.servers, settings.dns.timeout_seconds, cache=AnswerCache(longest_seconds=0))
    deadline = time.monotonic() + ZONE_WAIT_SECONDS
    for workspace, domain in _VERIFIED:
        since = now if domain == _YOUNG else now - ESTABLISHED
        while True:
            try:
                domains.verify_domain(database, workspace=workspace, name=domain, resolver=resolver, now=since)
            except (NotFound, TemporaryFailure) as error:
                if time.monotonic() > deadline:
                    raise TemporaryFailure(f"{domain} cannot be verified: {error}") from error
                time.sleep(0.05)
            else:
                break


def _warm_up(database: Database, settings: Settings, now: datetime) -> None:
    """Let the established domains be past their warm-up; the young one begins with today."""
    for _, domain in _VERIFIED:
        if domain != _YOUNG:
            warmup_service.set_warmup(
                database,
                domain=domain,
                setting=Setting(graduated=True),
                schedule=plans.schedule_of(settings),
                reason="has sent for months",
                actor=Actor("the demonstration", "command line"),
                now=now,
            )


def _deliver(settings: Settings, inboxes: Iterable[DemoInbox], messages: Iterable[DemoMessage]) -> None:
    """Put the conversations into the inboxes, each over an IMAP connection of its owner."""
    by_inbox: dict[str, list[DemoMessage]] = {}
    for message in messages:
        by_inbox.setdefault(message.inbox, []).append(message)
    context = ssl.create_default_context(cafile=settings.web.tls_ca or None)
    host, _, port = settings.web.imap.rpartition(":")
    for inbox in inboxes:
        try:
            with IMAPClient(host, int(port), ssl=False, timeout=IMAP_TIMEOUT_SECONDS) as client:
                # The certificate is for the name that mail clients use, not for the loopback address.
                client.host = settings.web.mail_hostname or host
                client.starttls(context)
                client.login(inbox.address, inbox.app_password)
                ordered = sorted(by_inbox.get(inbox.address, ()), key=lambda message: message.folder)
                for folder, group in groupby(ordered, key=lambda message: message.folder):
                    _append(client, folder, list(group))
        except (OSError, IMAPClient.Error) as error:
            raise TemporaryFailure(f"the inbox {inbox.address} cannot be filled over IMAP: {error}") from error
    log.event(_logger, logging.INFO, None, "demo filled")


def _append(client: IMAPClient, folder: str, messages: list[DemoMessage]) -> None:
    status = client.folder_status(folder, ["MESSAGES"])
    if status[b"MESSAGES"]:
        return  # filled before
    for message in sorted(messages, key=lambda message: message.received_at):
        client.append(folder, message.content, flags=message.flags, msg_time=message.received_at)


def _unless_there(make: Callable[[], object]) -> None:
    with contextlib.suppress(Conflict):
        make()
