"""Log-in and log-out pages. The same answer for an unknown address and a wrong password, in the same time."""

import logging

from flask import Blueprint, redirect, render_template, request, session, url_for
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import EmailField, PasswordField
from wtforms.validators import InputRequired, Length

from smailor import log
from smailor.accounts import attempts
from smailor.accounts import service as accounts
from webui import people
from webui.access import public
from webui.context import context

blueprint = Blueprint("auth", __name__)
_logger = logging.getLogger(__name__)

_WRONG = "Address and password do not belong together."


class LoginForm(FlaskForm):  # type: ignore[misc] # flask-wtf has no annotations
    """Who and with what password."""

    email = EmailField(_l("E-mail address"), validators=[InputRequired(_l("Enter your address.")), Length(max=320)])
    password = PasswordField(_l("Password"), validators=[InputRequired(_l("Enter your password.")), Length(max=1000)])


@blueprint.route("/login", methods=["GET", "POST"])
@public
def login() -> Response | str | tuple[str, int, dict[str, str]]:
    """Ask for address and password, and start a session."""
    if request.method == "GET" and current_user.is_authenticated:
        return redirect(url_for("home.index"))
    form = LoginForm()
    if not form.validate_on_submit():
        return render_template("auth/login.html", form=form, problem=None)
    database, now = context().database, context().clock()
    who = {"address": form.email.data, "source": request.remote_addr or ""}
    wait = attempts.wait_seconds(database, now=now, **who)
    if wait:
        problem = f"Too many attempts from your network. Try again in {-(-wait // 60)} minutes."
        page = render_template("auth/login.html", form=form, problem=problem)
        return page, 429, {"Retry-After": str(wait)}
    user = accounts.verify_password(database, email=form.email.data, password=form.password.data)
    if user is None:
        attempts.note_failure(database, now=now, **who)
        log.event(_logger, logging.INFO, None, "login-failed", source=request.remote_addr)
        return render_template("auth/login.html", form=form, problem=_WRONG)
    attempts.forget(database, **who)
    suspended = people.suspension_of(user)
    if suspended is not None:
        log.event(_logger, logging.INFO, None, "login-suspended", user=user.id, source=request.remote_addr)
        problem = f"Logging in is suspended ({suspended.reason}). Write to {context().settings.service.contact}."
        return render_template("auth/login.html", form=form, problem=problem), 403, {}
    session.clear()  # a new session has a new CSRF secret
    response = redirect(_after_login())
    people.log_in(response, user)
    log.event(_logger, logging.INFO, None, "login", user=user.id, source=request.remote_addr)
    return response


@blueprint.post("/logout")
@public
def logout() -> Response:
    """End the session."""
    response = redirect(url_for("auth.login"))
    people.log_out(response)
    session.clear()
    return response


def _after_login() -> str:
    """The page that was asked for, if it is one of ours: a path, never another host."""
    wanted = request.args.get("next", "")
    if wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable():
        return wanted
    return url_for("home.index")
