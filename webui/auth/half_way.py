"""The browser's side of a log-in that is half-way: a cookie of its own for each purpose, gone when it is used.

`to_second_factor` is where a log-in goes whose first factor was right and whose owner has a second one.
"""

from collections.abc import Mapping
from typing import Any

from flask import redirect, request, url_for
from werkzeug.wrappers import Response

from smailor.accounts import pending
from smailor.accounts.pending import Pending
from webui.context import context

SECOND_FACTOR = "second-factor"


def start(
    response: Response, *, purpose: str, user_id: int | None = None, values: Mapping[str, Any] | None = None
) -> None:
    """Begin a log-in and put its token in the response's cookie; arguments as in `pending.begin`."""
    now = context().clock()
    token = pending.begin(context().database, purpose=purpose, user_id=user_id, values=values, now=now)
    response.set_cookie(
        _cookie(purpose),
        token,
        max_age=pending.LIFETIME,
        path="/",
        httponly=True,
        samesite="Lax",  # a provider sends the browser back by a link from its own site
        secure=context().settings.web.secure_cookies,
    )


def look(purpose: str) -> Pending | None:
    """Return this browser's log-in without using it up."""
    return pending.look(context().database, purpose=purpose, token=token(purpose), now=context().clock())


def take(purpose: str) -> Pending | None:
    """Use up this browser's log-in."""
    return pending.take(context().database, purpose=purpose, token=token(purpose), now=context().clock())


def token(purpose: str) -> str:
    """Return what this browser holds, as it says."""
    return request.cookies.get(_cookie(purpose), "")


def forget(response: Response, purpose: str) -> None:
    """Take the cookie away."""
    response.delete_cookie(
        _cookie(purpose), path="/", httponly=True, samesite="Lax", secure=context().settings.web.secure_cookies
    )


def to_second_factor(user_id: int, *, method: str, next_page: str = "") -> Response:
    """Go and ask for the second factor.

    Args:
        user_id: whose first factor was right.
        method: which one that was: `password`, `oidc:NAME`.
        next_page: the path to go to in the end.
    """
    response = redirect(url_for("auth.second_factor"))
    start(response, purpose=SECOND_FACTOR, user_id=user_id, values={"method": method, "next": next_page})
    return response


def _cookie(purpose: str) -> str:
    prefix = "__Host-" if context().settings.web.secure_cookies else ""
    return f"{prefix}smailor-{purpose}"
