"""What failed log-ins by code, passkey and provider leave behind: an audit entry, and a page that says what to do."""

from flask import make_response, render_template
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from smailor.accounts import audit
from smailor.accounts import service as accounts
from smailor.accounts.audit import Actor
from smailor.accounts.factor_changes import Circumstances
from smailor.accounts.user_view import UserView
from smailor.errors import NotFound
from webui import people
from webui.auth.throttle import too_many
from webui.context import context


def failed(action: str, *, user_id: int | None = None, on: str = "", reason: str, outcome: str = "refused") -> None:
    """Write down that somebody was not let in.

    Args:
        action: what was tried, such as `login.totp`.
        user_id: whose account it was about; None: nobody's that is known.
        on: the object where it is not an account.
        reason: which check said no.
        outcome: in a word.
    """
    with context().database.transaction() as session:
        found = accounts.users_in(session, [user_id]) if user_id is not None else ()
        email = found[0].email if found else ""
        audit.record_in(
            session,
            Actor(email, people.source()),
            action=action,
            on=on or (f"account:{email}" if email else "account:unknown"),
            now=context().clock(),
            outcome=outcome,
            details={"reason": reason},
        )


def circumstances(actor: Actor) -> Circumstances:
    """Who changes a way into an account, when, and with what its letter is written.

    Args:
        actor: who does it.
    """
    return Circumstances(context().database, context().sealer, context().desk.head, actor, context().clock())


def person(user_id: int) -> UserView:
    """Return the person of a factor that has just been shown; raises NotFound if they have gone meanwhile."""
    with context().database.reading() as session:
        found = accounts.users_in(session, [user_id])
    if not found:
        raise NotFound("there is no such person")
    return found[0]


def wrong(text: str, *, code: int, title: str = "") -> Response:
    """Return a page that says why nobody came in, and where to go on."""
    return make_response(render_template("auth/message.html", title=title or _("That did not work"), text=text), code)


def wait(seconds: int) -> Response:
    """Return the page for somebody who has tried too often."""
    response = wrong(too_many(seconds), code=429)
    response.headers["Retry-After"] = str(seconds)
    return response
