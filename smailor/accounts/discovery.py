"""What a provider says of itself: its addresses and keys (OpenID Connect Discovery 1.0).

Which one is asked is the operator's choice alone. The issuer has to be, letter for letter, the configured one, and
every address has to be HTTPS.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from smailor.accounts import provider_http
from smailor.accounts.id_token import NotBelieved
from smailor.config import ISSUERS, Provider

MAX_KEYS = 50


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What we know of a provider."""

    issuer: str
    authorization: str
    token: str
    userinfo: str
    keys: str
    says_issuer: bool
    """Whether its answers say who gives them (RFC 9207)."""


@dataclass(frozen=True, slots=True)
class Known:
    """The same with its keys, and when it was asked."""

    endpoints: Endpoints
    keys: tuple[Mapping[str, Any], ...]
    asked_at: datetime


def ask(provider: Provider, now: datetime) -> Known:
    """Ask a provider about itself.

    Raises:
        NoAnswer: it does not answer.
        NotBelieved: what it says does not hold.
    """
    issuer = provider.issuer or ISSUERS[provider.kind]
    if provider.kind == "discord":
        # No OpenID Connect there: https://docs.discord.com/developers/topics/oauth2
        base = issuer.rstrip("/")
        endpoints = Endpoints(
            issuer=issuer,
            authorization=f"{base}/oauth2/authorize",
            token=f"{base}/api/oauth2/token",
            userinfo=f"{base}/api/users/@me",
            keys="",
            says_issuer=False,
        )
        return Known(endpoints, (), now)
    # OpenID Connect Discovery 1.0 §4.
    document = provider_http.get_json(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    if document.get("issuer") != issuer:
        raise NotBelieved("the discovery document is another issuer's")
    endpoints = Endpoints(
        issuer=issuer,
        authorization=_address(provider, document, "authorization_endpoint"),
        token=_address(provider, document, "token_endpoint"),
        userinfo=_address(provider, document, "userinfo_endpoint") if "userinfo_endpoint" in document else "",
        keys=_address(provider, document, "jwks_uri"),
        says_issuer=document.get("authorization_response_iss_parameter_supported") is True,
    )
    keys = provider_http.get_json(endpoints.keys).get("keys")
    if not isinstance(keys, list) or len(keys) > MAX_KEYS:
        raise NotBelieved("the provider's keys cannot be read")
    return Known(endpoints, tuple(key for key in keys if isinstance(key, dict)), now)


def _address(provider: Provider, document: Mapping[str, Any], name: str) -> str:
    """Return an endpoint that secrets may be sent to."""
    text = document.get(name)
    if not isinstance(text, str) or not text.isascii() or not text.isprintable() or len(text) > 2000:
        raise NotBelieved(f"{name} is missing")
    try:
        url = urlsplit(text)
    except ValueError as error:
        raise NotBelieved(f"{name} is no address") from error
    here = provider.loopback and url.scheme == "http" and url.hostname in {"127.0.0.1", "::1", "localhost"}
    if not url.hostname or "@" in url.netloc or url.fragment or not (url.scheme == "https" or here):
        raise NotBelieved(f"{name} is not HTTPS")
    return text
