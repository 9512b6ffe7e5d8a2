"""Who is logged in: a random token in a cookie, whose digest the database knows. Flask-Login asks here.

The rules, which session opens which area and for how long, are `smailor.accounts.session_rules`; this file carries them
to requests and cookies.
"""

from collections.abc import Iterable

from flask import Flask, Request, g, request
from flask_login import LoginManager, UserMixin, current_user
from werkzeug.wrappers import Response

from smailor.accounts import devices, impersonation, members, session_rules, sessions
from smailor.accounts.audit import Actor
from smailor.accounts.impersonation import ActingAs
from smailor.accounts.session_rules import Area
from smailor.accounts.sessions import SessionView
from smailor.accounts.user_view import UserView
from smailor.sending import suspension_service
from smailor.sending.suspension import Suspension
from webui import known_device
from webui.context import context


class Person(UserMixin):  # type: ignore[misc] # flask-login has no annotations
    """Flask-Login's user: a UserView, and the operator who acts in their name, if one does."""

    def __init__(self, view: UserView, acting: ActingAs | None = None) -> None:
        self.view = view
        self.acting = acting

    def get_id(self) -> str:
        """The user's number."""
        return str(self.view.id)


def init_app(app: Flask) -> None:
    """Set up log-in by cookie."""
    manager = LoginManager()
    # The session lives in the database; Flask-Login's own marks in the form cookie are not used.
    manager.session_protection = None
    manager.init_app(app)
    manager.request_loader(_load)


def cookie_name() -> str:
    """`__Host-` makes browsers refuse a cookie that another host or plain HTTP has set (RFC 6265bis)."""
    return "__Host-smailor" if context().settings.web.secure_cookies else "smailor"


def _load(incoming: Request) -> Person | None:
    found = sessions.find(context().database, token=incoming.cookies.get(cookie_name(), ""), now=context().clock())
    if found is None:
        return None
    if not found.user.operator:
        # Asked here, once a request, also for the menus and for `access`.
        g.memberships = members.memberships(context().database, user_id=found.user.id)
        slugs = [membership.workspace.slug for membership in g.memberships]
        g.standing = suspension_service.standing(context().database, email=found.user.email, workspaces=slugs)
        if g.standing.login is not None:
            return None
    g.web_session = found
    if found.user.operator:
        acting = impersonation.find(context().database, session_id=found.id, now=context().clock())
        if acting is not None:
            return Person(acting.user, acting)
    return Person(found.user)


def acting_as() -> ActingAs | None:
    """Return in whose name an operator acts in this request, None where people are who they are."""
    found: ActingAs | None = current_user.acting if current_user.is_authenticated else None
    return found


def current_session() -> SessionView:
    """Return the session of the request; the view's declaration has made sure that there is one.

    Raises:
        LookupError: nobody is logged in.
    """
    if not current_user.is_authenticated:
        raise LookupError("nobody is logged in")
    found: SessionView = g.web_session
    return found


def opens(area: Area) -> bool:
    """Tell whether the session opens an area now, and note that it was used."""
    session, now = current_session(), context().clock()
    if not session_rules.opens(session.times, area, now):
        return False
    sessions.touch(context().database, view=session, area=area, source=source(), now=now)
    return True


def fresh() -> bool:
    """Tell whether the person showed who they are a moment ago."""
    return session_rules.fresh(current_session().times, context().clock())


def source() -> str:
    """The client's IP address."""
    return request.remote_addr or ""


def actor() -> Actor:
    """Who acts in this request, and from where, for the audit trail."""
    acting = acting_as()
    if acting is not None:
        return Actor(acting.actor_name, source())
    return Actor(current_user.view.email if current_user.is_authenticated else "", source())


def suspension_of(user: UserView) -> Suspension | None:
    """Return what keeps a person from logging in; whoever runs the service is never kept out."""
    if user.operator:
        return None
    return suspension_service.login_suspended(context().database, user_id=user.id, email=user.email)


def log_in(response: Response, user: UserView, *, method: str) -> None:
    """Start a session and put its token in the response's cookie; the one that was there ends."""
    end_session()
    token = sessions.start(
        context().database,
        user_id=user.id,
        method=method,
        source=source(),
        device=devices.words(request.headers.get("User-Agent", "")),
        now=context().clock(),
    )
    _set_cookie(response, token)
    known_device.remember(response, user.email)


def rotate(response: Response, *, authenticated: str = "") -> None:
    """Move the session to a new token: after log-in anew, a change of rights, a sensitive action.

    Args:
        response: gets the cookie.
        authenticated: how the person has just shown who they are; empty: they have not.
    """
    token = sessions.rotate(
        context().database, session_id=current_session().id, now=context().clock(), authenticated=authenticated
    )
    _set_cookie(response, token)


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
        if current_user.is_authenticated:
            leave_mail([current_session()])
        sessions.end(context().database, token=token)


def leave_mail(ended: Iterable[SessionView]) -> None:
    """Close the mail connections that this process holds for sessions that have ended.

    Another process closes its own when they have been idle for two minutes; nobody can ask through them meanwhile.
    """
    for session in ended:
        context().post_office.leave(session.key)


def session_key() -> str:
    """Return a name for the request's session that is not its secret."""
    acting = acting_as()
    return f"{current_session().key}-{acting.id}" if acting else current_session().key


def _set_cookie(response: Response, token: str) -> None:
    response.set_cookie(
        cookie_name(),
        token,
        max_age=session_rules.LIFETIME,
        path="/",
        httponly=True,
        samesite="Lax",
        secure=context().settings.web.secure_cookies,
    )
