"""Signing up: asking for an account, and opening it by the link in the letter. No answer tells who has an account.

A link only shows a page with a button: mail scanners follow links, they press no buttons.
"""

import secrets

from flask import abort, make_response, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import EmailField, PasswordField, StringField
from wtforms.validators import InputRequired, Length

from smailor.accounts import signup as use_case
from smailor.accounts.attempts import Kind
from smailor.accounts.signup import SignUp
from smailor.errors import InvalidInput, NotFound
from webui.access import public
from webui.asked import asked
from webui.auth import captcha
from webui.auth.field_errors import show_beside
from webui.auth.finishing import UNVERIFIED, finish, stop
from webui.auth.throttle import Throttle, source_wait, too_many
from webui.auth.views import blueprint
from webui.context import context

MARK = "sign-up"
"""Where the form cookie keeps that it was this browser that signed up."""


class SignUpForm(FlaskForm):  # type: ignore[misc] # flask-wtf has no annotations
    """Who wants an account."""

    name = StringField(_l("Your name"), validators=[InputRequired(_l("Enter your name.")), Length(max=200)])
    email = EmailField(_l("E-mail address"), validators=[InputRequired(_l("Enter your address.")), Length(max=320)])
    password = PasswordField(_l("Password"), validators=[InputRequired(_l("Choose a password.")), Length(max=1000)])
    workspace = StringField(_l("Company or team"), validators=[Length(max=200)])


class VerifyForm(FlaskForm):  # type: ignore[misc]
    """The button, and in another browser the password."""

    password = PasswordField(_l("Password"), validators=[Length(max=1000)])


@blueprint.route("/signup", methods=["GET", "POST"])
@public
def signup() -> Response:
    """Ask for an account. The answer is the same whoever has one."""
    _only_where_open()
    if request.method == "GET" and current_user.is_authenticated:
        return redirect(url_for("home.index"))
    form = SignUpForm()
    if not form.is_submitted():
        return _form(form)
    wait = source_wait(Kind.SIGN_UP)
    if wait:
        return _form(form, problem=too_many(wait), code=429, wait=wait)
    if not form.validate():
        return _form(form, code=422)
    if not captcha.solved():
        return _form(form, problem=_("Show that you are no machine, please."), code=422)
    throttle = Throttle(Kind.SIGN_UP, form.email.data)
    letter = throttle.wait() == 0
    mark = secrets.token_hex(16)
    wanted = SignUp(form.email.data, form.name.data, form.password.data, form.workspace.data or "", mark)
    try:
        use_case.sign_up(context().database, context().desk, wanted=wanted, letter=letter, asked=asked())
    except InvalidInput as error:
        return show_beside(error, form, _form)
    throttle.failed()
    session[MARK] = mark
    context().courier.send_soon()
    return _look_at_your_mail()


@blueprint.post("/signup/again")
@public
def signup_again() -> Response:
    """Write the letter once more, to whoever has shown the password of an account that waits for its link."""
    user_id, address = session.get(UNVERIFIED, (None, ""))
    if not isinstance(user_id, int):
        return redirect(url_for("auth.login"))
    throttle = Throttle(Kind.SIGN_UP, address)
    if throttle.wait() == 0:
        throttle.failed()
        mark = secrets.token_hex(16)
        use_case.send_again(context().database, context().desk, user_id=user_id, mark=mark, asked=asked())
        session[MARK] = mark
        context().courier.send_soon()
    return _look_at_your_mail()


@blueprint.route("/signup/<token>", methods=["GET", "POST"])
@public
def verify(token: str) -> Response:
    """Open the account, by the button."""
    database, now, form = context().database, context().clock(), VerifyForm()
    mark, throttle = str(session.get(MARK, "")), Throttle(Kind.VERIFICATION, token)
    try:
        ask = use_case.needs_password(database, token=token, mark=mark, now=now)
        if not form.is_submitted():
            return _verify_form(form, ask=ask)
        wait = throttle.wait()
        if wait:
            return _verify_form(form, ask=ask, problem=too_many(wait), code=429)
        if not form.validate():
            return _verify_form(form, ask=ask, code=422)
        user = use_case.verify(database, token=token, mark=mark, password=form.password.data or "", asked=asked())
    except InvalidInput as error:
        throttle.failed()
        return show_beside(error, form, lambda shown, code: _verify_form(shown, ask=True, code=code))
    except NotFound:
        return stop(
            _("This link does not work any more"),
            _("It was used before, or its time is up. Log in; or sign up again, and a new one comes."),
            code=404,
        )
    return finish(user, method="password")


def _only_where_open() -> None:
    if not context().settings.login.signup:
        abort(404)


def _look_at_your_mail() -> Response:
    return stop(
        _("Look at your mail"),
        _("We have written to you. Open the link in the letter within 24 hours; it may be in the spam folder."),
    )


def _form(form: SignUpForm, code: int = 200, *, problem: str = "", wait: int = 0) -> Response:
    page = render_template("auth/signup.html", form=form, problem=problem, captcha=captcha.widget())
    response = make_response(page, code)
    if wait:
        response.headers["Retry-After"] = str(wait)
    return response


def _verify_form(form: VerifyForm, *, ask: bool, problem: str = "", code: int = 200) -> Response:
    return make_response(render_template("auth/verify.html", form=form, ask=ask, problem=problem), code)
