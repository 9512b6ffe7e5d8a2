"""What one inbox may send, for its readers: limits and use, and the confirmation that unusual sending was meant."""

from flask import flash, redirect, render_template, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Redirect

from smailor.errors import NotFound
from smailor.sending import limit_service, pause_service, plans, suspension
from smailor.sending.subject import Scope, Subject
from smailor.sending.suspension import Part
from webui import people
from webui.access import signed_in
from webui.context import context
from webui.mail.gate import inbox_view, own_inboxes, suspensions_of
from webui.sending.views import blueprint


@blueprint.get("/settings/<address>/sending")
@signed_in
def own(address: str) -> str:
    """Show an inbox's limits, and what is in the way."""
    inbox, parts = inbox_view(address), context()
    return render_template(
        "sending/own.html",
        inbox=inbox,
        inboxes=own_inboxes(),
        contact=parts.settings.service.contact,
        limits=limit_service.show_limits(
            parts.database,
            subject=Subject(Scope.ACCOUNT, inbox.address),
            plans=plans.plans_of(parts.settings),
            now=parts.clock(),
        ),
        pause=pause_service.pause_of(parts.database, account=inbox.address),
        suspension=suspension.in_the_way(suspensions_of(inbox), Part.SENDING),
    )


@blueprint.post("/settings/<address>/sending/confirm")
@signed_in
def confirm(address: str) -> Redirect:
    """Let a paused inbox go on: whoever reads it says that it was meant."""
    inbox = inbox_view(address)
    try:
        pause_service.confirm(context().database, account=inbox.address, actor=people.actor(), now=context().clock())
        flash(_("Thank you. You can send again."), "done")
    except NotFound:
        flash(_("Sending is not paused."), "info")
    return redirect(url_for("sending.own", address=inbox.address))
