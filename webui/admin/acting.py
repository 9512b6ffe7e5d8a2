"""What an operator may do in another person's name: look at all, change little, and nothing that is theirs alone.

A request that changes something is refused unless its page is on the list here, so that what is added later is refused,
too. Mail is read only: nothing is sent, moved or deleted in somebody's name.
"""

from flask import Flask, request
from flask_login import current_user

from smailor.accounts.impersonation import ActingAs
from smailor.errors import PermissionDenied, SmailorError
from webui import people
from webui.access import NOT_IN_THEIR_NAME

READING = frozenset({"GET", "HEAD", "OPTIONS"})
ALLOWED = frozenset({"domains", "inboxes", "sending", "texts"})
"""Blueprints in which an operator may change things in a person's name: what a tenant needs help with."""
REFUSED = frozenset({"inboxes.create_app_password", "inboxes.revoke_app_password", "inboxes.allow", "inboxes.disallow"})
ALWAYS = frozenset({"admin.stop_acting", "auth.logout"})


def init_app(app: Flask) -> None:
    """Guard every request that changes something, and tell templates in whose name they are shown."""

    @app.before_request
    def guard() -> None:
        if request.method in READING or request.endpoint in ALWAYS or request.blueprint == "api":
            return
        if people.acting_as() is None:
            return
        if request.blueprint not in ALLOWED or request.endpoint in REFUSED:
            raise PermissionDenied(NOT_IN_THEIR_NAME)

    @app.context_processor
    def banner() -> dict[str, object]:
        return {"acting": _acting}


def _acting() -> ActingAs | None:
    try:
        return people.acting_as() if current_user else None
    except SmailorError:
        # The database is what does not answer: the page that says so must not ask it.
        return None
