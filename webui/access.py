"""Who may open which page: every view says so here, in one line, and nowhere else.

`@public` for everybody, `@signed_in` for whoever is logged in (what they see is theirs), `@requires(permission)` for
members of the workspace that the URL names, `@operators` for whoever runs the service. What another tenant has does
not exist for the one who asks: 404. A view without a declaration is refused at its first request, and by a test before.

A page of one domain has it in its URL, as `name` or behind the @ of `address`: who administers that domain may open it.
A page of several (a list, a form that names one) says `some_domain=True`, and asks `may` or `demand` for each.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from flask import Flask, abort, current_app, g, redirect, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from smailor.accounts import members
from smailor.accounts.members import Membership
from smailor.accounts.permissions import Permission
from smailor.accounts.session_rules import Area
from smailor.address import DomainName
from smailor.errors import InvalidInput, PermissionDenied
from smailor.sending import suspension_service
from smailor.sending.suspension import Part, Suspension
from webui import people
from webui.context import context

P = ParamSpec("P")
R = TypeVar("R")

PUBLIC = "public"
SIGNED_IN = "signed-in"
OPERATORS = "operators"
MEMBERS = "members"
API = "api"
NOT_IN_THEIR_NAME = "This is for the person alone: nobody does it in their name."
_MAIL = frozenset({"home", "mail"})
"""Blueprints whose pages stay open for as long as mail does; all others are settings."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """Who may open a page.

    Attributes:
        kind: PUBLIC, SIGNED_IN, OPERATORS, MEMBERS or API.
        permission: what a member, or the owner of an API key, needs.
        some_domain: whether it is enough to have the permission in one domain of the workspace.
        scope: what an API key needs.
    """

    kind: str
    permission: Permission | None = None
    some_domain: bool = False
    scope: str = ""


def public(view: Callable[P, R]) -> Callable[P, R]:
    """Declare a page that everybody may open."""
    return declare(view, Declaration(PUBLIC))


def signed_in(view: Callable[P, R]) -> Callable[P, R | Response]:
    """Declare a page for whoever is logged in."""

    @functools.wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R | Response:
        first = _first(Area.MAIL if request.blueprint in _MAIL else Area.SETTINGS)
        return view(*args, **kwargs) if first is None else first

    return declare(guarded, Declaration(SIGNED_IN))


def operators(view: Callable[P, R]) -> Callable[P, R | Response]:
    """Declare a page for whoever runs the service; for everybody else it does not exist."""

    @functools.wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R | Response:
        if current_user.is_authenticated and not current_user.view.operator:
            abort(404)
        first = _first(Area.OPERATOR)
        return view(*args, **kwargs) if first is None else first

    return declare(guarded, Declaration(OPERATORS))


def requires(
    permission: Permission, *, some_domain: bool = False
) -> Callable[[Callable[..., R]], Callable[..., R | Response]]:
    """Declare a page of a workspace, whose slug is the view's argument `slug`.

    Args:
        permission: what a member needs, in the domain of the URL where it names one; others get 403, strangers 404.
        some_domain: whether who has it in one domain only may come in; the view asks for each domain that it touches.
    """

    def decorate(view: Callable[..., R]) -> Callable[..., R | Response]:
        @functools.wraps(view)
        def guarded(slug: str, **kwargs: Any) -> R | Response:
            if (first := _first(Area.SETTINGS)) is not None:
                return first
            membership = next((entry for entry in memberships() if entry.workspace.slug == slug), None)
            if membership is None:
                abort(404)
            may_enter = membership.may(permission, domain=_domain_of(kwargs))
            if not may_enter and not (some_domain and membership.may_somewhere(permission)):
                abort(403)
            refuse_suspended(membership.workspace.slug)
            g.membership = membership
            return view(slug, **kwargs)

        return declare(guarded, Declaration(MEMBERS, permission, some_domain))

    return decorate


def fresh(view: Callable[P, R]) -> Callable[P, R | Response]:
    """Let only those do it who showed a moment ago who they are; the others are asked, and come back to the page.

    Stands below the declaration, so that the permission is looked at first.
    """

    @functools.wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R | Response:
        if people.acting_as() is not None:
            raise PermissionDenied(NOT_IN_THEIR_NAME)
        if not people.fresh():
            return _to_confirm()
        return view(*args, **kwargs)

    return guarded


def _domain_of(arguments: Mapping[str, Any]) -> str | None:
    """Return the domain that a page's URL names, None where it names none."""
    given = arguments.get("name") or str(arguments.get("address", "")).rpartition("@")[2]
    return _domain(given) if given else None


def _domain(given: str) -> str | None:
    try:
        return DomainName.parse(given).name
    except InvalidInput:
        return None


def refuse_suspended(slug: str) -> None:
    """Close a workspace's pages while its log-in is suspended; operators go in.

    Raises:
        PermissionDenied: it is; the text says whom to ask.
    """
    if current_user.view.operator:
        return
    found = _suspended(slug)
    if found is not None:
        contact = context().settings.service.contact
        raise PermissionDenied(f"This workspace is suspended ({found.reason}). Write to {contact}.")


def _suspended(slug: str) -> Suspension | None:
    """What keeps people from logging in to a workspace, known since the request began where it is one of theirs."""
    if "standing" in g and any(entry.workspace.slug == slug for entry in memberships()):
        found: Suspension | None = g.standing.places.get(slug)
        return found
    return suspension_service.workspace_suspended(context().database, workspace=slug, part=Part.LOGIN)


def memberships() -> tuple[Membership, ...]:
    """Return the workspaces of the person who is logged in, asked once a request."""
    if "memberships" not in g:
        g.memberships = members.memberships(context().database, user_id=int(current_user.get_id()))
    found: tuple[Membership, ...] = g.memberships
    return found


def may(permission: Permission, domain: str | None = None) -> bool:
    """Tell whether the member may do this in the workspace of the page.

    Args:
        permission: what.
        domain: the domain that it is done to or in; None: to the workspace.
    """
    return "membership" in g and g.membership.may(permission, domain=domain)


def demand(permission: Permission, domain: str) -> None:
    """Go on only if the member may do this to a domain that a form names; otherwise answer 403."""
    if not may(permission, _domain(domain)):
        abort(403)


def declare(view: Callable[P, R], access: Declaration) -> Callable[P, R]:
    """Write down who may open a view; the guard around it is the caller's."""
    view.access = access  # type: ignore[attr-defined]
    return view


def declared(view: Callable[..., Any]) -> Declaration | None:
    """Return what a view declares, None for nothing."""
    return getattr(view, "access", None)


def init_app(app: Flask) -> None:
    """Refuse views that declare nothing; Flask's own static files are public."""

    @app.before_request
    def check() -> None:
        if request.endpoint is not None and declared(app.view_functions[request.endpoint]) is None:
            raise RuntimeError(f"the page {request.endpoint} does not declare who may open it")


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
