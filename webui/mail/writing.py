"""Pages that write mail: new, reply, forward, draft; send. Whatever goes wrong, the text stays on the page."""

from typing import Any

from flask import Response, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Redirect

from smailor.errors import InvalidInput, NotFound, SmailorError, TemporaryFailure
from smailor.mailboxes import sender_rights
from smailor.mailboxes.sender_rights import Sender
from smailor.mailboxes.service import InboxView
from webui.access import signed_in
from webui.context import context
from webui.mail import answering, composing, plain
from webui.mail import folders as folder_rules
from webui.mail import message as messages
from webui.mail.composing import Draft, Upload
from webui.mail.folders import Folder, Role
from webui.mail.gate import blueprint, frame, inbox_view, opened
from webui.mail.header import message_ids
from webui.mail.sanitise import sanitise_html
from webui.mail.submission import Accepted, Refused, Result
from webui.texts import said

_FIELDS = ("to", "cc", "bcc", "subject", "text", "in_reply_to", "key")


@blueprint.get("/compose/<address>")
@signed_in
def compose(address: str) -> Response:
    """Open the composer, empty or begun: `?reply=UID`, `?reply_all=UID`, `?forward=UID`, `?draft=UID` of `?folder=`."""
    inbox = inbox_view(address)
    senders = _senders(inbox)
    draft = Draft(sender=senders[0].address, to=request.args.get("to", "")[:2000], key=composing.new_key())
    try:
        begun = _begun(inbox, senders)
    except TemporaryFailure as error:
        text = _("The message to answer could not be loaded: %(problem)s.", problem=said(error))
        return _page(inbox, draft, senders, problems=(text,), code=503)
    return _page(inbox, begun or draft, senders)


@blueprint.post("/compose/<address>")
@signed_in
def send(address: str) -> Response | Redirect:
    """Send the message, or keep it as a draft."""
    inbox = inbox_view(address)
    senders = _senders(inbox)
    draft = _typed(senders)
    keep = "save" in request.form
    try:
        uploads = _uploads()
        outgoing = composing.compose(
            draft, sender_name=_name(draft, senders, inbox), uploads=uploads, now=context().clock()
        )
    except InvalidInput as error:
        if keep and error.field in {"to", "cc", "bcc"}:
            return _keep_draft(inbox, draft, senders)
        return _page(inbox, draft, senders, errors={error.field: said(error)}, code=422)
    if keep:
        return _keep_draft(inbox, draft, senders)
    result = _send_once(inbox, outgoing)
    if not isinstance(result, Accepted):
        return _page(inbox, draft, senders, problems=_why(result), code=422 if isinstance(result, Refused) else 503)
    _file_copy(inbox, outgoing)
    return _done()


def _send_once(inbox: InboxView, outgoing: composing.Outgoing) -> Result:
    """Send, unless this very composer has been sent before: a double click, a reloaded page."""
    try:
        with opened(inbox) as connection:
            if connection.has_message(Role.SENT, outgoing.message_id):
                return Accepted()
    except SmailorError:
        pass  # reading does not work now; sending may
    return context().post_office.send(outgoing, login=inbox.address)


def _file_copy(inbox: InboxView, outgoing: composing.Outgoing) -> None:
    try:
        with opened(inbox) as connection:
            if not connection.has_message(Role.SENT, outgoing.message_id):
                connection.append(Role.SENT, outgoing.message, now=context().clock(), flags=[b"\\Seen"])
            _settle(connection)
        flash(_("Sent."), "done")
    except SmailorError:
        text = _("Sent. The copy for your Sent folder could not be saved, because the mailbox did not answer.")
        flash(text, "problem")


def _settle(connection: Any) -> None:
    """Mark what was answered, and drop the draft that has become a message."""
    uid, folder = request.form.get("uid", 0, type=int), folder_rules.from_url(request.form.get("folder", ""))
    validity = request.form.get("validity", 0, type=int)
    if not uid or not folder:
        return
    try:
        if request.form.get("mode") == "draft":
            connection.delete(folder, [uid], validity=validity)
        elif request.form.get("mode") in {"reply", "reply_all"}:
            connection.flag(folder, [uid], validity=validity, flag=b"\\Answered", on=True)
    except SmailorError:
        pass  # the message is gone or the folder renumbered: a missing arrow is no reason to alarm anybody


def _keep_draft(inbox: InboxView, draft: Draft, senders: tuple[Sender, ...]) -> Response | Redirect:
    try:
        raw = composing.draft_message(draft, sender_name=_name(draft, senders, inbox), now=context().clock())
        with opened(inbox) as connection:
            connection.append(Role.DRAFTS, raw, now=context().clock(), flags=[b"\\Seen", b"\\Draft"])
            if request.form.get("mode") == "draft":
                _settle(connection)
    except SmailorError as error:
        text = _("The draft was not saved: %(problem)s.", problem=said(error))
        return _page(inbox, draft, senders, problems=(text,), code=503)
    flash(_("Draft saved."), "done")
    return _done()


def _begun(inbox: InboxView, senders: tuple[Sender, ...]) -> Draft | None:
    mode = next((mode for mode in ("reply", "reply_all", "forward", "draft") if mode in request.args), None)
    if mode is None:
        return None
    uid = request.args.get(mode, 0, type=int)
    with opened(inbox) as connection:
        stored = connection.read(folder_rules.from_url(request.args.get("folder", "INBOX")), uid)
    view = messages.view(stored.raw)
    text = view.text
    if text is None:
        text = plain.from_html(sanitise_html(view.html or "", images="block"))
    if mode == "draft":
        return answering.reopen(view, own=[sender.address for sender in senders], text=text)
    # Whom one may send as is not oneself: their addresses stay among the recipients, and are not taken by default.
    own = [sender.address for sender in senders if sender.own]
    if mode == "forward":
        return answering.forward(view, own=own, text=text)
    return answering.reply(view, own=own, everybody=mode == "reply_all", quote=answering.quoted(view, text))


def _typed(senders: tuple[Sender, ...]) -> Draft:
    values = {name: request.form.get(name, "") for name in _FIELDS}
    sender = request.form.get("sender", "")
    return Draft(
        sender=sender if any(sender == known.address for known in senders) else senders[0].address,
        references=message_ids(request.form.get("references", "")),
        **values,
    )


def _uploads() -> tuple[Upload, ...]:
    """Read the attached files; browsers send an empty one where none was chosen."""
    files = [file for file in request.files.getlist("attachments") if file.filename]
    return tuple(Upload(file.filename or "", file.mimetype, file.read()) for file in files)


def _senders(inbox: InboxView) -> tuple[Sender, ...]:
    """The addresses that this inbox may send as, its own first."""
    found = sender_rights.senders(context().database, login=inbox.address)
    return found or (Sender(inbox.address, inbox.name, own=True),)


def _name(draft: Draft, senders: tuple[Sender, ...], inbox: InboxView) -> str:
    """The name in From: the other inbox's where the message is sent as that one, else the inbox's own."""
    return next((sender.name for sender in senders if sender.address == draft.sender), "") or inbox.name


def _why(result: Result) -> tuple[str, ...]:
    if isinstance(result, Refused):
        head = _("The mail server did not take the message:")
        if result.temporary:
            head = _("The mail server did not take the message for now:")
        return (head, *result.reasons)
    if getattr(result, "uncertain", False):
        return (
            _("The connection broke while the message was handed over, so it may or may not have been sent."),
            _("Sending again is safe: it carries the same identity, and receivers show one copy."),
        )
    return (_("The mail server does not answer, so nothing was sent. Your text is here; try again in a moment."),)


def _done() -> Response | Redirect:
    """Back to where the person came from: the folder they were in, else the inbox.

    A script that sends the form by itself is told where to go, for it would follow a redirect unseen.
    """
    address = (request.view_args or {})["address"]
    target = url_for("mail.folder", address=address, folder=request.form.get("folder", "") or "INBOX")
    if request.headers.get("X-Fragment") == "composer":
        return Response(status=204, headers={"X-Location": target})
    return redirect(target)


def _page(
    inbox: InboxView,
    draft: Draft,
    senders: tuple[Sender, ...],
    *,
    errors: dict[str, str] | None = None,
    problems: tuple[str, ...] = (),
    code: int = 200,
) -> Response:
    """The composer. It is shown even when IMAP is away, without the folders' counts."""
    folders: tuple[Folder, ...] = ()
    mode = next((mode for mode in ("reply", "reply_all", "forward", "draft") if mode in request.args), "")
    validity = request.form.get("validity", 0, type=int)
    try:
        with opened(inbox) as connection:
            folders = connection.folders()
            if mode and not validity:
                name = folder_rules.from_url(request.args.get("folder", "INBOX"))
                validity = connection.validity(name)
    except (TemporaryFailure, NotFound):
        pass
    body = render_template(
        "mail/compose.html",
        **frame(inbox, folders, None),
        draft=draft,
        senders=senders,
        errors=errors or {},
        problems=problems,
        had_files=any(file.filename for file in request.files.getlist("attachments")),
        mode=request.form.get("mode", mode),
        uid=request.form.get("uid") or (request.args.get(mode) if mode else ""),
        folder=request.form.get("folder") or request.args.get("folder", ""),
        validity=validity,
    )
    return make_response(body, code)
