"""Who is logged in: a random token in a cookie, whose digest the database knows. Flask-Login asks here."""

from datetime import timedelta
from hashlib import sha256

from flask import Flask, Request, g, request
from flask_login import LoginManager, UserMixin
from werkzeug.wrappers import Response

from smailor.accounts import service as accounts
from smailor.accounts.service import UserView
from smailor.sending import suspension_service
from smailor.sending.suspension import Suspension
from webui import access
from webui.context import context

LIFETIME = timedelta(days=14)


class Person(UserMixin):  # type: ignore[misc] # flask-login has no annotations
    """Flask-Login's user: a UserView."""

    def __init__(self, view: UserView) -> None:
        self.view = view

    def get_id(self) -> str:
        """The user's number."""
        return str(self.view.id)


def init_app(app: Flask) -> None:
    """Set up log-in by cookie, and the check that every view declares its access."""
    manager = LoginManager()
    # The session lives in the database; Flask-Login's own marks in the form cookie are not used.
    manager.session_protection = None
    manager.init_app(app)
    manager.request_loader(_load)
    access.init_app(app)


def cookie_name() -> str:
    """`__Host-` makes browsers refuse a cookie that another host or plain HTTP has set (RFC 6265bis)."""
    return "__Host-smailor" if context().settings.web.secure_cookies else "smailor"


def _load(incoming: Request) -> Person | None:
    token = incoming.cookies.get(cookie_name(), "")
    if not token or len(token) > 200:
        return None
    user = accounts.session_user(context().database, token=token, now=context().clock())
    return Person(user) if user and suspension_of(user) is None else None


def suspension_of(user: UserView) -> Suspension | None:
    """Return what keeps a person from logging in; whoever runs the service is never kept out."""
    if user.operator:
        return None
    return suspension_service.login_suspended(context().database, user_id=user.id, email=user.email)


def log_in(response: Response, user: UserView) -> None:
    """Start a session and put its token in the response's cookie."""
    end_session()
    token = accounts.start_session(context().database, user_id=user.id, now=context().clock(), lifetime=LIFETIME)
    response.set_cookie(
        cookie_name(),
        token,
        max_age=LIFETIME,
        path="/",
        httponly=True,
        samesite="Lax",
        secure=context().settings.web.secure_cookies,
    )


def log_out(response: Response) -> None:
    """End the session, its mail connections and its cookie."""
    end_session()
    response.delete_cookie(
        cookie_name(), path="/", httponly=True, samesite="Lax", secure=context().settings.web.secure_cookies
    )


def end_session() -> None:
    """End the session of the request, if there is one."""
    token = request.cookies.get(cookie_name(), "")
    if token:
        context().post_office.leave(session_key())
        accounts.end_session(context().database, token=token)


def session_key() -> str:
    """Return a name for the request's session that is not its secret."""
    if "session_key" not in g:
        g.session_key = sha256(request.cookies.get(cookie_name(), "").encode()).hexdigest()[:32]
    key: str = g.session_key
    return key
