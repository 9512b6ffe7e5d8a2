"""How every log-in ends after its first factor, whichever that was; and how showing again who one is ends."""

import logging

from flask import make_response, redirect, render_template, session
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from smailor import log
from smailor.accounts import second_factor as factors
from smailor.accounts.user_view import UserView
from webui import people
from webui.auth import half_way
from webui.auth.next_page import next_page as wanted_page
from webui.auth.next_page import own_path
from webui.context import context

UNVERIFIED = "unverified"
"""Where the form cookie keeps who has shown the password of an account that waits for its link."""
_logger = logging.getLogger(__name__)


def finish(user: UserView, *, method: str, second_factor: bool = False, next_page: str = "") -> Response:
    """End a log-in: with a session, or with what is still in its way.

    Args:
        user: who has just shown a factor.
        method: which: `password`, `passkey`, `oidc:NAME`; with a second one `password+totp`.
        second_factor: whether a second factor was shown, or none is needed beside this one.
        next_page: the path to go to; empty: the one that the request names.
    """
    suspended = people.suspension_of(user)
    if suspended is not None:
        log.event(_logger, logging.INFO, None, "login-suspended", user=user.id, source=people.source())
        text = _(
            "Logging in is suspended (%(reason)s). Write to %(contact)s.",
            reason=suspended.reason,
            contact=context().settings.service.contact,
        )
        return stop(_("Logging in is suspended"), text, code=403)
    if not user.verified:
        session[UNVERIFIED] = (user.id, user.email)
        return make_response(render_template("auth/unverified.html", address=user.email), 403)
    wanted = own_path(next_page) or wanted_page()
    if not second_factor and factors.needed(context().database, user.id):
        return half_way.to_second_factor(user.id, method=method, next_page=wanted)
    session.clear()  # a new session has a new CSRF secret
    response = redirect(wanted)
    people.log_in(response, user, method=method)
    log.event(_logger, logging.INFO, None, "login", user=user.id, method=method, source=people.source())
    return response


def confirmed(*, method: str, next_page: str = "") -> Response:
    """End showing again who one is: the session is fresh and has a new token.

    Args:
        method: what was shown; a factor of this session's person, which the caller has made sure of.
        next_page: the path to go to; empty: the one that the request names.
    """
    response = redirect(own_path(next_page) or wanted_page())
    people.rotate(response, authenticated=method)
    return response


def stop(title: str, text: str, *, code: int = 200) -> Response:
    """Return a page that says one thing, such as to look at one's mail."""
    return make_response(render_template("auth/message.html", title=title, text=text), code)
