"""The console's list of people, and one of them: sessions, factors, log-in suspended or not, password reset."""

from typing import Any

from flask import Response, flash, make_response, redirect, render_template, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Redirect

from smailor.accounts import credentials, directory, members, second_factor, sessions
from smailor.errors import InvalidInput, NotFound
from smailor.sending import person_suspension
from smailor.sending.subject import Scope, Subject
from webui.access import operators
from webui.admin.pages import ActingForm, ReasonForm, blueprint, open_for_a_while, opened, searched
from webui.asked import asked
from webui.context import context
from webui.people import actor
from webui.texts import sentence


@blueprint.get("/people")
@operators
def people() -> str:
    """List people, found by a part of their address or name."""
    wanted = searched()
    rows, more = directory.people(context().database, search=wanted, after=searched("after"))
    subjects = {row.user.email: Subject(Scope.ACCOUNT, row.user.email) for row in rows}
    suspended = person_suspension.suspensions_among(context().database, subjects=subjects.values())
    return render_template(
        "admin/people.html",
        rows=rows,
        more=more,
        wanted=wanted,
        suspended={email: suspended.get(subject) for email, subject in subjects.items()},
    )


@blueprint.get("/people/<int:number>")
@operators
def person(number: int) -> Response:
    """Show a person, once the reason for it is given."""
    return person_page(number)


@blueprint.post("/people/<int:number>")
@operators
def open_person(number: int) -> Response | Redirect:
    """Take the reason, write it down, and show the person."""
    form = ReasonForm()
    if form.validate_on_submit():
        try:
            directory.open_person(
                context().database, user_id=number, actor=actor(), reason=form.reason.data, now=context().clock()
            )
        except InvalidInput as error:
            form.reason.errors = [sentence(error)]
        else:
            open_for_a_while(f"person:{number}")
            flash(_("Written down: the owners of this person's workspaces see that you looked, and why."), "info")
            return redirect(url_for("admin.person", number=number))
    return person_page(number, form=form, code=422)


@blueprint.post("/people/<int:number>/suspend")
@operators
def suspend(number: int) -> Response | Redirect:
    """Keep a person from logging in."""
    form = ReasonForm()
    found = directory.person(context().database, user_id=number)
    if form.validate_on_submit():
        try:
            person_suspension.suspend_login(
                context().database, user=found.user, reason=form.reason.data, actor=actor(), now=context().clock()
            )
        except InvalidInput as error:
            form.reason.errors = [sentence(error)]
        else:
            flash(_("%(address)s can no longer log in.", address=found.user.email), "done")
            return redirect(url_for("admin.person", number=number))
    return person_page(number, suspend_form=form, code=422)


@blueprint.post("/people/<int:number>/lift")
@operators
def lift(number: int) -> Redirect:
    """Let a person log in again."""
    found = directory.person(context().database, user_id=number)
    try:
        person_suspension.lift_login(context().database, user=found.user, actor=actor(), now=context().clock())
        flash(_("%(address)s can log in again.", address=found.user.email), "done")
    except NotFound:
        flash(_("That was lifted already."), "info")
    return redirect(url_for("admin.person", number=number))


@blueprint.post("/people/<int:number>/reset")
@operators
def send_reset(number: int) -> Redirect:
    """Send a person the letter with which they set a new password; nobody else gets to see the link."""
    parts = context()
    found = directory.person(parts.database, user_id=number)
    credentials.ask_reset(parts.database, parts.desk, email=found.user.email, letter=True, asked=asked())
    directory.note_reset(parts.database, user_id=number, actor=actor(), now=parts.clock())
    parts.courier.send_soon()
    if found.user.verified:
        flash(_("A letter is on its way to %(address)s.", address=found.user.email), "done")
    else:
        flash(_("No letter: %(address)s was never verified.", address=found.user.email), "problem")
    return redirect(url_for("admin.person", number=number))


def person_page(number: int, *, code: int = 200, **forms: ReasonForm) -> Response:
    """Return a person's page.

    Args:
        number: whose.
        code: the status.
        forms: `form`, `suspend_form` or `acting_form` with what is wrong in it.
    """
    database, now = context().database, context().clock()
    found = directory.person(database, user_id=number)
    subject = Subject(Scope.ACCOUNT, found.user.email)
    values: dict[str, Any] = {
        "found": found,
        "form": forms.get("form") or ReasonForm(formdata=None),
        "suspend_form": forms.get("suspend_form") or ReasonForm(formdata=None),
        "acting_form": forms.get("acting_form") or ActingForm(formdata=None),
        "suspended": person_suspension.suspensions_among(database, subjects=[subject]).get(subject),
        "seen": opened(f"person:{number}"),
    }
    if values["seen"]:
        values["places"] = members.memberships(database, user_id=number)
        values["sessions"] = sessions.list_sessions(database, user_id=number, now=now)
        values["factors"] = second_factor.factors(database, user_id=number)
    return make_response(render_template("admin/person.html", **values), code)
