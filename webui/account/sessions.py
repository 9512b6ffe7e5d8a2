"""Where a person is logged in, and ending it."""

from flask import flash, redirect, render_template, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from smailor.accounts import sessions as use_case
from smailor.errors import NotFound
from webui import people
from webui.access import signed_in
from webui.account.profile import blueprint
from webui.context import context


@blueprint.get("/sessions")
@signed_in
def sessions() -> str:
    """List the sessions, this one marked."""
    current = people.current_session()
    found = use_case.list_sessions(context().database, user_id=current.user.id, now=context().clock())
    return render_template("account/sessions.html", sessions=found, current=current)


@blueprint.post("/sessions/<int:number>/revoke")
@signed_in
def revoke_session(number: int) -> Response:
    """End one session: whoever uses it is out at their next page."""
    current = people.current_session()
    try:
        ended = use_case.revoke(
            context().database,
            user_id=current.user.id,
            session_id=number,
            source=people.source(),
            now=context().clock(),
        )
    except NotFound:
        flash(_("That session had ended already."), "info")
    else:
        people.leave_mail([ended])
        flash(_("Ended. That browser is logged out."), "done")
    return redirect(url_for("account.sessions"))


@blueprint.post("/sessions/revoke-others")
@signed_in
def revoke_other_sessions() -> Response:
    """End all sessions but this one."""
    current = people.current_session()
    ended = use_case.end_others(
        context().database,
        user_id=current.user.id,
        keep=current.id,
        source=people.source(),
        now=context().clock(),
    )
    people.leave_mail(ended)
    flash(_("You are logged out everywhere else."), "done")
    return redirect(url_for("account.sessions"))
