"""The one way from a page to an inbox: who asks may open it, or it does not exist for them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Blueprint, g
from flask_login import current_user

from smailor.accounts import openings
from smailor.errors import NotFound, PermissionDenied
from smailor.mailboxes import service as mailboxes
from smailor.mailboxes.service import InboxView
from smailor.sending import suspension, suspension_service
from smailor.sending.suspension import Part, Suspension
from webui.context import context
from webui.mail import folders as folder_rules
from webui.mail.folders import Folder
from webui.mail.mailbox import Inbox
from webui.people import acting_as, actor, current_session, session_key

blueprint = Blueprint("mail", __name__)


def inbox_view(address: str) -> InboxView:
    """Return the inbox with this address.

    Raises:
        NotFound: there is none, or it is not the person's to open.
        PermissionDenied: its log-in is suspended; the text says whom to ask.
    """
    inbox = next((one for one in own_inboxes() if one.address == address.lower()), None)
    if inbox is None:
        raise NotFound(f"there is no inbox {address}")
    found = suspension.in_the_way(suspensions_of(inbox), Part.LOGIN)
    if found is not None:
        contact = context().settings.service.contact
        raise PermissionDenied(f"{inbox.address} is suspended ({found.reason}). Write to {contact}.")
    return inbox


def suspensions_of(inbox: InboxView) -> tuple[Suspension, ...]:
    """Return the suspensions in force of an inbox, its domain and its workspace, asked once a request."""
    known: dict[str, tuple[Suspension, ...]] = g.setdefault("suspensions", {})
    if inbox.address not in known:
        known[inbox.address] = suspension_service.suspensions_of(context().database, address=inbox.address)
    return known[inbox.address]


@contextmanager
def opened(inbox: InboxView) -> Iterator[Inbox]:
    """Lend the inbox's connection for the block; raises TemporaryFailure when the mail server is away.

    Who opens an inbox that is not their own is written down first: see `smailor.accounts.openings`.
    """
    _note(inbox)
    with context().post_office.inbox(session_key(), inbox.address) as connection:
        yield connection


def _note(inbox: InboxView) -> None:
    acting = acting_as()
    if acting is None and inbox.address == current_user.view.email:
        return
    openings.note(
        context().database,
        session_id=current_session().id,
        impersonation_id=acting.id if acting else 0,
        inbox=inbox.address,
        workspace=inbox.workspace,
        actor=actor(),
        reason=acting.reason if acting else "",
        now=context().clock(),
    )


def own_inboxes() -> tuple[InboxView, ...]:
    """Return the inboxes of the person who is logged in, asked once a request."""
    if "own_inboxes" not in g:
        g.own_inboxes = mailboxes.inboxes_of(context().database, user_id=int(current_user.get_id()))
    found: tuple[InboxView, ...] = g.own_inboxes
    return found


def find(folders: tuple[Folder, ...], name: str) -> Folder:
    """Return the folder with this name, as in a URL; a folder that is gone is an empty one of that name."""
    real = folder_rules.from_url(name)
    return next((folder for folder in folders if folder.name == real), Folder(real, folder_rules.Role.OTHER, real))


def frame(inbox: InboxView, folders: tuple[Folder, ...], current: Folder | None) -> dict[str, Any]:
    """Return what every mail page's template needs."""
    return {"inbox": inbox, "inboxes": own_inboxes(), "folders": folders, "current": current}
