"""Pages that read mail: a folder, a message, its HTML, its attachments, its source."""

from io import BytesIO

from flask import Response, abort, make_response, render_template, request, send_file
from flask_babel import gettext as _
from markupsafe import Markup

from smailor.errors import TemporaryFailure
from webui import errors
from webui.access import signed_in
from webui.headers import FILE_POLICY, MAIL_POLICY
from webui.mail import filename, plain
from webui.mail import folders as folder_rules
from webui.mail import message as messages
from webui.mail.folders import Role
from webui.mail.gate import blueprint, find, frame, inbox_view, opened
from webui.mail.sanitise import remote_pictures, sanitise_html
from webui.texts import sentence

MAX_SEARCH = 200


@blueprint.get("/mail/<address>/<folder>/")
@signed_in
def folder(address: str, folder: str) -> Response | str:
    """List a folder; with `X-Fragment` the list alone, or 304 when it would look the same."""
    inbox = inbox_view(address)
    search, number = _search(), _number()
    try:
        with opened(inbox) as connection:
            state = f'"{connection.state(folder_rules.from_url(folder))}"'
            if _fragment() and request.headers.get("If-None-Match") == state:
                return make_response("", 304)
            folders = connection.folders()
            current = find(folders, folder)
            page = connection.page(current.name, number=number, search=search, sent=_sent(current.role))
    except TemporaryFailure as error:
        return _away(error)
    template = "mail/list.html" if _fragment() else "mail/folder.html"
    selected = request.args.get("selected", 0, type=int)
    response = make_response(
        render_template(template, **frame(inbox, folders, current), page=page, search=search, selected=selected)
    )
    response.headers["ETag"] = state
    return response


@blueprint.get("/mail/<address>/<folder>/<int:uid>")
@signed_in
def message(address: str, folder: str, uid: int) -> Response | str:
    """Show a message beside its folder's list, and mark it read."""
    inbox = inbox_view(address)
    search, number = _search(), _number()
    try:
        with opened(inbox) as connection:
            stored = connection.read(folder_rules.from_url(folder), uid, mark=True)
            folders = connection.folders()
            current = find(folders, folder)
            page = connection.page(current.name, number=number, search=search, sent=_sent(current.role))
    except TemporaryFailure as error:
        return _away(error)
    view = messages.view(stored.raw)
    as_text = view.html is None or "plain" in request.args
    text = view.text if view.text is not None or view.html is None else plain.from_html(_clean(view))
    position = next((place for place, row in enumerate(page.rows) if row.uid == uid), None)
    return render_template(
        "mail/message.html",
        **frame(inbox, folders, current),
        page=page,
        search=search,
        selected=uid,
        uid=uid,
        stored=stored,
        message=view,
        text=plain.to_html(text or "") if as_text else None,
        has_html=view.html is not None,
        remote_pictures=not as_text and remote_pictures(view.html or ""),
        newer=page.rows[position - 1].uid if position else None,
        older=page.rows[position + 1].uid if position is not None and position + 1 < len(page.rows) else None,
    )


@blueprint.get("/mail/<address>/<folder>/<int:uid>/body")
@signed_in
def body(address: str, folder: str, uid: int) -> Response:
    """Show a message's HTML, made harmless, for the frame of its page."""
    view = messages.view(_raw(address, folder, uid))
    response = make_response(render_template("mail/body.html", html=Markup(_clean(view))))  # noqa: S704 - sanitised
    response.headers["Content-Security-Policy"] = MAIL_POLICY
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response


@blueprint.get("/mail/<address>/<folder>/<int:uid>/attachments/<int:index>")
@signed_in
def attachment(address: str, folder: str, uid: int, index: int) -> Response:
    """Send an attachment, always to be saved and never to be shown."""
    content = messages.content(_raw(address, folder, uid), index)
    if content is None:
        abort(404)
    return _download(content.data, content.name)


@blueprint.get("/mail/<address>/<folder>/<int:uid>/source")
@signed_in
def source(address: str, folder: str, uid: int) -> Response:
    """Send a message as it came."""
    raw = _raw(address, folder, uid)
    subject = messages.view(raw).subject
    return _download(raw, filename.safe(f"{subject[:80] or 'message'}.eml", fallback="message.eml"))


def _raw(address: str, folder: str, uid: int) -> bytes:
    with opened(inbox_view(address)) as connection:
        return connection.read(folder_rules.from_url(folder), uid).raw


def _clean(view: messages.MessageView) -> str:
    return sanitise_html(view.html or "", images="block", inline=view.pictures)


def _download(data: bytes, name: str) -> Response:
    response = send_file(BytesIO(data), mimetype="application/octet-stream")
    response.headers["Content-Disposition"] = filename.disposition(name)
    response.headers["Content-Security-Policy"] = FILE_POLICY
    return response


def _away(error: TemporaryFailure) -> Response:
    if _fragment():
        return make_response("", 503)
    return errors.page(503, detail=f"{sentence(error)} {_('Your mail is safe; nothing is lost.')}")


def _fragment() -> bool:
    return request.headers.get("X-Fragment") == "list"


def _sent(role: Role) -> bool:
    return role in {Role.SENT, Role.DRAFTS}


def _search() -> str:
    return "".join(sign for sign in request.args.get("q", "") if sign.isprintable()).strip()[:MAX_SEARCH]


def _number() -> int:
    return max(1, min(request.args.get("page", 1, type=int), 1_000_000))
