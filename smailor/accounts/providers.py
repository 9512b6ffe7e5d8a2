"""Logging in by somebody else: OpenID Connect issuers, Google, Discord. Asks them; knows no database and no page.

Each log-in has a state, a nonce and a PKCE verifier of its own (RFC 7636, S256), kept on our side until the browser
comes back. Which issuers there are is the operator's configuration; nothing that a visitor sends chooses an address.
"""

import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Any

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session

from smailor.accounts import id_token, provider_http
from smailor.accounts.discovery import Endpoints, Known, ask
from smailor.accounts.id_token import Identity, NotBelieved, UnknownKey
from smailor.config import Provider
from smailor.errors import NotFound

LIFETIME = timedelta(hours=1)
"""Of what was learnt of a provider."""
KEYS_RETRY = timedelta(minutes=1)
"""A token signed by an unknown key makes us ask for new keys, but not more often than this."""
_MAX_PARAMETER = 4096
_LABELS = {"google": "Google", "discord": "Discord"}


@dataclass(frozen=True, slots=True)
class Started:
    """A log-in that is to go to a provider.

    Attributes:
        url: where to send the browser.
        values: what has to be kept until it comes back.
    """

    url: str
    values: Mapping[str, str]


class Refused(NotBelieved):
    """The person did not agree, or the provider does not let them in."""


class Providers:
    """The configured providers, and what has been learnt of them.

    Args:
        settings: the configuration's `providers`.
    """

    def __init__(self, settings: Mapping[str, Provider]) -> None:
        self._settings = settings
        self._known: dict[str, Known] = {}
        self._lock = threading.Lock()

    @property
    def names(self) -> tuple[str, ...]:
        """Their names, in the configuration's order."""
        return tuple(self._settings)

    def label(self, name: str) -> str:
        """Return what people call a provider; one that is no longer configured by its name."""
        provider = self._settings.get(name)
        if provider is None:
            return name
        return provider.label or _LABELS.get(provider.kind, name.title())

    def start(self, name: str, *, callback: str, now: datetime, anew: bool = False) -> Started:
        """Begin a log-in.

        Args:
            name: the provider's section.
            callback: our address that the browser shall come back to.
            now: the present moment.
            anew: whether the provider shall ask the person again, who may be logged in there. Google and Discord
                cannot be made to.

        Raises:
            NotFound: there is no such provider.
            NoAnswer: it does not answer.
            NotBelieved: what it says of itself does not hold.
        """
        provider, known = self._provider(name), self._learn(name, now)
        values = {kind: secrets.token_urlsafe(32) for kind in ("state", "nonce", "verifier")}
        extra = {} if provider.kind == "discord" else {"nonce": values["nonce"]}
        anew = anew and provider.kind == "oidc"
        if anew:
            extra |= {"prompt": "login", "max_age": "0"}
        with self._client(provider, callback) as client:
            url, _ = client.create_authorization_url(
                known.endpoints.authorization, state=values["state"], code_verifier=values["verifier"], **extra
            )
        return Started(
            url=url,
            values={**values, "provider": name, "issuer": known.endpoints.issuer, "anew": "yes" if anew else ""},
        )

    def finish(
        self, name: str, *, answer: Mapping[str, str], kept: Mapping[str, str], callback: str, now: datetime
    ) -> Identity:
        """Return who came back.

        Args:
            name: the provider whose callback was called.
            answer: the fields that the browser brought.
            kept: the values of `start`.
            callback: the same as at the start.
            now: the present moment.

        Raises:
            NotFound: there is no such provider.
            Refused: the person or the provider said no.
            NoAnswer: the provider does not answer.
            NotBelieved: one of the checks failed.
        """
        provider = self._provider(name)
        code = _code(name, answer, kept)
        known = self._learn(name, now)
        if known.endpoints.issuer != kept.get("issuer"):
            raise NotBelieved("the issuer has changed meanwhile")
        _check_issuer(answer, known.endpoints)
        tokens = self._tokens(
            provider, known.endpoints, code=code, verifier=kept.get("verifier", ""), callback=callback
        )
        if provider.kind == "discord":
            person = provider_http.get_json(known.endpoints.userinfo, bearer=_bearer(tokens))
            return id_token.identity(_discord_claims(person), issuer=known.endpoints.issuer)
        nonce, token = kept.get("nonce", ""), _text(tokens, "id_token")
        try:
            claims = self._verify(provider, known, token, nonce, now)
        except UnknownKey:
            if now - known.asked_at < KEYS_RETRY:
                raise
            claims = self._verify(provider, self._learn(name, now, anew=True), token, nonce, now)
        if kept.get("anew"):
            id_token.check_asked_anew(claims, now=now)
        if "email" not in claims and known.endpoints.userinfo:
            more = provider_http.get_json(known.endpoints.userinfo, bearer=_bearer(tokens))
            if more.get("sub") != claims["sub"]:
                raise NotBelieved("userinfo of somebody else")
            claims = {**claims, **{key: more.get(key) for key in ("email", "email_verified", "name")}}
        return id_token.identity(claims, issuer=known.endpoints.issuer)

    def _provider(self, name: str) -> Provider:
        if name not in self._settings:
            raise NotFound(f"there is no log-in by {name}")
        return self._settings[name]

    def _client(self, provider: Provider, callback: str) -> OAuth2Session:
        client = OAuth2Session(
            provider.client_id,
            provider.client_secret,
            scope="identify email" if provider.kind == "discord" else "openid email profile",
            redirect_uri=callback,
            code_challenge_method="S256",
            token_endpoint_auth_method="client_secret_basic",  # noqa: S106 - a method's name
        )
        provider_http.prepare(client)
        return client

    def _tokens(
        self, provider: Provider, endpoints: Endpoints, *, code: str, verifier: str, callback: str
    ) -> Mapping[str, Any]:
        with self._client(provider, callback) as client:
            try:
                tokens = client.fetch_token(
                    endpoints.token,
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=verifier,
                    allow_redirects=False,
                )
            except (AuthlibBaseError, requests.RequestException, ValueError, RecursionError) as error:
                raise NotBelieved(f"no tokens: {type(error).__name__}") from error
        return tokens if isinstance(tokens, dict) else {}

    def _verify(self, provider: Provider, known: Known, token: str, nonce: str, now: datetime) -> Mapping[str, Any]:
        return id_token.verify(
            token, keys=known.keys, issuer=known.endpoints.issuer, client_id=provider.client_id, nonce=nonce, now=now
        )

    def _learn(self, name: str, now: datetime, *, anew: bool = False) -> Known:
        """Return what is known of a provider, asked for once an hour."""
        known = self._known.get(name)
        if known is not None and not anew and now - known.asked_at < LIFETIME:
            return known
        known = ask(self._settings[name], now)
        with self._lock:
            self._known[name] = known
        return known


def _code(name: str, answer: Mapping[str, str], kept: Mapping[str, str]) -> str:
    if kept.get("provider") != name:
        raise NotBelieved("another provider's callback")
    state = answer.get("state", "")[:_MAX_PARAMETER]
    if not kept.get("state") or not compare_digest(state.encode("utf-8", "replace"), kept["state"].encode()):
        raise NotBelieved("another log-in's state")
    if "error" in answer:
        raise Refused("the provider said no")
    code = answer.get("code", "")
    if not 0 < len(code) <= _MAX_PARAMETER:
        raise NotBelieved("no code")
    return code


def _check_issuer(answer: Mapping[str, str], endpoints: Endpoints) -> None:
    """Who says that this is the answer (RFC 9207 §2.4): a provider must not answer for another one."""
    if ("iss" in answer or endpoints.says_issuer) and answer.get("iss") != endpoints.issuer:
        raise NotBelieved("another issuer's answer")


def _text(tokens: Mapping[str, Any], name: str) -> str:
    value = tokens.get(name)
    return value if isinstance(value, str) else ""


def _bearer(tokens: Mapping[str, Any]) -> str:
    token = _text(tokens, "access_token")
    if not token or not token.isascii() or not token.isprintable() or len(token) > _MAX_PARAMETER:
        raise NotBelieved("no access token")
    return token


def _discord_claims(person: Mapping[str, Any]) -> Mapping[str, Any]:
    """Discord's words for what OpenID Connect calls claims."""
    return {
        "sub": person.get("id"),
        "email": person.get("email"),
        "email_verified": person.get("verified"),
        "name": person.get("global_name") or person.get("username"),
    }
