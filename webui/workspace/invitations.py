"""Inviting: the form, sending a letter again, taking an invitation back. Accepting one is joining.py."""

from flask import Response, flash, make_response, redirect, render_template, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Redirect

from smailor.accounts import invitations, members
from smailor.accounts.permissions import Permission, Role
from smailor.errors import Conflict, InvalidInput, PermissionDenied
from webui.access import requires
from webui.context import context
from webui.texts import sentence
from webui.workspace.acting import by, post
from webui.workspace.forms import InvitationForm
from webui.workspace.members import domain_choices, known_domains, put, role_choices
from webui.workspace.views import blueprint

_FIELDS = {"address": "email", "domain": "email"}


@blueprint.get("/w/<slug>/invitations/new")
@requires(Permission.MANAGE_MEMBERS)
def new_invitation(slug: str) -> Response:
    """Ask whom to invite as what."""
    return _page(slug, InvitationForm(formdata=None, data={"role": Role.MEMBER.value}))


@blueprint.post("/w/<slug>/invitations/new")
@requires(Permission.MANAGE_MEMBERS)
def invite(slug: str) -> Response | Redirect:
    """Invite somebody. The answer is the same whether they have an account or not."""
    form = InvitationForm()
    if form.validate_on_submit():
        try:
            made = invitations.invite(
                context().database,
                workspace=slug,
                email=form.email.data,
                role=members.read_role(form.role.data or ""),
                domains=known_domains(slug, form.domains.data or []),
                by=by(),
                post=post(),
                now=context().clock(),
            )
        except InvalidInput as error:
            put(form, InvalidInput(_FIELDS.get(error.field, error.field), error.message))
        except (Conflict, PermissionDenied) as error:
            put(form, error)
        else:
            flash(_("%(address)s gets a letter with a link that works for seven days.", address=made.email), "done")
            return redirect(url_for("workspace.members", slug=slug))
    return _page(slug, form, code=422)


@blueprint.post("/w/<slug>/invitations/<int:invitation_id>/resend")
@requires(Permission.MANAGE_MEMBERS)
def resend_invitation(slug: str, invitation_id: int) -> Redirect:
    """Send the letter once more, with another link; the old one is dead."""
    parts = context()
    try:
        sent = invitations.resend(
            parts.database, workspace=slug, invitation_id=invitation_id, by=by(), post=post(), now=parts.clock()
        )
        flash(_("%(address)s gets another letter. The link in the old one is dead.", address=sent.email), "done")
    except Conflict as error:
        flash(sentence(error), "info")
    except (InvalidInput, PermissionDenied) as error:
        flash(sentence(error), "problem")
    return redirect(url_for("workspace.members", slug=slug))


@blueprint.post("/w/<slug>/invitations/<int:invitation_id>/withdraw")
@requires(Permission.MANAGE_MEMBERS)
def withdraw_invitation(slug: str, invitation_id: int) -> Redirect:
    """Take an invitation back: its link is dead."""
    parts = context()
    try:
        gone = invitations.withdraw(
            parts.database, workspace=slug, invitation_id=invitation_id, by=by(), now=parts.clock()
        )
        flash(_("The invitation of %(address)s is withdrawn.", address=gone.email), "done")
    except Conflict as error:
        flash(sentence(error), "info")
    except PermissionDenied as error:
        flash(sentence(error), "problem")
    return redirect(url_for("workspace.members", slug=slug))


def _page(slug: str, form: InvitationForm, *, code: int = 200) -> Response:
    form.role.choices = role_choices()
    form.domains.choices = domain_choices(slug)
    return make_response(render_template("workspace/invite.html", slug=slug, form=form), code)
