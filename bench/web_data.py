"""A database as a service with many tenants has it: people, workspaces, domains, inboxes, sessions, an audit trail."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import bcrypt
from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from smailor.accounts import access_models, models, passwords
from smailor.accounts.audit_chain import Head, entry_hash
from smailor.database.engine import Database
from smailor.domains import models as domain_models
from smailor.mailboxes import models as mailbox_models

BIG = "w0"
"""The workspace that is looked at: it has a hundredth of all people."""
BOSS = "boss@d0.w0.test"
"""Owns it and two more, runs the service, and has this text for a password."""
DOMAINS_EACH = 3
INBOXES_EACH = 20
ENTRIES_EACH = 100
_BATCH = 5_000


@dataclass(frozen=True)
class Crowd:
    """How many there are."""

    people: int
    workspaces: int


def fill(database: Database, crowd: Crowd, *, now: datetime) -> None:
    """Fill a new database."""
    long_ago = now - timedelta(days=200)
    with database.transaction() as session:
        _insert(session, models.User, _users(crowd, long_ago))
        _insert(session, models.Workspace, _workspaces(crowd, long_ago))
        _insert(session, models.Member, _members(crowd, long_ago))
        _insert(session, domain_models.Domain, _domains(crowd, long_ago))
        _insert(session, mailbox_models.Inbox, _inboxes(crowd, long_ago))
        _insert(session, mailbox_models.InboxReader, ({"inbox_id": number + 1, "user_id": 1} for number in range(10)))
        _insert(session, models.WebSession, _sessions(crowd, now))
        _insert(session, models.Invitation, _invitations(now))
        _insert(session, access_models.ApiKey, _keys(now))
        _insert(session, models.AuditEntry, _entries(crowd, long_ago))
        _go_on_counting(session, database)
    with database.engine.connect() as connection:
        connection.execute(text("ANALYZE"))


def _insert(session: Session, model: Any, rows: Iterator[Mapping[str, Any]]) -> None:
    while batch := list(islice(rows, _BATCH)):
        session.execute(insert(model), batch)


def _go_on_counting(session: Session, database: Database) -> None:
    """Rows were given their numbers here, PostgreSQL's sequences do not know of them."""
    if database.dialect == "postgresql":
        for table in ("users", "workspaces", "domains", "inboxes"):
            session.execute(text(f"SELECT setval('{table}_id_seq', (SELECT max(id) FROM {table}))"))  # noqa: S608


def _users(crowd: Crowd, at: datetime) -> Iterator[dict[str, Any]]:
    digest = bcrypt.hashpw(passwords._digest(BOSS), bcrypt.gensalt(4)).decode()  # noqa: SLF001
    for number in range(crowd.people):
        yield {
            "id": number + 1,
            "email": f"person{number}@example.test" if number else BOSS,
            "name": f"Person {number}",
            "password_hash": "" if number else digest,
            "operator": number == 0,
            "language": "en",
            "email_verified_at": at,
            "created_at": at,
        }


def _workspaces(crowd: Crowd, at: datetime) -> Iterator[dict[str, Any]]:
    for number in range(crowd.workspaces):
        yield {
            "id": number + 1,
            "slug": f"w{number}",
            "name": f"Workspace {number}",
            "plan": "standard",
            "sender_privacy": True,
            "created_at": at,
        }


def _members(crowd: Crowd, at: datetime) -> Iterator[dict[str, Any]]:
    in_big = crowd.people // 100
    for number in range(crowd.people):
        place = 1 if number < in_big else 1 + number % crowd.workspaces
        yield {"workspace_id": place, "user_id": number + 1, "role": "member" if number else "owner", "created_at": at}
    for place in range(2, min(4, crowd.workspaces + 1)):
        yield {"workspace_id": place, "user_id": 1, "role": "owner", "created_at": at}


def _domains(crowd: Crowd, at: datetime) -> Iterator[dict[str, Any]]:
    for place in range(crowd.workspaces):
        for number in range(DOMAINS_EACH):
            yield {
                "id": place * DOMAINS_EACH + number + 1,
                "workspace_id": place + 1,
                "name": f"d{number}.w{place}.test",
                "verification_token": f"token-{place}-{number}",
                "verified_at": at,
                "created_at": at,
            }


def _inboxes(crowd: Crowd, at: datetime) -> Iterator[dict[str, Any]]:
    for place in range(crowd.workspaces):
        for number in range(INBOXES_EACH):
            name = "boss" if place == number == 0 else f"inbox{number}"
            yield {
                "id": place * INBOXES_EACH + number + 1,
                "domain_id": place * DOMAINS_EACH + 1,
                "address": f"{name}@d0.w{place}.test",
                "name": f"Inbox {number}",
                "quota_bytes": 1 << 30,
                "created_at": at,
            }


def _sessions(crowd: Crowd, now: datetime) -> Iterator[dict[str, Any]]:
    for number in range(crowd.people):
        yield {
            "user_id": number + 1,
            "token_sha256": _digest(f"session {number}"),
            "created_at": now,
            "expires_at": now + timedelta(days=30),
            "last_used_at": now,
            "authenticated_at": now,
            "settings_used_at": now,
            "operator_used_at": now,
            "method": "password",
            "source": "192.0.2.7",
            "device": "Firefox on Linux",
        }


def _invitations(now: datetime) -> Iterator[dict[str, Any]]:
    for number in range(40):
        yield {
            "workspace_id": 1,
            "email": f"guest{number}@example.test",
            "role": "member",
            "domains": [],
            "token_sha256": _digest(f"invitation {number}"),
            "invited_by": BOSS,
            "created_at": now,
            "expires_at": now + timedelta(days=7),
        }


def _keys(now: datetime) -> Iterator[dict[str, Any]]:
    for number in range(20):
        yield {
            "workspace_id": 1,
            "label": f"Key {number}",
            "hint": "smk_",
            "token_sha256": _digest(f"key {number}"),
            "scopes": ["workspace:read"],
            "user_id": 1,
            "created_at": now,
            "expires_at": now + timedelta(days=90),
            "last_source": "",
        }


def _entries(crowd: Crowd, at: datetime) -> Iterator[dict[str, Any]]:
    head = Head()
    for number in range(crowd.workspaces * ENTRIES_EACH):
        place = number % crowd.workspaces if number % 10 else 0
        entry: dict[str, Any] = {
            "at": at + timedelta(seconds=number),
            "actor": BOSS if place == 0 else f"person{number % crowd.people}@example.test",
            "source": "192.0.2.7",
            "action": ("member.add", "inbox.add", "session.start", "alias.add")[number % 4],
            "object": f"account:person{number % crowd.people}@example.test",
            "workspace": f"w{place}",
            "reason": "",
            "outcome": "done",
            "details": {},
        }
        digest = entry_hash(entry, head)
        yield {**entry, "sequence": head.sequence + 1, "previous_hash": head.hash, "hash": digest}
        head = Head(head.sequence + 1, digest)


def _digest(text_: str) -> str:
    return hashlib.sha256(text_.encode()).hexdigest()
