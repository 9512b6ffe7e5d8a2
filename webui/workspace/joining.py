"""Accepting an invitation: by whoever is logged in with the address that was invited, or by a newcomer.

Opening the link changes nothing; mail programs and scanners open links, too. A newcomer is verified by the link, which
was sent to their address alone. Whether the address has an account is not told: a newcomer's form gets the same answer
where there is one already, and changes nothing of it.
"""

from flask import Response, flash, make_response, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.wrappers import Response as Redirect

from smailor.accounts import joining
from smailor.accounts.joining import Offer
from smailor.errors import InvalidInput, NotFound
from webui.access import memberships, public, signed_in
from webui.asked import asked
from webui.context import context
from webui.texts import sentence
from webui.workspace.acting import by, post
from webui.workspace.forms import ConfirmForm, JoinForm
from webui.workspace.views import blueprint


@blueprint.get("/invitations/<token>")
@public
def invitation(token: str) -> Response | Redirect:
    """Show what is offered. Who has accepted it already goes to their workspaces."""
    try:
        offer = joining.look(context().database, token=token, now=context().clock())
    except NotFound:
        return _gone()
    return _page(token, offer, JoinForm(formdata=None))


@blueprint.post("/invitations/<token>")
@signed_in
def accept_invitation(token: str) -> Response | Redirect:
    """Become a member."""
    try:
        slug = joining.accept(
            context().database,
            token=token,
            user_id=int(current_user.get_id()),
            by=by(),
            post=post(),
            now=context().clock(),
        )
    except NotFound:
        return _gone()
    flash(_("Welcome."), "done")
    return redirect(url_for("workspace.show", slug=slug))


@blueprint.post("/invitations/<token>/sign-up")
@public
def join(token: str) -> Response | Redirect:
    """Open an account by the invitation, and accept it; then log in. An account that is there stays as it is."""
    parts = context()
    try:
        offer = joining.look(parts.database, token=token, now=parts.clock())
    except NotFound:
        return _gone()
    form = JoinForm()
    if form.validate_on_submit():
        try:
            joining.join(
                parts.database,
                parts.desk,
                token=token,
                name=form.name.data,
                password=form.password.data,
                asked=asked(),
            )
        except NotFound:
            return _gone()
        except InvalidInput as error:
            (form.name if error.field == "name" else form.password).errors = [sentence(error)]
        else:
            flash(_("Log in with your address and password, and you are in."), "done")
            return redirect(url_for("auth.login", next=url_for("workspace.invitation", token=token)))
    return _page(token, offer, form, code=422)


def _page(token: str, offer: Offer, form: JoinForm, *, code: int = 200) -> Response:
    fits = current_user.is_authenticated and current_user.view.email == offer.email
    values = {"token": token, "offer": offer, "form": form, "confirm": ConfirmForm(formdata=None), "fits": fits}
    return make_response(render_template("workspace/invitation.html", **values), code)


def _gone() -> Response | Redirect:
    """The link was used, withdrawn, is over or never was: one answer for all. A newcomer comes by here once more."""
    if current_user.is_authenticated and memberships():
        flash(_("That link does not work (any more)."), "info")
        return redirect(url_for("home.index"))
    return make_response(render_template("workspace/invitation_gone.html"), 404)
