"""Handing a workspace over to another owner, and leaving it."""

from flask import Response, flash, make_response, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.wrappers import Response as Redirect

from smailor.accounts import member_changes, members
from smailor.accounts.permissions import Permission, Role
from smailor.errors import Conflict, InvalidInput, NotFound
from smailor.mailboxes import departures
from webui.access import fresh, requires
from webui.context import context
from webui.texts import said, sentence
from webui.workspace.acting import by, post
from webui.workspace.forms import ConfirmForm, TransferForm
from webui.workspace.members import cut_off
from webui.workspace.views import blueprint


@blueprint.get("/w/<slug>/transfer")
@requires(Permission.TRANSFER_OWNERSHIP)
@fresh
def ask_to_transfer(slug: str) -> Response:
    """Ask who is to become an owner."""
    return _page(slug, TransferForm(formdata=None, data={"become": Role.ADMIN.value}))


@blueprint.post("/w/<slug>/transfer")
@requires(Permission.TRANSFER_OWNERSHIP)
@fresh
def transfer(slug: str) -> Response | Redirect:
    """Make a member an owner."""
    form, database = TransferForm(), context().database
    if form.validate_on_submit():
        try:
            found = members.member_by_email(database, workspace=slug, email=form.member.data)
            taken = member_changes.transfer(
                database,
                workspace=slug,
                member_id=found.id,
                become=members.read_role(form.become.data or ""),
                by=by(),
                post=post(),
                now=context().clock(),
            )
        except NotFound:
            form.member.errors = [_("No member of this workspace has that address. Invite them first.")]
        except InvalidInput as error:
            (form.become if error.field == "role" else form.member).errors = [sentence(error)]
        else:
            flash(_("%(name)s owns this workspace now.", name=taken.user.name), "done")
            return redirect(url_for("workspace.show", slug=slug))
    return _page(slug, form, code=422)


@blueprint.get("/w/<slug>/leave")
@requires(Permission.LEAVE_WORKSPACE)
def ask_to_leave(slug: str) -> str:
    """Ask whether the member wants to go, and say what that means."""
    return render_template("workspace/leave.html", slug=slug, form=ConfirmForm(formdata=None))


@blueprint.post("/w/<slug>/leave")
@requires(Permission.LEAVE_WORKSPACE)
def leave(slug: str) -> Redirect:
    """Leave the workspace and its inboxes."""
    try:
        gone = departures.leave(
            context().database,
            workspace=slug,
            user_id=int(current_user.get_id()),
            by=by(),
            post=post(),
            now=context().clock(),
        )
    except Conflict as error:
        flash(sentence(error), "problem")
        return redirect(url_for("workspace.ask_to_leave", slug=slug))
    cut_off(gone)
    flash(_("You have left the workspace."), "done")
    return redirect(url_for("home.index"))


def _page(slug: str, form: TransferForm, *, code: int = 200) -> Response:
    form.become.choices = [(role.value, said(role)) for role in Role]
    return make_response(render_template("workspace/transfer.html", slug=slug, form=form), code)
