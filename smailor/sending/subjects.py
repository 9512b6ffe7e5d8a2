"""Finding whom a rule is about: whether there is such an account, domain or workspace, and whose it is."""

from sqlalchemy import text
from sqlalchemy.orm import Session

from smailor.accounts import workspaces
from smailor.database.engine import Database
from smailor.errors import NotFound
from smailor.sending.subject import Scope, Subject

_WORKSPACE = text("SELECT workspace FROM sending_domains WHERE domain = :domain")
_INBOX = text("SELECT 1 FROM dovecot_users WHERE username = :address")
_DOMAINS = text("SELECT domain FROM sending_domains WHERE workspace = :workspace ORDER BY domain")
_INBOXES = text("SELECT username FROM dovecot_users WHERE username LIKE :pattern ESCAPE '!' ORDER BY username")


def workspace_in(session: Session, subject: Subject) -> str:
    """Return the slug of the workspace that an account or domain belongs to, or that the subject is.

    Raises:
        NotFound: there is no such inbox, verified domain or workspace.
    """
    if subject.scope is Scope.WORKSPACE:
        return workspaces.workspace_in(session, subject.name).slug
    domain = subject.name.rpartition("@")[2]
    workspace: str | None = session.scalar(_WORKSPACE, {"domain": domain})
    if workspace is None:
        raise NotFound(f"there is no verified domain {domain}")
    if subject.scope is Scope.ACCOUNT and session.scalar(_INBOX, {"address": subject.name}) is None:
        raise NotFound(f"there is no inbox {subject.name}")
    return workspace


def workspace_of(database: Database, subject: Subject) -> str:
    """Return the same as `workspace_in`, in a transaction of its own."""
    with database.snapshot() as session:
        return workspace_in(session, subject)


def domains_in(session: Session, workspace: str) -> tuple[str, ...]:
    """Return the verified domains of a workspace."""
    return tuple(session.scalars(_DOMAINS, {"workspace": workspace}))


def inboxes_in(session: Session, domain: str) -> tuple[str, ...]:
    """Return the inboxes of a verified domain."""
    pattern = domain.replace("!", "!!").replace("_", "!_").replace("%", "!%")
    return tuple(session.scalars(_INBOXES, {"pattern": f"%@{pattern}"}))


def login_masks(database: Database, subject: Subject) -> tuple[str, ...]:
    """Return Dovecot's masks of all logins that a subject has: an address, or `*@domain`."""
    if subject.scope is Scope.ACCOUNT:
        return (subject.name,)
    if subject.scope is Scope.DOMAIN:
        return (f"*@{subject.name}",)
    with database.snapshot() as session:
        return tuple(f"*@{domain}" for domain in domains_in(session, subject.name))
