"""A workspace goes at the end of its grace period, from this room down: what each room holds of it, in one transaction.

Before that the mail on disk goes, while Dovecot still knows the inboxes. What the operator decided about a domain or an
address (suspensions, other limits) and how far a domain's warm-up has come stay: they go by its name, and who claims it
next must not be rid of them by deleting a workspace.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.orm import Session

from smailor import log
from smailor.accounts import deletion
from smailor.accounts.audit import Actor
from smailor.accounts.posting import Post
from smailor.database.engine import Database
from smailor.errors import Conflict, NotFound
from smailor.mailboxes import closing as mailboxes
from smailor.sending.terms_models import AccountHabits, AccountNetwork, AccountPause

JOB = Actor("job delete-workspaces", "job")
_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Run:
    """What one run did.

    Attributes:
        deleted: workspaces that are gone.
        kept: workspaces whose deletion was withdrawn at the last moment.
        waiting: workspaces whose mail could not be deleted, and which are tried again.
        inboxes: the inboxes that went, whose connections are to be ended.
    """

    deleted: int = 0
    kept: int = 0
    waiting: int = 0
    inboxes: list[str] = field(default_factory=list)


def delete_due(database: Database, *, delete_mail: Callable[[str], bool], post: Post, now: datetime) -> Run:
    """Delete the workspaces whose grace period is over. Doing it twice, or from where it stopped, comes to the same.

    Args:
        database: where they are.
        delete_mail: deletes an inbox's messages by its address; says whether they are gone.
        post: writes to who were owners.
        now: the present moment.
    """
    run = Run()
    for slug in deletion.due(database, now=now):
        try:
            addresses = mailboxes.live_inboxes(database, workspace=slug)
        except NotFound:
            continue
        # All of them, also after one that failed: what is done now need not be done next time.
        if not all([delete_mail(address) for address in addresses]):  # noqa: C419
            log.event(_logger, logging.WARNING, None, "workspace-not-deleted", workspace=slug, reason="mail is left")
            run.waiting += 1
            continue
        try:
            with database.transaction() as session:
                deletion.lock_due_in(session, workspace=slug, now=now)
                gone = mailboxes.close_in(session, workspace=slug)
                _forget_in(session, gone)
                deletion.delete_in(session, workspace=slug, actor=JOB, post=post, now=now)
        except (Conflict, NotFound):
            run.kept += 1
        else:
            run.deleted += 1
            run.inboxes += gone
    return run


def _forget_in(session: Session, accounts: list[str]) -> None:
    """Forget what was seen of accounts that are gone: the next ones of that name are other people."""
    for table in (AccountPause, AccountHabits, AccountNetwork):
        session.execute(delete(table).where(table.account.in_(accounts)))
