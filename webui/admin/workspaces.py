"""The console's list of workspaces, and one of them with its people and domains."""

from flask import Response, flash, make_response, redirect, render_template, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Redirect

from smailor.accounts import directory, members, workspaces
from smailor.domains import service as domains
from smailor.errors import InvalidInput
from smailor.sending import person_suspension
from smailor.sending.subject import Scope, Subject
from webui.access import operators
from webui.admin.pages import ReasonForm, blueprint, open_for_a_while, opened, searched
from webui.context import context
from webui.people import actor
from webui.texts import sentence


@blueprint.get("/")
@operators
def index() -> str:
    """List workspaces, found by a part of their names."""
    database, wanted = context().database, searched()
    rows, more = directory.workspaces(database, search=wanted, after=searched("after"))
    subjects = {row.workspace.slug: Subject(Scope.WORKSPACE, row.workspace.slug) for row in rows}
    suspended = person_suspension.suspensions_among(database, subjects=subjects.values())
    return render_template(
        "admin/workspaces.html",
        rows=rows,
        more=more,
        wanted=wanted,
        domains=domains.count_domains(database, among=[row.workspace.id for row in rows]),
        suspended={slug: suspended.get(subject) for slug, subject in subjects.items()},
    )


@blueprint.get("/workspaces/<slug>")
@operators
def workspace(slug: str) -> Response:
    """Show a workspace, once the reason for it is given."""
    return _page(slug, ReasonForm(formdata=None))


@blueprint.post("/workspaces/<slug>")
@operators
def open_workspace(slug: str) -> Response | Redirect:
    """Take the reason, write it down, and show the workspace."""
    form = ReasonForm()
    if form.validate_on_submit():
        try:
            directory.open_workspace(
                context().database, slug=slug, actor=actor(), reason=form.reason.data, now=context().clock()
            )
        except InvalidInput as error:
            form.reason.errors = [sentence(error)]
        else:
            open_for_a_while(f"workspace:{slug}")
            flash(_("Written down: this workspace's owners see that you looked, and why."), "info")
            return redirect(url_for("admin.workspace", slug=slug))
    return _page(slug, form, code=422)


def _page(slug: str, form: ReasonForm, *, code: int = 200) -> Response:
    database = context().database
    found = workspaces.workspace(database, slug=slug)
    subject = Subject(Scope.WORKSPACE, found.slug)
    suspended = person_suspension.suspensions_among(database, subjects=[subject]).get(subject)
    values = {"workspace": found, "form": form, "suspended": suspended, "members": None, "domains": ()}
    if opened(f"workspace:{found.slug}"):
        values["members"] = members.list_members(database, workspace=found.slug)[:200]
        values["domains"] = domains.list_domains(database, workspace=found.slug)[:200]
    return make_response(render_template("admin/workspace.html", **values), code)
