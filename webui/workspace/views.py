"""A workspace's first page: what it is called, how it sends, what one is in it."""

from flask import Blueprint, Response, flash, make_response, redirect, render_template, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Redirect

from smailor.accounts import workspaces
from smailor.accounts.permissions import Permission
from smailor.errors import InvalidInput
from webui.access import requires
from webui.context import context
from webui.people import actor
from webui.texts import sentence
from webui.workspace.forms import NameForm, PrivacyForm

blueprint = Blueprint("workspace", __name__)


@blueprint.get("/w/<slug>/")
@requires(Permission.VIEW_WORKSPACE)
def show(slug: str) -> Response:
    """Show the workspace, and to whom may change it the forms for that."""
    return _page(slug)


@blueprint.post("/w/<slug>/name")
@requires(Permission.MANAGE_WORKSPACE)
def rename(slug: str) -> Response | Redirect:
    """Give the workspace another name."""
    form = NameForm()
    if not form.validate_on_submit():
        return _page(slug, form, code=422)
    try:
        workspaces.rename(context().database, workspace=slug, name=form.name.data, actor=actor(), now=context().clock())
    except InvalidInput as error:
        form.name.errors = [sentence(error)]
        return _page(slug, form, code=422)
    flash(_("Saved."), "done")
    return redirect(url_for("workspace.show", slug=slug))


@blueprint.post("/w/<slug>/sender-privacy")
@requires(Permission.MANAGE_WORKSPACE)
def set_sender_privacy(slug: str) -> Redirect:
    """Say whether what its people send hides from where."""
    workspaces.set_sender_privacy(
        context().database, workspace=slug, on=bool(PrivacyForm().on.data), actor=actor(), now=context().clock()
    )
    flash(_("Saved. It holds for messages in two seconds."), "done")
    return redirect(url_for("workspace.show", slug=slug))


def _page(slug: str, form: NameForm | None = None, *, code: int = 200) -> Response:
    found = workspaces.workspace(context().database, slug=slug)
    form = form or NameForm(formdata=None, data={"name": found.name})
    privacy = PrivacyForm(formdata=None, data={"on": found.sender_privacy})
    body = render_template("workspace/show.html", slug=slug, workspace=found, form=form, privacy=privacy)
    return make_response(body, code)
