"""Use cases around web sessions: begun, found by their token, given a new token, listed, ended. Rules: session_rules.

The database knows the digest of a token only. Each function owns its transaction; those ending in `_in` run within the
caller's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from smailor.accounts import audit, passwords, session_rules
from smailor.accounts.audit import Actor
from smailor.accounts.models import User, WebSession
from smailor.accounts.session_rules import Area, Times
from smailor.accounts.user_view import UserView, user_view
from smailor.database.engine import Database
from smailor.errors import NotFound

MAX_TOKEN = 200
MAX_LISTED = 100


@dataclass(frozen=True, slots=True)
class SessionView:
    """A log-in, as its owner sees it.

    Attributes:
        method: `password`, `passkey`, `oidc:NAME`; with a second factor `password+totp`.
        source: the client's IP address at the last use.
        device: browser and system in words; empty: unknown.
        times: the moments that decide what it opens.
        expires_at: its end, however much it is used.
    """

    id: int
    user: UserView
    method: str
    source: str
    device: str
    times: Times
    expires_at: datetime

    @property
    def created_at(self) -> datetime:
        """The log-in."""
        return self.times.created_at

    @property
    def authenticated_at(self) -> datetime:
        """When its owner last showed who they are."""
        return self.times.authenticated_at

    @property
    def last_used_at(self) -> datetime:
        """The last page asked for, to the minute."""
        return self.times.last_used_at

    @property
    def key(self) -> str:
        """A name that is not its secret, the same whatever its token: numbers may be given twice, moments not."""
        return f"{self.id}-{self.created_at.timestamp():.6f}"


def start(database: Database, *, user_id: int, method: str, source: str = "", device: str = "", now: datetime) -> str:
    """Begin a session and return its token.

    Args:
        database: where to.
        user_id: whose.
        method: how they showed who they are.
        source: the client's IP address.
        device: browser and system in words (`devices.words`).
        now: the present moment.
    """
    with database.transaction() as session:
        return start_in(session, user_id=user_id, method=method, source=source, device=device, now=now)


def start_in(session: Session, *, user_id: int, method: str, source: str, device: str, now: datetime) -> str:
    """Begin a session within a transaction; arguments as in `start`."""
    token = passwords.draw_secret()
    session.add(
        WebSession(
            user_id=user_id,
            token_sha256=passwords.digest_secret(token),
            created_at=now,
            expires_at=now + session_rules.LIFETIME,
            last_used_at=now,
            authenticated_at=now,
            settings_used_at=now,
            operator_used_at=now,
            method=method[:40],
            source=source[:200],
            device=device[:200],
        )
    )
    email = session.get_one(User, user_id).email
    _audit_in(session, email, source, "session.start", {"method": method, "device": device}, now)
    return token


def find(database: Database, *, token: str, now: datetime) -> SessionView | None:
    """Return the live session that this token opens, else None."""
    if not token or len(token) > MAX_TOKEN:
        return None
    query = (
        select(WebSession, User)
        .join(User, User.id == WebSession.user_id)
        .where(WebSession.token_sha256 == passwords.digest_secret(token), WebSession.expires_at > now)
    )
    with database.reading() as session:
        found = session.execute(query).first()
        view = _view(*found) if found else None
    return view if view and session_rules.alive(view.times, now) else None


def touch(database: Database, *, view: SessionView, area: Area, source: str, now: datetime) -> None:
    """Note that a page of an area was asked for, if the last note is a minute old.

    Args:
        database: where to.
        view: the session.
        area: of the page; the session opens it.
        source: the client's IP address.
        now: the present moment.
    """
    if not session_rules.to_touch(view.times, area, now):
        return
    moments = {"last_used_at": now}
    if area is not Area.MAIL:
        moments["settings_used_at"] = now
    if area is Area.OPERATOR:
        moments["operator_used_at"] = now
    with database.transaction() as session:
        session.execute(update(WebSession).where(WebSession.id == view.id).values(source=source[:200], **moments))


def rotate(database: Database, *, session_id: int, now: datetime, authenticated: str = "") -> str:
    """Give a session a new token, because what it may do has changed; the old one is dead from the commit on.

    Args:
        database: where to.
        session_id: which.
        now: the present moment.
        authenticated: how its owner has just shown who they are; empty: they have not.

    Raises:
        NotFound: it has ended.
    """
    with database.transaction() as session:
        return rotate_in(session, session_id=session_id, now=now, authenticated=authenticated)


def rotate_in(session: Session, *, session_id: int, now: datetime, authenticated: str = "") -> str:
    """Give a session a new token within a transaction; arguments and errors as in `rotate`."""
    row = session.get(WebSession, session_id)
    if row is None:
        raise NotFound("the session has ended")
    token = passwords.draw_secret()
    row.token_sha256 = passwords.digest_secret(token)
    if authenticated:
        row.method = authenticated[:40]
        row.authenticated_at = row.last_used_at = row.settings_used_at = row.operator_used_at = now
    return token


def list_sessions(database: Database, *, user_id: int, now: datetime) -> tuple[SessionView, ...]:
    """Return a person's live sessions, the one used last first; at most 100."""
    query = (
        select(WebSession, User)
        .join(User, User.id == WebSession.user_id)
        .where(WebSession.user_id == user_id, WebSession.expires_at > now)
        .order_by(WebSession.last_used_at.desc(), WebSession.id.desc())
        .limit(MAX_LISTED)
    )
    with database.reading() as session:
        views = [_view(*found) for found in session.execute(query)]
    return tuple(view for view in views if session_rules.alive(view.times, now))


def revoke(database: Database, *, user_id: int, session_id: int, source: str = "", now: datetime) -> SessionView:
    """End one session of a person; return what it was, so that its mail connections can be closed.

    Args:
        database: where it is.
        user_id: whose it has to be.
        session_id: which.
        source: the client's IP address.
        now: the present moment.

    Raises:
        NotFound: they have no such session.
    """
    with database.transaction() as session:
        row = session.get(WebSession, session_id)
        if row is None or row.user_id != user_id:
            raise NotFound("there is no such session")
        view = _view(row, row.user)
        session.execute(delete(WebSession).where(WebSession.id == session_id))
        _audit_in(session, view.user.email, source, "session.revoke", {"device": view.device, "from": view.source}, now)
        return view


def end_others(
    database: Database, *, user_id: int, keep: int | None, source: str = "", now: datetime
) -> tuple[SessionView, ...]:
    """End a person's sessions but one; return what they were.

    Args:
        database: where to.
        user_id: whose.
        keep: the session that stays; None: none.
        source: the client's IP address.
        now: the present moment.
    """
    with database.transaction() as session:
        ended = end_others_in(session, user_id=user_id, keep=keep)
        email = session.get_one(User, user_id).email
        _audit_in(session, email, source, "session.revoke-others", {"ended": len(ended)}, now)
        return ended


def end_others_in(session: Session, *, user_id: int, keep: int | None) -> tuple[SessionView, ...]:
    """End a person's sessions but one within a transaction; arguments as in `end_others`."""
    user = session.get_one(User, user_id)
    doomed = select(WebSession).where(WebSession.user_id == user_id)
    if keep is not None:
        doomed = doomed.where(WebSession.id != keep)
    rows = session.scalars(doomed).all()
    views = tuple(_view(row, user) for row in rows)
    session.execute(delete(WebSession).where(WebSession.id.in_([row.id for row in rows])))
    return views


def end(database: Database, *, token: str) -> None:
    """End the session of a token; unknown tokens are none."""
    with database.transaction() as session:
        session.execute(delete(WebSession).where(WebSession.token_sha256 == passwords.digest_secret(token)))


def prune(database: Database, *, now: datetime) -> int:
    """Delete sessions that are over; return how many."""
    unused_since = now - session_rules.LIMITS[Area.MAIL].idle
    over = delete(WebSession).where((WebSession.expires_at <= now) | (WebSession.last_used_at <= unused_since))
    with database.transaction() as session:
        return len(session.scalars(over.returning(WebSession.id)).all())


def _audit_in(
    session: Session, email: str, source: str, action: str, details: Mapping[str, object], now: datetime
) -> None:
    actor = Actor(email, source)
    audit.record_in(session, actor, action=action, on=f"account:{email}", details=details, now=now)


def _view(row: WebSession, user: User) -> SessionView:
    return SessionView(
        id=row.id,
        user=user_view(user),
        method=row.method,
        source=row.source,
        device=row.device,
        times=Times(
            created_at=row.created_at,
            authenticated_at=row.authenticated_at,
            last_used_at=row.last_used_at,
            settings_used_at=row.settings_used_at,
            operator_used_at=row.operator_used_at,
        ),
        expires_at=row.expires_at,
    )
