"""Use cases around API keys: with one, a program does in one workspace what the key's scopes name.

A key belongs to a workspace, and was made by somebody: it never may more than that person may at the moment, and opens
nothing once they have left. The database knows the SHA-256 of its secret only, which has 240 random bits: nothing that
could be guessed, so nothing slower is needed.
"""

import hashlib
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, func, or_, select, update
from sqlalchemy.orm import Session, joinedload

from smailor.accounts import audit, authority
from smailor.accounts.access_models import ApiKey
from smailor.accounts.authority import By
from smailor.accounts.members import MemberView, member_view
from smailor.accounts.models import DomainAdmin, Member
from smailor.accounts.names import clean_name
from smailor.accounts.permissions import GRANTS, Permission
from smailor.accounts.user_view import UserView, user_view
from smailor.accounts.workspaces import WorkspaceView, workspace_row, workspace_view
from smailor.database.engine import Database
from smailor.errors import InvalidInput, NotFound, PermissionDenied

PREFIX = "smk_"
"""By which people and secret scanners know a key."""
MAX_SECRET = 100
MAX_KEYS = 100
"""Live keys of one workspace."""
LONGEST = timedelta(days=366)
TOUCH_EVERY = timedelta(minutes=1)
SCOPES = (
    Permission.VIEW_WORKSPACE,
    Permission.VIEW_MEMBERS,
    Permission.MANAGE_MEMBERS,
    Permission.VIEW_AUDIT,
)
"""What the API has pages for."""


@dataclass(frozen=True, slots=True)
class ApiKeyView:
    """A key as its workspace sees it: everything but the secret.

    Attributes:
        hint: the beginning of its secret.
        created_by: who made it; it may what they may.
        expires_at: its end.
    """

    id: int
    workspace: WorkspaceView
    label: str
    hint: str
    scopes: tuple[Permission, ...]
    created_by: UserView
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    last_source: str
    revoked_at: datetime | None

    @property
    def actor_name(self) -> str:
        """Who acts, for the audit trail: the key and who answers for it."""
        return f"{self.created_by.email} by API key {self.hint}"


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """A new key with its secret, which is shown once and kept nowhere."""

    view: ApiKeyView
    secret: str


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks with a key.

    Attributes:
        key: the key.
        member: its maker's place in the workspace now.
    """

    key: ApiKeyView
    member: MemberView

    def may(self, permission: Permission) -> bool:
        """Tell whether the key's scopes and its maker's role both include this."""
        return permission in self.key.scopes and permission in GRANTS[self.member.role]


def create(
    database: Database,
    *,
    workspace: str,
    label: str,
    scopes: Collection[str],
    expires_at: datetime,
    by: By,
    now: datetime,
) -> NewApiKey:
    """Make a key.

    Args:
        database: where to.
        workspace: its slug.
        label: what people call it.
        scopes: what it may do; some of `SCOPES`.
        expires_at: its end, within a year.
        by: a member who may manage keys, and do all that the key may.
        now: the present moment.

    Raises:
        InvalidInput: label, scopes or end cannot be used, or there are too many keys.
        NotFound: no such workspace.
        PermissionDenied: they may not, or not all of it.
    """
    label = clean_name("label", label)
    wanted = tuple(scope for scope in SCOPES if scope.value in scopes)
    if not wanted or len(wanted) != len(set(scopes)):
        raise InvalidInput("scopes", f"some of {', '.join(SCOPES)}")
    if not now < expires_at <= now + LONGEST:
        raise InvalidInput("expires", "lies within the next 366 days")
    if by.user_id is None:
        raise PermissionDenied("A key is made by a member, who answers for it.")
    secret = PREFIX + secrets.token_urlsafe(30)
    with database.transaction() as session:
        place, own = authority.enter(session, workspace, by, Permission.MANAGE_API_KEYS)
        if not GRANTS[own].issuperset(wanted):
            raise PermissionDenied("A key may not do more than who makes it.")
        live = select(func.count()).where(ApiKey.workspace_id == place.id, _live(now))
        if (session.scalar(live) or 0) >= MAX_KEYS:
            raise InvalidInput("label", f"there are {MAX_KEYS} keys already: revoke one first")
        row = ApiKey(
            workspace_id=place.id,
            user_id=by.user_id,
            label=label,
            hint=secret[: len(PREFIX) + 6],
            token_sha256=digest(secret),
            scopes=list(wanted),
            created_at=now,
            expires_at=expires_at,
            last_source="",
        )
        session.add(row)
        session.flush()
        details = {"label": label, "hint": row.hint, "scopes": list(wanted), "expires_at": expires_at.isoformat()}
        _record(session, by, "api-key.add", row, place.slug, details, now)
        return NewApiKey(_view(session.scalars(_with_all().where(ApiKey.id == row.id)).one()), secret)


def list_keys(database: Database, *, workspace: str) -> tuple[ApiKeyView, ...]:
    """Return a workspace's newest keys, those that are over included; at most 200.

    Raises:
        NotFound: no such workspace.
    """
    with database.reading() as session:
        place = workspace_row(session, workspace)
        query = _with_all().where(ApiKey.workspace_id == place.id).order_by(ApiKey.id.desc()).limit(2 * MAX_KEYS)
        return tuple(_view(row) for row in session.scalars(query))


def revoke(database: Database, *, workspace: str, key_id: int, by: By, now: datetime) -> ApiKeyView:
    """Revoke a key: from the commit on it opens nothing; doing so twice changes nothing.

    Raises:
        NotFound: the workspace has no such key.
        PermissionDenied: they may not.
    """
    with database.transaction() as session:
        place, _ = authority.enter(session, workspace, by, Permission.MANAGE_API_KEYS)
        row = session.scalar(_with_all().where(ApiKey.workspace_id == place.id, ApiKey.id == key_id))
        if row is None:
            raise NotFound(f"{workspace} has no such key")
        if row.revoked_at is None:
            row.revoked_at = now
            _record(session, by, "api-key.revoke", row, place.slug, {"label": row.label, "hint": row.hint}, now)
        return _view(row)


def find(database: Database, *, secret: str, now: datetime) -> Caller | None:
    """Return who asks with this secret: a live key whose maker is a member still; else None."""
    if not secret.startswith(PREFIX) or len(secret) > MAX_SECRET:
        return None
    query = (
        select(ApiKey, Member)
        .join(Member, (Member.workspace_id == ApiKey.workspace_id) & (Member.user_id == ApiKey.user_id))
        .options(joinedload(ApiKey.user), joinedload(ApiKey.workspace), joinedload(Member.user))
        .where(ApiKey.token_sha256 == digest(secret), _live(now))
    )
    with database.reading() as session:
        found = session.execute(query).first()
        if found is None:
            return None
        key, member = found
        domains = session.scalars(select(DomainAdmin.domain).where(DomainAdmin.member_id == member.id)).all()
        return Caller(_view(key), member_view(member, tuple(domains)))


def touch(database: Database, *, key: ApiKeyView, source: str, now: datetime) -> None:
    """Note a key's use, once a minute at most."""
    if key.last_used_at is not None and now < key.last_used_at + TOUCH_EVERY:
        return
    with database.transaction() as session:
        session.execute(update(ApiKey).where(ApiKey.id == key.id).values(last_used_at=now, last_source=source[:200]))


def digest(secret: str) -> str:
    """Return the lower-case hexadecimal SHA-256 under which a key is kept."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _live(now: datetime) -> ColumnElement[bool]:
    return ApiKey.revoked_at.is_(None) & or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > now)


def _with_all() -> Select[ApiKey]:
    return select(ApiKey).options(joinedload(ApiKey.user), joinedload(ApiKey.workspace))


def _record(
    session: Session, by: By, action: str, row: ApiKey, workspace: str, details: Mapping[str, object], now: datetime
) -> None:
    on = f"api-key:{row.id}"
    audit.record_in(session, by.actor, action=action, on=on, workspace=workspace, details=details, now=now)


def _view(row: ApiKey) -> ApiKeyView:
    return ApiKeyView(
        id=row.id,
        workspace=workspace_view(row.workspace),
        label=row.label,
        hint=row.hint,
        scopes=tuple(scope for scope in SCOPES if scope.value in row.scopes),
        created_by=user_view(row.user),
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        last_source=row.last_source,
        revoked_at=row.revoked_at,
    )
