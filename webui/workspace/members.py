"""Member pages: the list, one member with their role and domains, taking one out."""

from typing import Any

from flask import Response, flash, g, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.wrappers import Response as Redirect

from smailor.accounts import invitations, member_changes
from smailor.accounts import members as people
from smailor.accounts.members import MemberView
from smailor.accounts.permissions import Permission, Role, may_give, roles_to_give
from smailor.domains import service as domains
from smailor.errors import Conflict, InvalidInput, PermissionDenied
from smailor.mailboxes import departures
from smailor.mailboxes.dovecot import end_connections
from webui.access import fresh, may, requires
from webui.context import context
from webui.texts import said, sentence
from webui.workspace.acting import by, post
from webui.workspace.forms import ConfirmForm, MemberForm
from webui.workspace.views import blueprint

PAGE = 50


@blueprint.get("/w/<slug>/members/")
@requires(Permission.VIEW_MEMBERS)
def members(slug: str) -> str:
    """List members, a page at a time, and to whom manages them the open invitations."""
    database = context().database
    search, after = request.args.get("search", "")[:320], request.args.get("after", "")[:320]
    found = people.page_members(database, workspace=slug, search=clean(search), after=clean(after), limit=PAGE + 1)
    may_manage = may(Permission.MANAGE_MEMBERS)
    now = context().clock()
    return render_template(
        "workspace/members.html",
        slug=slug,
        members=found[:PAGE],
        more=found[PAGE - 1].user.email if len(found) > PAGE else "",
        count=people.count_members(database, workspace=slug),
        search=search,
        after=after,
        invitations=invitations.list_open(database, workspace=slug, now=now) if may_manage and not after else (),
        may_change=may_change,
        now=now,
    )


@blueprint.get("/w/<slug>/members/<int:member_id>")
@requires(Permission.VIEW_MEMBERS)
def member(slug: str, member_id: int) -> Response:
    """Show one member, and to whom may change them the form for that."""
    found = people.member(context().database, workspace=slug, member_id=member_id)
    return _page(slug, found, MemberForm(formdata=None, data={"role": found.role.value, "domains": found.domains}))


@blueprint.post("/w/<slug>/members/<int:member_id>")
@requires(Permission.MANAGE_MEMBERS)
@fresh
def change_member(slug: str, member_id: int) -> Response | Redirect:
    """Give a member another role and other domains."""
    database = context().database
    found = people.member(database, workspace=slug, member_id=member_id)
    form = MemberForm()
    if form.validate_on_submit():
        try:
            changed = member_changes.change(
                database,
                workspace=slug,
                member_id=member_id,
                role=people.read_role(form.role.data or ""),
                domains=known_domains(slug, form.domains.data or []),
                by=by(),
                post=post(),
                now=context().clock(),
            )
        except (InvalidInput, Conflict, PermissionDenied) as error:
            put(form, error)
        else:
            flash(_("%(name)s is now: %(role)s.", name=changed.user.name, role=said(changed.role)), "done")
            return redirect(url_for("workspace.members", slug=slug))
    return _page(slug, found, form, code=422)


@blueprint.get("/w/<slug>/members/<int:member_id>/remove")
@requires(Permission.MANAGE_MEMBERS)
def ask_to_remove(slug: str, member_id: int) -> str:
    """Ask whether a member is to be taken out, and say what that means."""
    found = people.member(context().database, workspace=slug, member_id=member_id)
    return render_template("workspace/remove.html", slug=slug, member=found, form=ConfirmForm(formdata=None))


@blueprint.post("/w/<slug>/members/<int:member_id>/remove")
@requires(Permission.MANAGE_MEMBERS)
@fresh
def remove_member(slug: str, member_id: int) -> Redirect:
    """Take a member out of the workspace and its inboxes."""
    parts = context()
    try:
        gone = departures.remove(
            parts.database, workspace=slug, member_id=member_id, by=by(), post=post(), now=parts.clock()
        )
    except (Conflict, PermissionDenied) as error:
        flash(sentence(error), "problem")
        return redirect(url_for("workspace.member", slug=slug, member_id=member_id))
    cut_off(gone)
    flash(_("%(name)s is no member any more.", name=gone.member.user.name), "done")
    if gone.shared:
        flash(
            _(
                "Shared inboxes keep their app passwords; look after those of: %(inboxes)s",
                inboxes=", ".join(gone.shared),
            ),
            "info",
        )
    return redirect(url_for("workspace.members", slug=slug))


def cut_off(gone: departures.Departure) -> None:
    """End the open connections of inboxes that have nobody to read them any more."""
    for address in gone.closed:
        end_connections(context().settings.dovecot, login=address)


def may_change(found: MemberView) -> bool:
    """Tell whether who is logged in may change this member."""
    return may(Permission.MANAGE_MEMBERS) and may_give(g.membership.role, found.role)


def role_choices() -> list[tuple[str, str]]:
    """Return the roles that who is logged in may give."""
    return [(role.value, said(role)) for role in roles_to_give(g.membership.role)]


def domain_choices(slug: str) -> list[tuple[str, str]]:
    """Return the workspace's domains, for a form."""
    return [(domain.name, domain.name) for domain in domains.list_domains(context().database, workspace=slug)]


def known_domains(slug: str, wanted: list[str]) -> list[str]:
    """Return the domains of a form, all of which are the workspace's.

    Raises:
        InvalidInput: one is not.
    """
    known = {name for name, _ in domain_choices(slug)} if wanted else set()
    if not known.issuperset(wanted):
        raise InvalidInput("domains", "choose among the domains of this workspace")
    return wanted


def put(form: MemberForm, error: InvalidInput | Conflict | PermissionDenied) -> None:
    """Put a use case's error beside the field it is about."""
    field = error.field if isinstance(error, InvalidInput) else ("email" if "email" in form else "role")
    found = form[field] if field in form else (form["email"] if "email" in form else form["role"])
    found.errors = [sentence(error)]


def clean(text: str) -> str:
    """Return what was typed into a search without what no database takes."""
    return text.replace("\0", "")


def _page(slug: str, found: MemberView, form: MemberForm, *, code: int = 200) -> Response:
    form.role.choices = role_choices()
    form.domains.choices = domain_choices(slug)
    values: dict[str, Any] = {
        "slug": slug,
        "member": found,
        "form": form,
        "may_change": may_change(found),
        "myself": found.user.id == int(current_user.get_id()),
        "Role": Role,
    }
    return make_response(render_template("workspace/member.html", **values), code)
