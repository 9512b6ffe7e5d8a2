"""What a person does with messages in a list or on a page: mark, move, delete. POST only."""

from dataclasses import dataclass
from typing import Any

from flask import abort, flash, redirect, request, url_for
from werkzeug.wrappers import Response

from smailor.errors import Conflict, NotFound, TemporaryFailure
from webui.access import signed_in
from webui.mail import folders as folder_rules
from webui.mail.folders import Role
from webui.mail.gate import blueprint, inbox_view, opened
from webui.mail.mailbox import Inbox

MAX_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class _Mark:
    flag: bytes
    on: bool
    said: str


_MARKS = {
    "read": _Mark(b"\\Seen", True, "marked as read"),
    "unread": _Mark(b"\\Seen", False, "marked as unread"),
    "flag": _Mark(b"\\Flagged", True, "starred"),
    "unflag": _Mark(b"\\Flagged", False, "no longer starred"),
}
_MOVES = {
    "archive": (Role.ARCHIVE, "archived"),
    "junk": (Role.JUNK, "moved to Junk"),
    "trash": (Role.TRASH, "moved to Trash"),
    "inbox": (Role.INBOX, "moved to the inbox"),
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
        flash("Choose a message first.", "info")
    else:
        try:
            with opened(inbox) as connection:
                said = _do(connection, folder_rules.from_url(folder), uids, action)
            flash(f"{'Message' if len(uids) == 1 else f'{len(uids)} messages'} {said}.", "done")
        except (Conflict, NotFound, TemporaryFailure) as error:
            flash(f"That was not done: {error}.", "problem")
    back: dict[str, Any] = {key: request.args[key] for key in ("page", "q") if request.args.get(key)}
    if action in {"flag", "unflag", "read"} and request.form.get("stay") and len(uids) == 1:
        return redirect(url_for("mail.message", address=inbox.address, folder=folder, uid=uids[0], **back))
    return redirect(url_for("mail.folder", address=inbox.address, folder=folder, **back))


def _do(connection: Inbox, folder: str, uids: list[int], action: str) -> str:
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
    return "deleted for good"
