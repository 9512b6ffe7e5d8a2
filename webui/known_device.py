"""A cookie by which a browser is known that has logged in to an address before: guessing elsewhere does not slow it.

It opens nothing. It is signed, names addresses by digests, and each has a random mark, against which tries from this
browser count (`smailor.accounts.attempts`). Whoever steals one gains a small budget of guesses and no more.
"""

import hashlib
import secrets
from datetime import timedelta

from flask import request
from itsdangerous import BadData, URLSafeTimedSerializer
from werkzeug.wrappers import Response

from webui.context import context

LIFETIME = timedelta(days=180)
MOST = 5
"""Addresses that one browser is known for; the one that was used longest ago goes first."""
_MAX_COOKIE = 2000


def mark_for(address: str) -> str:
    """Return this browser's mark for an address as typed; empty: it has never logged in to it."""
    return _marks().get(_digest(address), "")


def remember(response: Response, address: str) -> None:
    """Know this browser from now on: whoever is behind it has just shown that the address is theirs."""
    marks = _marks()
    key = _digest(address)
    mark = marks.pop(key, "") or secrets.token_hex(12)
    kept = dict([*marks.items(), (key, mark)][-MOST:])
    web = context().settings.web
    response.set_cookie(
        _cookie(),
        _signer().dumps(kept),
        max_age=LIFETIME,
        path="/",
        httponly=True,
        samesite="Lax",
        secure=web.secure_cookies,
    )


def _marks() -> dict[str, str]:
    value = request.cookies.get(_cookie(), "")
    if not value or len(value) > _MAX_COOKIE:
        return {}
    try:
        found = _signer().loads(value, max_age=int(LIFETIME.total_seconds()))
    except BadData:
        return {}
    return {str(key): str(mark) for key, mark in found.items()} if isinstance(found, dict) else {}


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(context().settings.secrets.session_key, salt="known-device")


def _cookie() -> str:
    return "__Host-smailor-known" if context().settings.web.secure_cookies else "smailor-known"


def _digest(address: str) -> str:
    return hashlib.sha256(address.strip().lower().encode("utf-8", "surrogatepass")).hexdigest()[:32]
