"""A further workspace, for who is logged in: where everybody may sign up, and for who runs the service."""

from flask import Response, abort, flash, make_response, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.wrappers import Response as Redirect

from smailor.accounts import workspaces
from smailor.errors import Conflict, InvalidInput
from webui.access import signed_in
from webui.context import context
from webui.people import actor
from webui.texts import sentence
from webui.workspace.forms import NewForm
from webui.workspace.views import blueprint

_FIELDS = {"workspace": "slug"}


@blueprint.get("/workspaces/new")
@signed_in
def new_workspace() -> Response:
    """Ask what the workspace is to be called."""
    _open_to_all()
    return _page(NewForm(formdata=None))


@blueprint.post("/workspaces/new")
@signed_in
def create_workspace() -> Response | Redirect:
    """Create a workspace and own it."""
    _open_to_all()
    form = NewForm()
    if form.validate_on_submit():
        try:
            made = workspaces.create_workspace(
                context().database,
                slug=form.slug.data.strip().lower(),
                name=form.name.data,
                owner=int(current_user.get_id()),
                actor=actor(),
                now=context().clock(),
            )
        except InvalidInput as error:
            form[_FIELDS.get(error.field, error.field)].errors = [sentence(error)]
        except Conflict as error:
            form.slug.errors = [sentence(error)]
        else:
            flash(_("%(name)s is ready. Add a domain to begin.", name=made.name), "done")
            return redirect(url_for("domains.index", slug=made.slug))
    return _page(form, code=422)


def may_create() -> bool:
    """Tell whether who is logged in may open a further workspace."""
    return bool(current_user.view.operator or context().settings.login.signup)


def _open_to_all() -> None:
    if not may_create():
        abort(404)


def _page(form: NewForm, *, code: int = 200) -> Response:
    return make_response(render_template("workspace/new.html", form=form), code)
