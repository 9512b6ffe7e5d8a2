"""What a person does with messages in a list or on a page: mark, move, delete. POST only."""

from dataclasses import dataclass
from typing import Any

from flask import abort, flash, redirect, request, url_for
from flask_babel import LazyString, ngettext
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from werkzeug.wrappers import Response

from smailor.errors import Conflict, NotFound, TemporaryFailure
from webui.access import signed_in
from webui.mail import folders as folder_rules
from webui.mail.folders import Role
from webui.mail.gate import blueprint, inbox_view, opened
from webui.mail.mailbox import Inbox
from webui.texts import said

MAX_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class _Mark:
    flag: bytes
    on: bool
    said: LazyString


_MARKS = {
    "read": _Mark(b"\\Seen", True, _l("marked as read")),
    "unread": _Mark(b"\\Seen", False, _l("marked as unread")),
    "flag": _Mark(b"\\Flagged", True, _l("starred")),
    "unflag": _Mark(b"\\Flagged", False, _l("no longer starred")),
}
_MOVES = {
    "archive": (Role.ARCHIVE, _l("archived")),
    "junk": (Role.JUNK, _l("moved to Junk")),
    "trash": (Role.TRASH, _l("moved to Trash")),
    "inbox": (Role.INBOX, _l("moved to the inbox")),
}


@blueprint.post("/mail/<address>/<folder>/")
@signed_in
def act(address: str, folder: str) -> Response:
    """Do one thing with the chosen messages, and go back to the list."""
    inbox = inbox_view(address)
    action = request.form.get("action", "")
    uids = sorted(set(request.form.getlist("uid", type=int)))[:MAX_AT_ONCE]
    if action not in {*_MARKS, *_MOVES, "delete"}:
        abort(400)
    if not uids:
        flash(_("Choose a message first."), "info")
    else:
        try:
            with opened(inbox) as connection:
                done = _do(connection, folder_rules.from_url(folder), uids, action)
            flash(ngettext("One message: %(what)s.", "%(num)s messages: %(what)s.", len(uids), what=done), "done")
        except (Conflict, NotFound, TemporaryFailure) as error:
            flash(_("That was not done: %(problem)s.", problem=said(error)), "problem")
    back: dict[str, Any] = {key: request.args[key] for key in ("page", "q") if request.args.get(key)}
    if action in {"flag", "unflag", "read"} and request.form.get("stay") and len(uids) == 1:
        return redirect(url_for("mail.message", address=inbox.address, folder=folder, uid=uids[0], **back))
    return redirect(url_for("mail.folder", address=inbox.address, folder=folder, **back))


def _do(connection: Inbox, folder: str, uids: list[int], action: str) -> LazyString:
    validity = request.form.get("validity", 0, type=int)
    if action in _MARKS:
        mark = _MARKS[action]
        connection.flag(folder, uids, validity=validity, flag=mark.flag, on=mark.on)
        return mark.said
    if action in _MOVES:
        role, said = _MOVES[action]
        connection.move(folder, uids, validity=validity, to=role)
        return said
    connection.delete(folder, uids, validity=validity)
    return _l("deleted for good")
