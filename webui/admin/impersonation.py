"""Acting in another person's name: begun with a reason and a fresh log-in, ended by a button on every page."""

from flask import Response, flash, redirect, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.wrappers import Response as Redirect

from smailor.accounts import impersonation
from smailor.errors import InvalidInput
from webui.access import fresh, operators, signed_in
from webui.admin.pages import ActingForm, blueprint
from webui.admin.people import person_page
from webui.context import context
from webui.people import acting_as, current_session, rotate, session_key, source
from webui.texts import sentence

_FIELDS = frozenset({"reason", "minutes"})


@blueprint.post("/people/<int:number>/act")
@operators
@fresh
def act(number: int) -> Response | Redirect:
    """Begin to act in a person's name."""
    form = ActingForm()
    if form.validate_on_submit():
        try:
            acting = impersonation.start(
                context().database,
                session_id=current_session().id,
                operator=current_user.view,
                user_id=number,
                reason=form.reason.data,
                minutes=form.minutes.data,
                source=source(),
                now=context().clock(),
            )
        except InvalidInput as error:
            form[error.field if error.field in _FIELDS else "reason"].errors = [sentence(error)]
        else:
            flash(_("You act as %(address)s now.", address=acting.user.email), "info")
            response = redirect(url_for("home.index"))
            rotate(response)
            return response
    return person_page(number, acting_form=form, code=422)


@blueprint.post("/stop-acting")
@signed_in
def stop_acting() -> Redirect:
    """End it; who does not act in anybody's name stays who they are."""
    acting = acting_as()
    context().post_office.leave(session_key())
    impersonation.end(context().database, session_id=current_session().id, source=source(), now=context().clock())
    if acting is None:
        return redirect(url_for("home.index"))
    flash(_("You are yourself again."), "done")
    response = redirect(url_for("admin.person", number=acting.user.id))
    rotate(response)
    return response
