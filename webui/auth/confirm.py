"""Showing again who one is, before something sensitive or after an area's time was up."""

from flask import make_response, render_template
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import PasswordField
from wtforms.validators import InputRequired, Length

from smailor.accounts import service as accounts
from smailor.accounts.attempts import Kind
from webui import people
from webui.access import public, to_login
from webui.auth import factor_log
from webui.auth.finishing import confirmed
from webui.auth.throttle import Throttle, too_many
from webui.auth.views import blueprint
from webui.context import context


class ConfirmForm(FlaskForm):  # type: ignore[misc] # flask-wtf has no annotations
    """The password once more."""

    password = PasswordField(_l("Password"), validators=[InputRequired(_l("Enter your password.")), Length(max=1000)])


@blueprint.route("/confirm", methods=["GET", "POST"])
@public
def confirm() -> Response:
    """Ask for the password of whoever is logged in; an area whose time is up is closed, but this page is not."""
    if not current_user.is_authenticated:
        return to_login()
    form = ConfirmForm()
    if not form.validate_on_submit():
        return _page(form, code=422 if form.is_submitted() else 200)
    user = people.current_session().user
    throttle = Throttle(Kind.LOGIN, user.email)
    wait = throttle.wait()
    if wait:
        return _page(form, problem=too_many(wait), code=429, wait=wait)
    if accounts.verify_password(context().database, email=user.email, password=form.password.data) is None:
        throttle.failed()
        factor_log.failed("confirm.password", user_id=user.id, reason="wrong password")
        return _page(form, problem=_("That is not your password."), code=422)
    throttle.passed()
    return confirmed(method="password")


def _page(form: ConfirmForm, *, problem: str = "", code: int = 200, wait: int = 0) -> Response:
    response = make_response(render_template("auth/confirm.html", form=form, problem=problem), code)
    if wait:
        response.headers["Retry-After"] = str(wait)
    return response
