"""Finding whom a rule is about: whether there is such an account, domain or workspace, and whose it is."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from smailor.database.engine import Database
from smailor.errors import NotFound
from smailor.sending.subject import Scope, Subject

_WORKSPACE = text("SELECT workspace, plan FROM sending_workspaces WHERE workspace = :name")
_DOMAIN = text(
    "SELECT workspace, plan, EXISTS (SELECT 1 FROM dovecot_users WHERE username = :name)"
    " FROM sending_domains WHERE domain = :domain"
)
_DOMAINS = text("SELECT domain FROM sending_domains WHERE workspace = :workspace ORDER BY domain")
# No LEFT JOIN: for that, SQLite would put the view of all domains together first.
_PLAN_AND_DOMAINS = text(
    "SELECT plan, NULL AS domain FROM sending_workspaces WHERE workspace = :workspace"
    " UNION ALL SELECT plan, domain FROM sending_domains WHERE workspace = :workspace ORDER BY domain"
)


@dataclass(frozen=True, slots=True)
class Home:
    """Whose an account or a domain is.

    Attributes:
        workspace: the workspace's slug.
        plan: the name of its plan.
    """

    workspace: str
    plan: str


def home_in(session: Session, subject: Subject) -> Home:
    """Return the workspace that an account or domain belongs to, or that the subject is; one statement.

    Raises:
        NotFound: there is no such inbox, verified domain or workspace.
    """
    if subject.scope is Scope.WORKSPACE:
        own = session.execute(_WORKSPACE, {"name": subject.name}).one_or_none()
        if own is None:
            raise NotFound(f"there is no workspace {subject.name}")
        return Home(own[0], own[1])
    domain = subject.name.rpartition("@")[2]
    found = session.execute(_DOMAIN, {"name": subject.name, "domain": domain}).one_or_none()
    if found is None:
        raise NotFound(f"there is no verified domain {domain}")
    if subject.scope is Scope.ACCOUNT and not found[2]:
        raise NotFound(f"there is no inbox {subject.name}")
    return Home(found[0], found[1])


def workspace_in(session: Session, subject: Subject) -> str:
    """Return the slug of the workspace that `home_in` finds; raises NotFound."""
    return home_in(session, subject).workspace


def domains_in(session: Session, workspace: str) -> tuple[str, ...]:
    """Return the verified domains of a workspace."""
    return tuple(session.scalars(_DOMAINS, {"workspace": workspace}))


def plan_and_domains_in(session: Session, workspace: str) -> tuple[str, tuple[str, ...]]:
    """Return the name of a workspace's plan, and its verified domains; one statement.

    Raises:
        NotFound: no such workspace.
    """
    rows = session.execute(_PLAN_AND_DOMAINS, {"workspace": workspace}).all()
    if not rows:
        raise NotFound(f"there is no workspace {workspace}")
    return rows[0][0], tuple(domain for _, domain in rows if domain is not None)


def login_masks(database: Database, subject: Subject) -> tuple[str, ...]:
    """Return Dovecot's masks of all logins that a subject has: an address, or `*@domain`."""
    if subject.scope is Scope.ACCOUNT:
        return (subject.name,)
    if subject.scope is Scope.DOMAIN:
        return (f"*@{subject.name}",)
    with database.reading() as session:
        return tuple(f"*@{domain}" for domain in domains_in(session, subject.name))
