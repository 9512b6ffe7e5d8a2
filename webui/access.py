"""Who may open which page: every view says so here, in one line, and nowhere else.

`@public` for everybody, `@signed_in` for whoever is logged in (what they see is theirs), `@requires(permission)` for
members of the workspace that the URL names, `@operators` for whoever runs the service. What another tenant has does
not exist for the one who asks: 404. A view without a declaration is refused at its first request, and by a test before.
"""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from flask import Flask, abort, current_app, g, redirect, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from smailor.accounts import service as accounts
from smailor.accounts.permissions import Permission, allowed
from smailor.accounts.service import Membership
from smailor.accounts.session_rules import Area
from smailor.errors import PermissionDenied
from smailor.sending import suspension_service
from smailor.sending.suspension import Part
from webui import people
from webui.context import context

P = ParamSpec("P")
R = TypeVar("R")

PUBLIC = "public"
SIGNED_IN = "signed-in"
OPERATORS = "operators"
_MAIL = frozenset({"home", "mail"})
"""Blueprints whose pages stay open for as long as mail does; all others are settings."""


def public(view: Callable[P, R]) -> Callable[P, R]:
    """Declare a page that everybody may open."""
    return _declare(view, PUBLIC)


def signed_in(view: Callable[P, R]) -> Callable[P, R | Response]:
    """Declare a page for whoever is logged in."""

    @functools.wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R | Response:
        first = _first(Area.MAIL if request.blueprint in _MAIL else Area.SETTINGS)
        return view(*args, **kwargs) if first is None else first

    return _declare(guarded, SIGNED_IN)


def operators(view: Callable[P, R]) -> Callable[P, R | Response]:
    """Declare a page for whoever runs the service; for everybody else it does not exist."""

    @functools.wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R | Response:
        if current_user.is_authenticated and not current_user.view.operator:
            abort(404)
        first = _first(Area.OPERATOR)
        return view(*args, **kwargs) if first is None else first

    return _declare(guarded, OPERATORS)


def requires(permission: Permission) -> Callable[[Callable[..., R]], Callable[..., R | Response]]:
    """Declare a page of a workspace, whose slug is the view's argument `slug`.

    Args:
        permission: what a member needs; others get 403, strangers 404.
    """

    def decorate(view: Callable[..., R]) -> Callable[..., R | Response]:
        @functools.wraps(view)
        def guarded(slug: str, **kwargs: Any) -> R | Response:
            if (first := _first(Area.SETTINGS)) is not None:
                return first
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


def fresh(view: Callable[P, R]) -> Callable[P, R | Response]:
    """Let only those do it who showed a moment ago who they are; the others are asked, and come back to the page.

    Stands below the declaration, so that the permission is looked at first.
    """

    @functools.wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R | Response:
        if not people.fresh():
            return _to_confirm()
        return view(*args, **kwargs)

    return guarded


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


def _first(area: Area) -> Response | None:
    """What has to come before a page of an area: logging in, or showing again who one is; None: nothing."""
    if not current_user.is_authenticated:
        return to_login()
    return None if people.opens(area) else _to_confirm()


def to_login() -> Response:
    """Go and log in, and come back; a script that asks for a part of a page is told by its status."""
    if request.headers.get("X-Fragment"):
        abort(401)
    wanted = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("auth.login", next=wanted))


def _to_confirm() -> Response:
    if request.headers.get("X-Fragment"):
        abort(401)
    return redirect(url_for("auth.confirm", next=_page_of_request()))


def _page_of_request() -> str:
    """The page to come back to: this one, or for a form that was sent the nearest page above it that can be shown."""
    if request.method == "GET":
        return request.full_path.rstrip("?")
    adapter = current_app.create_url_adapter(request)
    path = request.path
    while adapter is not None and path.strip("/"):
        for candidate in dict.fromkeys((path, path.rstrip("/") + "/")):
            if adapter.test(candidate, method="GET"):
                return candidate
        path = path.rstrip("/").rpartition("/")[0]
    return "/"
