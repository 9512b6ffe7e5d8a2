"""What goes of this room and the ones below when a workspace goes: inboxes, aliases, rights, secrets, domains."""

from collections.abc import Iterable

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from smailor.accounts import app_passwords
from smailor.database.engine import Database
from smailor.domains import service as domains
from smailor.domains.service import DomainView
from smailor.mailboxes.models import Alias, Inbox


def live_inboxes(database: Database, *, workspace: str) -> list[str]:
    """Return the inboxes of a workspace that take part in mail: those of domains that it has verified.

    Of a domain that it only claims, an inbox may have the address of somebody else's.

    Raises:
        NotFound: no such workspace.
    """
    with database.reading() as session:
        return _live_in(session, domains.list_domains_in(session, workspace))


def close_in(session: Session, *, workspace: str) -> list[str]:
    """Delete a workspace's domains with all that is in them, within a transaction of a room above.

    Returns:
        The inboxes that took part in mail.

    Raises:
        NotFound: no such workspace.
    """
    owned = domains.list_domains_in(session, workspace)
    ids = [domain.id for domain in owned]
    addresses = _live_in(session, owned)
    # An inbox that somebody creates under the same address tomorrow must not open by yesterday's secrets.
    for address in addresses:
        app_passwords.revoke_all_in(session, address)
    session.execute(delete(Alias).where(Alias.domain_id.in_(ids)))
    session.execute(delete(Inbox).where(Inbox.domain_id.in_(ids)))
    for domain in owned:
        domains.delete_domain_in(session, workspace, domain.name)
    session.flush()
    return addresses


def _live_in(session: Session, among: Iterable[DomainView]) -> list[str]:
    ids = [domain.id for domain in among if domain.verified_at is not None]
    return list(session.scalars(select(Inbox.address).where(Inbox.domain_id.in_(ids)).order_by(Inbox.address)))
