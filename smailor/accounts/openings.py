"""Use cases around who opened whose inbox: written down once for each session and inbox, in the audit trail.

An inbox is a person's own if they log in with its address, and nobody acts in their name. Every other opening is
recorded: a shared inbox's readers see each other, and nobody can make somebody else's inbox their own by taking its
readers away, since readers do not count.
"""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from smailor.accounts import audit
from smailor.accounts.access_models import InboxOpening
from smailor.accounts.audit import Actor
from smailor.database.engine import Database

ACTION = "inbox.open"
SHOWN = (ACTION, "inbox-reader.add", "inbox-reader.remove", "app-password.add", "app-password.revoke", "inbox.add")
"""What an inbox's readers are shown: who opened it, and who made it possible for whom."""


def note(
    database: Database,
    *,
    session_id: int,
    impersonation_id: int = 0,
    inbox: str,
    workspace: str,
    actor: Actor,
    reason: str = "",
    now: datetime,
) -> bool:
    """Write down that a session opens an inbox that is not its person's own, unless that is written already.

    Args:
        database: where to.
        session_id: the session.
        impersonation_id: under which it acts in another's name; 0: under none.
        inbox: the inbox's address.
        workspace: the inbox's.
        actor: who.
        reason: an operator's.
        now: the present moment.

    Returns:
        Whether it was written now.
    """
    key = {"session_id": session_id, "impersonation_id": impersonation_id, "inbox": inbox}
    with database.reading() as session:
        if session.scalar(select(InboxOpening.session_id).filter_by(**key)) is not None:
            return False
    try:
        with database.transaction() as session:
            session.add(InboxOpening(**key))
            session.flush()
            on = f"account:{inbox}"
            audit.record_in(session, actor, action=ACTION, on=on, workspace=workspace, reason=reason, now=now)
    except IntegrityError:
        return False  # another request of the session was quicker, or the session has just ended
    return True
