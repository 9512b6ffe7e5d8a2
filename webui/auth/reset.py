"""A forgotten password: asking for a link, and choosing a new one by it. The answer tells nobody who has an account."""

from flask import abort, flash, make_response, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import EmailField, PasswordField
from wtforms.validators import InputRequired, Length

from smailor.accounts import credentials
from smailor.accounts.attempts import Kind
from smailor.accounts.user_view import UserView
from smailor.errors import InvalidInput, NotFound
from webui import known_device, people
from webui.access import public
from webui.asked import asked
from webui.auth.field_errors import show_beside
from webui.auth.finishing import stop
from webui.auth.throttle import Throttle, source_wait, too_many
from webui.auth.views import blueprint
from webui.context import context


class ForgotForm(FlaskForm):  # type: ignore[misc] # flask-wtf has no annotations
    """Whose password was forgotten."""

    email = EmailField(_l("E-mail address"), validators=[InputRequired(_l("Enter your address.")), Length(max=320)])


class ResetForm(FlaskForm):  # type: ignore[misc]
    """The new one."""

    password = PasswordField(_l("New password"), validators=[InputRequired(_l("Choose a password.")), Length(max=1000)])


@blueprint.route("/forgot", methods=["GET", "POST"])
@public
def forgot() -> Response:
    """Ask for a link that sets a password anew."""
    if not context().settings.login.letters_from:
        abort(404)
    form = ForgotForm()
    if not form.is_submitted():
        return _form(form)
    wait = source_wait(Kind.RESET)
    if wait:
        return _form(form, problem=too_many(wait), code=429, wait=wait)
    if not form.validate():
        return _form(form, code=422)
    throttle = Throttle(Kind.RESET, form.email.data)
    letter = throttle.wait() == 0
    try:
        credentials.ask_reset(context().database, context().desk, email=form.email.data, letter=letter, asked=asked())
    except InvalidInput as error:
        return show_beside(error, form, _form)
    throttle.failed()
    context().courier.send_soon()
    return stop(
        _("Look at your mail"),
        _("If there is an account with this address, a letter with a link is on its way. The link works for an hour."),
    )


@blueprint.route("/reset/<token>", methods=["GET", "POST"])
@public
def reset(token: str) -> Response:
    """Choose a new password; everybody who is logged in with the old one is out, a second factor stays in force."""
    form = ResetForm()
    try:
        owner = credentials.reset_owner(context().database, token=token, asked=asked())
        if not form.validate_on_submit():
            return _reset_form(form, owner, code=422 if form.is_submitted() else 200)
        user, ended = credentials.reset(
            context().database, context().desk, token=token, password=form.password.data, asked=asked()
        )
    except InvalidInput as error:
        return show_beside(error, form, lambda shown, code: _reset_form(shown, owner, code=code))
    except NotFound:
        return stop(
            _("This link does not work any more"),
            _("It was used before, or its time is up. Ask for a new one where you log in."),
            code=404,
        )
    people.leave_mail(ended)
    context().courier.send_soon()
    flash(_("Your new password holds from now on. Log in with it."), "done")
    response = redirect(url_for("auth.login"))
    known_device.remember(response, user.email)  # whoever reads the address's mail is its owner
    return response


def _form(form: ForgotForm, code: int = 200, *, problem: str = "", wait: int = 0) -> Response:
    response = make_response(render_template("auth/forgot.html", form=form, problem=problem), code)
    if wait:
        response.headers["Retry-After"] = str(wait)
    return response


def _reset_form(form: ResetForm, owner: UserView, *, code: int = 200) -> Response:
    return make_response(render_template("auth/reset.html", form=form, owner=owner), code)
