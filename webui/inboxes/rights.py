"""One inbox's page for those who manage the workspace: as whom it may send beside itself."""

from typing import Any

from flask import Response, abort, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Redirect

from smailor.accounts.permissions import Permission
from smailor.domains import service as domains
from smailor.errors import Conflict, InvalidInput, NotFound
from smailor.mailboxes import sender_rights
from smailor.mailboxes import service as mailboxes
from smailor.mailboxes.service import InboxView
from webui.access import demand, may, requires
from webui.context import context
from webui.inboxes.forms import SenderForm
from webui.inboxes.views import blueprint
from webui.people import actor
from webui.texts import sentence


@blueprint.get("/w/<slug>/inboxes/<address>")
@requires(Permission.VIEW_INBOXES)
def show(slug: str, address: str) -> Response:
    """Show an inbox and its rights."""
    return _page(slug, _inbox(slug, address), SenderForm(formdata=None))


@blueprint.post("/w/<slug>/inboxes/<address>/senders")
@requires(Permission.MANAGE_INBOXES)
def allow(slug: str, address: str) -> Response | Redirect:
    """Let the inbox send as another one, or as any address of a domain."""
    inbox = _inbox(slug, address)
    form = SenderForm()
    if form.validate_on_submit():
        demand(Permission.MANAGE_INBOXES, form.sender.data.rpartition("@")[2])
        try:
            right = sender_rights.allow(
                context().database,
                workspace=slug,
                login=inbox.address,
                sender=form.sender.data,
                actor=actor(),
                now=context().clock(),
            )
        except (InvalidInput, Conflict, NotFound) as error:
            form.sender.errors = [sentence(error)]
        else:
            flash(_("%(login)s may now send as %(sender)s.", login=right.login, sender=_spoken(right.sender)), "done")
            return redirect(url_for("inboxes.show", slug=slug, address=inbox.address))
    return _page(slug, inbox, form, code=422)


@blueprint.post("/w/<slug>/inboxes/<address>/senders/remove")
@requires(Permission.MANAGE_INBOXES)
def disallow(slug: str, address: str) -> Redirect:
    """Take such a right away; the next message is refused."""
    inbox = _inbox(slug, address)
    sender = request.form.get("sender", "")
    try:
        sender_rights.disallow(
            context().database,
            workspace=slug,
            login=inbox.address,
            sender=sender,
            actor=actor(),
            now=context().clock(),
        )
        text = _("%(login)s can no longer send as %(sender)s.", login=inbox.address, sender=_spoken(sender))
        flash(text, "done")
    except (InvalidInput, NotFound):
        flash(_("That right was gone already."), "info")
    return redirect(url_for("inboxes.show", slug=slug, address=inbox.address))


def _inbox(slug: str, address: str) -> InboxView:
    try:
        return mailboxes.inbox(context().database, workspace=slug, address=address)
    except InvalidInput:
        abort(404)


def _spoken(sender: str) -> str:
    return str(_("any address %(domain)s", domain=sender)) if sender.startswith("@") else sender


def _page(slug: str, inbox: InboxView, form: SenderForm, *, code: int = 200) -> Response:
    database = context().database
    rights = sender_rights.rights_of(database, inbox=inbox)
    among = domains.list_domains(database, workspace=slug)
    verified = {domain.name for domain in among if domain.verified_at}
    to_give = {name for name in verified if may(Permission.MANAGE_INBOXES, name)}
    others = mailboxes.list_inboxes(database, workspace=slug, among=among)
    taken = {inbox.address, *(right.sender for right in rights)}
    values: dict[str, Any] = {
        "slug": slug,
        "inbox": inbox,
        "form": form,
        "rights": rights,
        "verified": verified,
        "names": {other.address: other.name for other in others},
        "domain_choices": [f"@{name}" for name in sorted(to_give) if f"@{name}" not in taken],
        "inbox_choices": [
            other for other in others if other.address not in taken and other.address.rpartition("@")[2] in to_give
        ],
    }
    return make_response(render_template("inboxes/show.html", **values), code)
