"""Who may call the API: whoever shows a key, in the workspace that it belongs to, for what its scopes name.

Only the Authorization header counts, never a cookie, so no other page can make a browser call it, and there is nothing
for a CSRF token to protect. Whether a key exists, has run out or was revoked is the same answer.
"""

import functools
from collections.abc import Callable
from typing import Any

from flask import Response, g, request

from smailor.accounts import api_calls, api_keys
from smailor.accounts.api_calls import Rate
from smailor.accounts.api_keys import Caller
from smailor.accounts.audit import Actor
from smailor.accounts.authority import By
from smailor.accounts.permissions import Permission
from smailor.sending import suspension_service
from smailor.sending.suspension import Part
from webui.access import API, Declaration, declare
from webui.api.problems import Problem
from webui.context import context

_REALM = {"WWW-Authenticate": 'Bearer realm="smailor"'}


def api(permission: Permission) -> Callable[[Callable[..., Response]], Callable[..., Response]]:
    """Declare a call of the API.

    Args:
        permission: what the key's scopes and its maker's role must both include; the scope has the same name.
    """

    def decorate(view: Callable[..., Response]) -> Callable[..., Response]:
        @functools.wraps(view)
        def guarded(**arguments: Any) -> Response:
            found = _caller()
            g.api_rate = _count(found)
            _enter(found, arguments.get("slug"), permission)
            g.api_caller = found
            return view(**arguments)

        return declare(guarded, Declaration(API, permission, scope=permission.value))

    return decorate


def caller() -> Caller:
    """Return who asks."""
    found: Caller = g.api_caller
    return found


def by() -> By:
    """Return who acts, for use cases: the key's maker, bound by their role, named with the key."""
    key = caller().key
    return By(Actor(key.actor_name, request.remote_addr or ""), key.created_by.id)


def rate_headers(response: Response) -> Response:
    """Say what the key has left (draft-ietf-httpapi-ratelimit-headers)."""
    rate: Rate | None = g.get("api_rate")
    if rate is not None:
        response.headers["RateLimit-Policy"] = f'"key";q={rate.limit};w={api_calls.WINDOW_SECONDS}'
        response.headers["RateLimit"] = f'"key";r={max(0, rate.left)};t={rate.reset_seconds}'
    return response


def _caller() -> Caller:
    kind, _, secret = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer":
        raise Problem(401, "no-key", "Send an API key: Authorization: Bearer smk_…", headers=_REALM)
    found = api_keys.find(context().database, secret=secret.strip(), now=context().clock())
    if found is None:
        headers = {"WWW-Authenticate": f'{_REALM["WWW-Authenticate"]}, error="invalid_token"'}
        raise Problem(401, "invalid-key", "This key opens nothing.", headers=headers)
    return found


def _count(found: Caller) -> Rate:
    database, now = context().database, context().clock()
    rate = api_calls.count(database, key_id=found.key.id, now=now)
    if rate.left < 0:
        g.api_rate = rate
        headers = {"Retry-After": str(rate.reset_seconds)}
        raise Problem(429, "too-many-requests", "This key was used too often just now.", headers=headers)
    api_keys.touch(database, key=found.key, source=request.remote_addr or "", now=now)
    return rate


def _enter(found: Caller, slug: str | None, permission: Permission) -> None:
    if slug is not None and slug != found.key.workspace.slug:
        raise Problem(404, "not-found", "It does not exist, or it is not for this key to see.")
    database, key = context().database, found.key
    for suspended in (
        suspension_service.workspace_suspended(database, workspace=key.workspace.slug, part=Part.LOGIN),
        suspension_service.login_suspended(database, user_id=key.created_by.id, email=key.created_by.email),
    ):
        if suspended is not None:
            raise Problem(403, "suspended", f"Suspended: {suspended.reason}.")
    if not found.may(permission):
        raise Problem(403, "insufficient-scope", f"This needs the scope {permission}, and a maker who may do it.")
