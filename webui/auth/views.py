"""Log-in and log-out pages. The same answer for an unknown address and a wrong password, in the same time."""

import logging

from flask import Blueprint, make_response, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import EmailField, PasswordField
from wtforms.validators import InputRequired, Length

from smailor import log
from smailor.accounts import service as accounts
from smailor.accounts.attempts import Kind
from smailor.address import Address
from smailor.errors import InvalidInput
from webui import people
from webui.access import public
from webui.auth import factor_log
from webui.auth.finishing import finish
from webui.auth.throttle import Throttle, too_many
from webui.context import context

blueprint = Blueprint("auth", __name__)
_logger = logging.getLogger(__name__)


class LoginForm(FlaskForm):  # type: ignore[misc] # flask-wtf has no annotations
    """Who and with what password."""

    email = EmailField(_l("E-mail address"), validators=[InputRequired(_l("Enter your address.")), Length(max=320)])
    password = PasswordField(_l("Password"), validators=[InputRequired(_l("Enter your password.")), Length(max=1000)])


@blueprint.route("/login", methods=["GET", "POST"])
@public
def login() -> Response:
    """Ask for address and password, and start a session."""
    if request.method == "GET" and current_user.is_authenticated:
        return redirect(url_for("home.index"))
    form = LoginForm()
    if not form.validate_on_submit():
        return _page(form)
    throttle = Throttle(Kind.LOGIN, form.email.data)
    wait = throttle.wait()
    if wait:
        return _page(form, problem=too_many(wait), code=429, wait=wait)
    user = accounts.verify_password(context().database, email=form.email.data, password=form.password.data)
    if user is None:
        throttle.failed()
        factor_log.failed("login.password", on=_account(form.email.data), reason="address and password do not fit")
        log.event(_logger, logging.INFO, None, "login-failed", source=people.source())
        return _page(form, problem=_("Address and password do not belong together."))
    throttle.passed()
    return finish(user, method="password")


@blueprint.post("/logout")
@public
def logout() -> Response:
    """End the session."""
    response = redirect(url_for("auth.login"))
    people.log_out(response)
    session.clear()
    return response


def _account(typed: str) -> str:
    """The account that was tried, for the audit trail; what is no address may be a password in the wrong field."""
    try:
        return f"account:{Address.parse(typed)}"
    except InvalidInput:
        return "account:unknown"


def _page(form: LoginForm, *, problem: str = "", code: int = 200, wait: int = 0) -> Response:
    login = context().settings.login
    page = render_template(
        "auth/login.html", form=form, problem=problem, letters=bool(login.letters_from), signup_open=login.signup
    )
    response = make_response(page, code)
    if wait:
        response.headers["Retry-After"] = str(wait)
    return response
