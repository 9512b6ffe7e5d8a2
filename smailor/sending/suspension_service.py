"""Use cases around suspension: stopping an account, a domain or a workspace, and letting it go on.

A suspension holds from its commit on. Who asks next is refused: log-ins by the views that Dovecot and the web read,
sending by the terms, receiving by the views that Postfix reads. What stands open already, IMAP connections, is ended by
`end_connections` afterwards.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import column, or_, select, table
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

_SENDING_DOMAINS = table("sending_domains", column("domain"), column("workspace"))


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
    with database.reading() as session:
        if workspace is None:
            return _all(session)
        return suspensions_in(session, workspace=workspace, domains=subjects.domains_in(session, workspace))


def suspensions_in(session: Session, *, workspace: str, domains: Collection[str]) -> tuple[Suspension, ...]:
    """Return the suspensions in force of a workspace, and of these domains of it with their accounts; one statement."""
    names = set(domains)
    return tuple(
        entry
        for entry in _all(session)
        if (entry.subject.scope is Scope.WORKSPACE and entry.subject.name == workspace)
        or (entry.subject.scope is not Scope.WORKSPACE and entry.subject.name.rpartition("@")[2] in names)
    )


def suspensions_of(database: Database, *, address: str) -> tuple[Suspension, ...]:
    """Return the suspensions in force of an address: its own, its domain's and its workspace's."""
    with database.reading() as session:
        return tuple(_about(session, address)[1])


@dataclass(frozen=True, slots=True)
class Standing:
    """What keeps a person from logging in.

    Attributes:
        login: from logging in to the web at all; None: nothing.
        places: from those of their workspaces that are suspended, by slug.
    """

    login: Suspension | None
    places: Mapping[str, Suspension]


def login_suspended(database: Database, *, user_id: int, email: str) -> Suspension | None:
    """Return what keeps a person from logging in to the web; arguments and rules as in `standing`."""
    slugs = [membership.workspace.slug for membership in members.memberships(database, user_id=user_id)]
    return standing(database, email=email, workspaces=slugs).login


def standing(database: Database, *, email: str, workspaces: Sequence[str]) -> Standing:
    """Return what keeps a person from logging in: a suspension of their address, or of all they belong to.

    Whoever belongs to two workspaces, of which one is suspended, goes on in the other; what they may not open there is
    decided where it is opened (`places`, `suspensions_of`).

    Args:
        database: where to look.
        email: their address; it need not be one of our inboxes.
        workspaces: the slugs of those that they belong to.
    """
    subjects = {slug: Subject(Scope.WORKSPACE, slug) for slug in workspaces}
    with database.reading() as session:
        own, found = _about(session, email, subjects.values())
    places: dict[str, Suspension] = {}
    for slug, subject in subjects.items():
        hit = suspension.in_the_way((entry for entry in found if entry.subject == subject), Part.LOGIN)
        if hit is not None:
            places[slug] = hit
    login = suspension.in_the_way((entry for entry in found if entry.subject in own), Part.LOGIN)
    if login is None and subjects and len(places) == len(subjects):
        login = places[workspaces[0]]
    return Standing(login, places)


def workspace_suspended(database: Database, *, workspace: str, part: Part) -> Suspension | None:
    """Return what keeps a whole workspace from something."""
    with database.reading() as session:
        return suspension.in_the_way(_open(session, {Subject(Scope.WORKSPACE, workspace)}), part)


def end_connections(database: Database, dovecot: Dovecot, *, subject: Subject) -> bool:
    """End the IMAP and ManageSieve connections of everybody whom a suspension of logging in is about.

    Returns:
        Whether Dovecot did it. Where it did not, what is open lasts until its clients close it.
    """
    masks = subjects.login_masks(database, subject)
    done = [mail_server.end_connections(dovecot, login=mask) for mask in masks]  # all of them, whatever one says
    return all(done)


def _all(session: Session) -> tuple[Suspension, ...]:
    rows = session.scalars(select(Row).where(Row.lifted_at.is_(None)).order_by(Row.since, Row.id))
    return tuple(view(row) for row in rows)


def _about(session: Session, address: str, more: Iterable[Subject] = ()) -> tuple[set[Subject], list[Suspension]]:
    """What an address belongs to, as far as anything of it is suspended, and what is open about that and about more."""
    domain = address.rpartition("@")[2]
    own = {Subject(Scope.ACCOUNT, address), Subject(Scope.DOMAIN, domain)}
    asked = own.union(more)
    workspace = select(_SENDING_DOMAINS.c.workspace).where(_SENDING_DOMAINS.c.domain == domain).scalar_subquery()
    names = [subject.name for subject in asked]
    query = select(Row, workspace).where(Row.lifted_at.is_(None), or_(Row.subject.in_(names), Row.subject == workspace))
    found: list[Suspension] = []
    for row, home in session.execute(query):
        if home is not None:
            own.add(Subject(Scope.WORKSPACE, home))
        found.append(view(row))
    return own, [entry for entry in found if entry.subject in asked | own]


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
