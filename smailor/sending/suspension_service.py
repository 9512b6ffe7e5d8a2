"""Use cases around suspension: stopping an account, a domain or a workspace, and letting it go on.

A suspension holds from its commit on. Who asks next is refused: log-ins by the views that Dovecot and the web read,
sending by the terms, receiving by the views that Postfix reads. What stands open already, IMAP connections, is ended by
`end_connections` afterwards.
"""

from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from smailor.accounts import audit, members
from smailor.accounts.audit import Actor, clean_reason
from smailor.config import Dovecot
from smailor.database.engine import Database
from smailor.errors import NotFound
from smailor.mailboxes import dovecot as mail_server
from smailor.sending import subjects, suspension
from smailor.sending.subject import Scope, Subject
from smailor.sending.suspension import Part, Suspension
from smailor.sending.terms_models import Suspension as Row

_WORKSPACE = text("SELECT workspace FROM sending_domains WHERE domain = :domain")


def suspend(
    database: Database, *, subject: Subject, parts: frozenset[Part], reason: str, actor: Actor, now: datetime
) -> Suspension:
    """Stop sending, receiving or logging in; several suspensions of one subject hold beside each other.

    Args:
        database: where to.
        subject: whom.
        parts: what (`suspension.parts`).
        reason: why; its tenant reads it.
        actor: who decides it.
        now: the present moment.

    Raises:
        InvalidInput: there is no reason.
        NotFound: there is no such account, verified domain or workspace.
    """
    reason = clean_reason(reason)
    with database.transaction() as session:
        workspace = subjects.workspace_in(session, subject)
        row = Row(
            scope=subject.scope,
            subject=subject.name,
            stops_sending=Part.SENDING in parts,
            stops_receiving=Part.RECEIVING in parts,
            stops_login=Part.LOGIN in parts,
            reason=reason,
            set_by=actor.name,
            since=now,
            lifted_by="",
        )
        session.add(row)
        audit.record_in(
            session,
            actor,
            action="suspension.add",
            on=str(subject),
            workspace=workspace,
            reason=reason,
            details={"parts": sorted(parts)},
            now=now,
        )
        return view(row)


def lift(database: Database, *, subject: Subject, reason: str, actor: Actor, now: datetime) -> int:
    """Lift all suspensions of one account, domain or workspace; those of its domain or workspace stay.

    Returns:
        How many were lifted.

    Raises:
        NotFound: it is not suspended.
    """
    reason = clean_reason(reason, needed=False)
    with database.transaction() as session:
        rows = session.scalars(
            select(Row).where(Row.scope == subject.scope.value, Row.subject == subject.name, Row.lifted_at.is_(None))
        ).all()
        if not rows:
            raise NotFound(f"{subject.scope} {subject.name} is not suspended")
        for row in rows:
            row.lifted_at, row.lifted_by = now, actor.name
        audit.record_in(
            session,
            actor,
            action="suspension.lift",
            on=str(subject),
            workspace=subjects.workspace_in(session, subject),
            reason=reason,
            details={"lifted": len(rows)},
            now=now,
        )
        return len(rows)


def list_suspensions(database: Database, *, workspace: str | None = None) -> tuple[Suspension, ...]:
    """Return the suspensions in force, of everybody or of one workspace with its domains and accounts."""
    with database.snapshot() as session:
        rows = session.scalars(select(Row).where(Row.lifted_at.is_(None)).order_by(Row.since, Row.id)).all()
        found = [view(row) for row in rows]
        if workspace is None:
            return tuple(found)
        domains = set(subjects.domains_in(session, workspace))
    return tuple(
        entry
        for entry in found
        if (entry.subject.scope is Scope.WORKSPACE and entry.subject.name == workspace)
        or (entry.subject.scope is not Scope.WORKSPACE and entry.subject.name.rpartition("@")[2] in domains)
    )


def suspended(database: Database, *, address: str, part: Part) -> Suspension | None:
    """Return what keeps an address from something: a suspension of its own, its domain's or its workspace's."""
    with database.snapshot() as session:
        return suspension.in_the_way(_open(session, _about(session, address)), part)


def login_suspended(database: Database, *, user_id: int, email: str) -> Suspension | None:
    """Return what keeps a person from logging in to the web: a suspension of their address, or of all they belong to.

    Whoever belongs to two workspaces, of which one is suspended, goes on in the other; what they may not open there is
    decided where it is opened (`suspended`, `workspace_suspended`).

    Args:
        database: where to look.
        user_id: the person.
        email: their address; it need not be one of our inboxes.
    """
    places = [
        Subject(Scope.WORKSPACE, membership.workspace.slug)
        for membership in members.memberships(database, user_id=user_id)
    ]
    with database.snapshot() as session:
        own = _about(session, email)
        found = _open(session, own.union(places))
    hit = suspension.in_the_way((entry for entry in found if entry.subject in own), Part.LOGIN)
    if hit is not None:
        return hit
    stopped = [
        suspension.in_the_way((entry for entry in found if entry.subject == place), Part.LOGIN) for place in places
    ]
    return stopped[0] if stopped and all(stopped) else None


def workspace_suspended(database: Database, *, workspace: str, part: Part) -> Suspension | None:
    """Return what keeps a whole workspace from something."""
    with database.snapshot() as session:
        return suspension.in_the_way(_open(session, {Subject(Scope.WORKSPACE, workspace)}), part)


def end_connections(database: Database, dovecot: Dovecot, *, subject: Subject) -> bool:
    """End the IMAP and ManageSieve connections of everybody whom a suspension of logging in is about.

    Returns:
        Whether Dovecot did it. Where it did not, what is open lasts until its clients close it.
    """
    masks = subjects.login_masks(database, subject)
    done = [mail_server.end_connections(dovecot, login=mask) for mask in masks]  # all of them, whatever one says
    return all(done)


def _about(session: Session, address: str) -> set[Subject]:
    domain = address.rpartition("@")[2]
    about = {Subject(Scope.ACCOUNT, address), Subject(Scope.DOMAIN, domain)}
    workspace = session.scalar(_WORKSPACE, {"domain": domain})
    if workspace is not None:
        about.add(Subject(Scope.WORKSPACE, workspace))
    return about


def _open(session: Session, about: set[Subject]) -> list[Suspension]:
    names = [subject.name for subject in about]
    rows = session.scalars(select(Row).where(Row.lifted_at.is_(None), Row.subject.in_(names)))
    return [entry for entry in map(view, rows) if entry.subject in about]


def view(row: Row) -> Suspension:
    """Return a row as others see it."""
    chosen = (
        (Part.SENDING, row.stops_sending),
        (Part.RECEIVING, row.stops_receiving),
        (Part.LOGIN, row.stops_login),
    )
    return Suspension(
        subject=Subject(Scope(row.scope), row.subject),
        parts=frozenset(part for part, stopped in chosen if stopped),
        reason=row.reason,
        set_by=row.set_by,
        since=row.since,
    )
