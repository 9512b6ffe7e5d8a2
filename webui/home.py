"""The front door: where a person goes first, and whether the application is alive."""

from flask import Blueprint, redirect, render_template, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from smailor.mailboxes import service as mailboxes
from webui import navigation
from webui.access import memberships, public, signed_in
from webui.context import context

blueprint = Blueprint("home", __name__)


@blueprint.get("/")
@signed_in
def index() -> Response | str:
    """Go to the person's mail, else to a workspace of theirs."""
    inboxes = mailboxes.inboxes_of(context().database, user_id=int(current_user.get_id()))
    if inboxes:
        own = next((inbox for inbox in inboxes if inbox.address == current_user.view.email), inboxes[0])
        return redirect(url_for("mail.folder", address=own.address, folder="INBOX"))
    for membership in memberships():
        if url := navigation.workspace_url(membership):
            return redirect(url)
    return render_template("welcome.html")


@blueprint.get("/health")
@public
def health() -> Response:
    """Say that the application runs and reaches its database: 200, else 503."""
    context().database.check()
    return Response("ok\n", mimetype="text/plain")
