"""Who may open which page: every view says so here, in one line, and nowhere else.

`@public` for everybody, `@signed_in` for whoever is logged in (what they see is theirs), `@requires(permission)` for
members of the workspace that the URL names, `@operators` for whoever runs the service. What another tenant has does
not exist for the one who asks: 404. A view without a declaration is refused at its first request, and by a test before.
"""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from flask import Flask, abort, g, redirect, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from smailor.accounts import service as accounts
from smailor.accounts.permissions import Permission, allowed
from smailor.accounts.service import Membership
from smailor.errors import PermissionDenied
from smailor.sending import suspension_service
from smailor.sending.suspension import Part
from webui.context import context

P = ParamSpec("P")
R = TypeVar("R")

PUBLIC = "public"
SIGNED_IN = "signed-in"
OPERATORS = "operators"


def public(view: Callable[P, R]) -> Callable[P, R]:
    """Declare a page that everybody may open."""
    return _declare(view, PUBLIC)


def signed_in(view: Callable[P, R]) -> Callable[P, R | Response]:
    """Declare a page for whoever is logged in."""

    @functools.wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R | Response:
        if not current_user.is_authenticated:
            return _to_login()
        return view(*args, **kwargs)

    return _declare(guarded, SIGNED_IN)


def operators(view: Callable[P, R]) -> Callable[P, R | Response]:
    """Declare a page for whoever runs the service; for everybody else it does not exist."""

    @functools.wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R | Response:
        if not current_user.is_authenticated:
            return _to_login()
        if not current_user.view.operator:
            abort(404)
        return view(*args, **kwargs)

    return _declare(guarded, OPERATORS)


def requires(permission: Permission) -> Callable[[Callable[..., R]], Callable[..., R | Response]]:
    """Declare a page of a workspace, whose slug is the view's argument `slug`.

    Args:
        permission: what a member needs; others get 403, strangers 404.
    """

    def decorate(view: Callable[..., R]) -> Callable[..., R | Response]:
        @functools.wraps(view)
        def guarded(slug: str, **kwargs: Any) -> R | Response:
            if not current_user.is_authenticated:
                return _to_login()
            membership = next((entry for entry in memberships() if entry.workspace.slug == slug), None)
            if membership is None:
                abort(404)
            if not allowed(membership.role, permission):
                abort(403)
            refuse_suspended(membership.workspace.slug)
            g.membership = membership
            return view(slug, **kwargs)

        return _declare(guarded, permission)

    return decorate


def refuse_suspended(slug: str) -> None:
    """Close a workspace's pages while its log-in is suspended; operators go in.

    Raises:
        PermissionDenied: it is; the text says whom to ask.
    """
    if current_user.view.operator:
        return
    database = context().database
    found = suspension_service.workspace_suspended(database, workspace=slug, part=Part.LOGIN)
    if found is not None:
        contact = context().settings.service.contact
        raise PermissionDenied(f"This workspace is suspended ({found.reason}). Write to {contact}.")


def memberships() -> tuple[Membership, ...]:
    """Return the workspaces of the person who is logged in, asked once a request."""
    if "memberships" not in g:
        g.memberships = accounts.memberships(context().database, user_id=int(current_user.get_id()))
    found: tuple[Membership, ...] = g.memberships
    return found


def may(permission: Permission) -> bool:
    """Tell whether the member may do this in the workspace of the page."""
    return "membership" in g and allowed(g.membership.role, permission)


def declared(view: Callable[..., Any]) -> str | None:
    """Return what a view declares, None for nothing."""
    return getattr(view, "access", None)


def init_app(app: Flask) -> None:
    """Refuse views that declare nothing; Flask's own static files are public."""

    @app.before_request
    def check() -> None:
        if request.endpoint is not None and declared(app.view_functions[request.endpoint]) is None:
            raise RuntimeError(f"the page {request.endpoint} does not declare who may open it")


def _declare(view: Callable[P, R], access: str) -> Callable[P, R]:
    view.access = access  # type: ignore[attr-defined]
    return view


def _to_login() -> Response:
    if request.headers.get("X-Fragment"):
        abort(401)
    wanted = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("auth.login", next=wanted))
