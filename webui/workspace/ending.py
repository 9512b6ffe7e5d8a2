"""A workspace that is to go: asked for by an owner who has just shown who they are, and withdrawn."""

from flask import Response, flash, g, make_response, redirect, render_template, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Redirect

from smailor.accounts import deletion
from smailor.accounts.permissions import Permission
from smailor.errors import Conflict
from webui.access import fresh, requires
from webui.context import context
from webui.texts import sentence
from webui.workspace.acting import by, post
from webui.workspace.forms import DeletionForm
from webui.workspace.views import blueprint


@blueprint.get("/w/<slug>/delete")
@requires(Permission.DELETE_WORKSPACE)
@fresh
def ask_to_delete(slug: str) -> Response:
    """Say what goes, and ask for the workspace's name."""
    return _page(slug, DeletionForm(formdata=None))


@blueprint.post("/w/<slug>/delete")
@requires(Permission.DELETE_WORKSPACE)
@fresh
def delete(slug: str) -> Response | Redirect:
    """Begin the grace period."""
    form = DeletionForm()
    if form.validate_on_submit():
        if " ".join(form.name.data.split()) != g.membership.workspace.name:
            form.name.errors = [_("That is not the workspace's name.")]
            return _page(slug, form, code=422)
        link = f"{context().settings.web.public_url.rstrip('/')}{url_for('workspace.show', slug=slug)}"
        try:
            deletion.ask(context().database, workspace=slug, by=by(), post=post(), link=link, now=context().clock())
        except Conflict as error:
            flash(sentence(error), "info")
        else:
            flash(_("All owners get a letter. Until the day comes, each of them can withdraw it here."), "done")
        return redirect(url_for("workspace.show", slug=slug))
    return _page(slug, form, code=422)


@blueprint.post("/w/<slug>/keep")
@requires(Permission.DELETE_WORKSPACE)
def keep(slug: str) -> Redirect:
    """Withdraw the deletion."""
    try:
        deletion.withdraw(context().database, workspace=slug, by=by(), post=post(), now=context().clock())
        flash(_("The workspace stays."), "done")
    except Conflict:
        flash(_("Nobody has asked for its deletion."), "info")
    return redirect(url_for("workspace.show", slug=slug))


def _page(slug: str, form: DeletionForm, *, code: int = 200) -> Response:
    values = {"slug": slug, "form": form, "workspace": g.membership.workspace, "days": deletion.GRACE.days}
    return make_response(render_template("workspace/delete.html", **values), code)
