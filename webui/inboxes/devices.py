"""The devices of an inbox: its app passwords, and how a mail program is set up. For the inbox's readers only."""

from flask import Response, flash, make_response, redirect, render_template, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Redirect

from smailor.accounts import app_passwords
from smailor.accounts.app_passwords import NewAppPassword
from smailor.errors import InvalidInput, NotFound
from smailor.mailboxes.dovecot import end_connections
from smailor.mailboxes.service import InboxView
from webui.access import signed_in
from webui.context import context
from webui.inboxes.forms import AppPasswordForm
from webui.inboxes.views import blueprint
from webui.mail.connection import endpoint
from webui.mail.gate import inbox_view, own_inboxes
from webui.people import actor
from webui.texts import said


@blueprint.get("/settings/<address>/devices")
@signed_in
def devices(address: str) -> Response:
    """List an inbox's app passwords."""
    return _page(inbox_view(address), AppPasswordForm(formdata=None))


@blueprint.post("/settings/<address>/devices")
@signed_in
def create_app_password(address: str) -> Response:
    """Draw an app password and show it, this once."""
    inbox = inbox_view(address)
    form = AppPasswordForm()
    if not form.validate_on_submit():
        return _page(inbox, form, code=422)
    try:
        new = app_passwords.create_app_password(
            context().database,
            login=inbox.address,
            label=form.label.data,
            service=app_passwords.ANY_SERVICE,
            expires_at=None,
            workspace=inbox.workspace,
            actor=actor(),
            now=context().clock(),
        )
    except InvalidInput as error:
        form.label.errors = [_("The name %(problem)s.", problem=said(error))]
        return _page(inbox, form, code=422)
    return _page(inbox, AppPasswordForm(formdata=None), new=new)


@blueprint.post("/settings/<address>/devices/<int:number>/revoke")
@signed_in
def revoke_app_password(address: str, number: int) -> Redirect:
    """Revoke an app password: the device that uses it is out at its next log-in."""
    inbox = inbox_view(address)
    try:
        app_passwords.revoke_app_password(
            context().database,
            login=inbox.address,
            password_id=number,
            workspace=inbox.workspace,
            actor=actor(),
            now=context().clock(),
        )
        # A device that is connected now stays so until its connection ends: end it.
        end_connections(context().settings.dovecot, login=inbox.address)
        flash(_("Revoked. That device can no longer log in."), "done")
    except NotFound:
        flash(_("That app password was gone already."), "info")
    return redirect(url_for("inboxes.devices", address=inbox.address))


def _page(inbox: InboxView, form: AppPasswordForm, *, new: NewAppPassword | None = None, code: int = 200) -> Response:
    web = context().settings.web
    body = render_template(
        "inboxes/devices.html",
        inbox=inbox,
        inboxes=own_inboxes(),
        form=form,
        new=new,
        passwords=app_passwords.list_app_passwords(context().database, login=inbox.address),
        server=web.mail_hostname or context().settings.service.hostname,
        imap_port=endpoint(web.imap)[1],
        submission_port=endpoint(web.submission)[1],
    )
    return make_response(body, code)
