"""A small OpenID Connect provider, and Discord's OAuth2, with ways to be hostile. It checks clients as a strict one does.

`OidcProvider` listens on loopback while it is open as a context manager. Whoever asks for `/authorize` is logged in at
once as `person` and sent back: this is a provider's page after "Allow". `hostile` names what is wrong with its answers.
"""

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jws
from joserfc.jwk import RSAKey

CLIENT_ID = "smailor-at-the-provider"
CLIENT_SECRET = "what only the two of us know"

HOSTILE_TOKENS = (
    "wrong nonce",
    "missing nonce",
    "alg none",
    "hs256 with the public key",
    "unknown key",
    "broken signature",
    "wrong audience",
    "several audiences",
    "wrong azp",
    "expired",
    "issued long ago",
    "issued in the future",
    "missing times",
    "wrong issuer",
    "missing sub",
    "odd sub",
    "not a token",
    "no id token",
    "huge id token",
)
"""What may be wrong with an ID token."""
HOSTILE_ENDPOINTS = ("slow", "huge", "not json", "list", "error", "redirect", "deep json")
"""How the token endpoint may answer."""


@dataclass(frozen=True)
class Person:
    """Somebody with an account at the provider."""

    sub: str = "sub-of-ada"
    email: str | None = "ada@lovelace.test"
    email_verified: Any = True
    name: str = "Ada Lovelace"


@dataclass
class _Grant:
    person: Person
    nonce: str
    challenge: str
    redirect_uri: str
    asked_anew: bool
    used: bool = False


@dataclass
class OidcProvider:
    """One provider.

    Attributes:
        hostile: what is wrong, see `HOSTILE_TOKENS`, `HOSTILE_ENDPOINTS` and the methods; empty: nothing.
        person: who is logged in there.
        says_issuer: whether its answers carry `iss` (RFC 9207).
        claims_in_token: whether the address is in the ID token, else at the userinfo endpoint only.
        now: seconds since the epoch, as its clock says.
        delay: seconds that it takes when it is slow.
    """

    hostile: str = ""
    person: Person = field(default_factory=Person)
    says_issuer: bool = True
    claims_in_token: bool = True
    now: float = 0.0
    delay: float = 30.0

    def __post_init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.key = RSAKey.generate_key(2048, {"kid": "first", "use": "sig", "alg": "RS256"}, private=True)
        self._grants: dict[str, _Grant] = {}
        self._tokens: dict[str, Person] = {}
        self._closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"provider": self}))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    # ---- what a browser does there -----------------------------------------------------------------------------

    def allow(self, authorize_url: str) -> str:
        """Log in there and agree; return the address that the browser is sent back to."""
        query = {name: values[-1] for name, values in parse_qs(urlsplit(authorize_url).query).items()}
        assert query["client_id"] == CLIENT_ID
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        assert len(query["state"]) >= 32
        code = secrets.token_urlsafe(16)
        self._grants[code] = _Grant(
            self.person,
            query.get("nonce", ""),
            query["code_challenge"],
            query["redirect_uri"],
            query.get("max_age") == "0",
        )
        answer = {"code": code, "state": query["state"]}
        if self.says_issuer:
            answer["iss"] = self.url
        if self.hostile == "mixed-up answer":
            answer["iss"] = "https://another.test"
        if self.hostile == "wrong state":
            answer["state"] = secrets.token_urlsafe(32)
        if self.hostile == "missing state":
            del answer["state"]
        if self.hostile == "missing iss":
            answer.pop("iss", None)
        if self.hostile == "wrong code":
            answer["code"] = "never given"
        if self.hostile == "denied":
            answer = {"error": "access_denied", "state": query["state"]}
        return f"{query['redirect_uri']}?{urlencode(answer)}"

    # ---- what we ask it ----------------------------------------------------------------------------------------

    def discovery(self) -> dict[str, Any]:
        """The discovery document."""
        document = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "jwks_uri": f"{self.url}/jwks",
            "authorization_response_iss_parameter_supported": self.says_issuer,
            "id_token_signing_alg_values_supported": ["RS256", "none", "HS256"],
        }
        if self.hostile == "another issuer's discovery":
            document["issuer"] = "https://another.test"
        if self.hostile == "plain endpoint elsewhere":
            document["token_endpoint"] = "http://192.0.2.1/token"
        return document

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        """Exchange a code: the client's secret, the redirect address and the PKCE verifier have to be right."""
        user, _, secret = base64.b64decode(authorization.removeprefix("Basic ") or b"").decode().partition(":")
        if (user, secret) != (CLIENT_ID, CLIENT_SECRET):
            return 401, {"error": "invalid_client"}
        grant = self._grants.get(form.get("code", ""))
        verifier = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if (
            grant is None
            or grant.used
            or form.get("redirect_uri") != grant.redirect_uri
            or base64.urlsafe_b64encode(verifier).rstrip(b"=").decode() != grant.challenge
        ):
            return 400, {"error": "invalid_grant"}
        grant.used = True
        access = secrets.token_urlsafe(16)
        self._tokens[access] = grant.person
        answer: dict[str, Any] = {"access_token": access, "token_type": "Bearer", "expires_in": 300}
        if self.hostile != "no id token":
            answer["id_token"] = self.id_token(grant)
        return 200, answer

    def id_token(self, grant: _Grant) -> str:
        """The ID token, with whatever is wrong with it."""
        now, person = int(self.now or time.time()), grant.person
        claims: dict[str, Any] = {
            "iss": self.url,
            "sub": person.sub,
            "aud": CLIENT_ID,
            "exp": now + 300,
            "iat": now,
            "nonce": grant.nonce,
        }
        if grant.asked_anew and self.hostile != "missing auth_time":
            claims["auth_time"] = now - 90_000 if self.hostile == "not asked anew" else now
        if self.claims_in_token:
            claims |= {"email": person.email, "email_verified": person.email_verified, "name": person.name}
        claims |= {
            "wrong nonce": {"nonce": "of another log-in"},
            "wrong audience": {"aud": "somebody-else"},
            "several audiences": {"aud": [CLIENT_ID, "somebody-else"], "azp": CLIENT_ID},
            "wrong azp": {"azp": "somebody-else"},
            "expired": {"iat": now - 500, "exp": now - 200},
            "issued long ago": {"iat": now - 90_000},
            "issued in the future": {"iat": now + 3600, "exp": now + 7200},
            "wrong issuer": {"iss": "https://another.test"},
            "odd sub": {"sub": "a\x00b"},
            "huge id token": {"padding": "x" * 30_000},
        }.get(self.hostile, {})
        for name in {"missing nonce": ("nonce",), "missing sub": ("sub",), "missing times": ("exp", "iat")}.get(
            self.hostile, ()
        ):
            del claims[name]
        return self._signed(claims)

    def _signed(self, claims: dict[str, Any]) -> str:
        payload = json.dumps(claims).encode()
        if self.hostile == "not a token":
            return "this.is.no token"
        if self.hostile == "alg none":
            return f"{_b64(json.dumps({'alg': 'none'}).encode())}.{_b64(payload)}."
        if self.hostile == "hs256 with the public key":
            # By hand: libraries refuse to make what an attacker makes.
            head = f"{_b64(json.dumps({'alg': 'HS256', 'kid': 'first'}).encode())}.{_b64(payload)}"
            return f"{head}.{_b64(hmac.digest(self.key.as_pem(private=False), head.encode(), 'sha256'))}"
        key = self.key
        if self.hostile == "unknown key":
            key = RSAKey.generate_key(2048, {"kid": "another"}, private=True)
        token = jws.serialize_compact({"alg": "RS256", "kid": key.kid}, payload, key)
        if self.hostile == "broken signature":
            head, body, signature = token.split(".")
            return f"{head}.{body}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"
        return token

    def userinfo(self, authorization: str) -> tuple[int, dict[str, Any]]:
        """What there is to know of a person; for Discord `/api/users/@me`."""
        person = self._tokens.get(authorization.removeprefix("Bearer "))
        if person is None:
            return 401, {"error": "invalid_token"}
        if self.hostile == "userinfo of somebody else":
            person = replace(person, sub="somebody-else")
        return 200, {
            "sub": person.sub,
            "email": person.email,
            "email_verified": person.email_verified,
            "name": person.name,
        }

    def discord_me(self, authorization: str) -> tuple[int, dict[str, Any]]:
        """Discord's words for the same."""
        status, claims = self.userinfo(authorization)
        if status != 200:
            return status, claims
        return 200, {
            "id": claims["sub"],
            "username": claims["name"],
            "email": claims["email"],
            "verified": claims["email_verified"],
        }

    def page(self, path: str, address: str, authorization: str) -> tuple[int, dict[str, Any]]:
        """What a GET finds."""
        if path == "/.well-known/openid-configuration":
            return 200, self.discovery()
        if path == "/jwks":
            return 200, {"keys": [self.key.as_dict(private=False), {"kty": "unknown to us"}]}
        if path == "/userinfo":
            return self.userinfo(authorization)
        if path == "/api/users/@me":
            return self.discord_me(authorization)
        if path in {"/authorize", "/oauth2/authorize"}:
            return 302, {"Location": self.allow(f"{self.url}{address}")}
        return 404, {}


class _Handler(BaseHTTPRequestHandler):
    provider: OidcProvider
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self.provider.requests.append(("GET", path, {}))
        self._json(*self.provider.page(path, self.path, self.headers.get("Authorization") or ""))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        form = {name: values[-1] for name, values in parse_qs(body).items()}
        self.provider.requests.append(("POST", urlsplit(self.path).path, form))
        hostile = self.provider.hostile
        if hostile == "slow":
            self._drip()
        elif hostile == "redirect":
            self._json(302, {"Location": f"{self.provider.url}/token2"})
        elif hostile in _BODIES:
            self._answer(500 if hostile == "error" else 200, _BODIES[hostile])
        else:
            self._json(*self.provider.token(form, self.headers.get("Authorization") or ""))

    def _drip(self) -> None:
        """Send a byte now and then: never silent for long, never done."""
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        until = time.monotonic() + self.provider.delay
        while time.monotonic() < until and not self.provider._closing.wait(0.2):
            try:
                self.wfile.write(b" ")
                self.wfile.flush()
            except OSError:
                break
        self.close_connection = True

    def _json(self, status: int, value: dict[str, Any]) -> None:
        if status == 302:
            self._answer(302, b"", **value)
        else:
            self._answer(status, json.dumps(value).encode())

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            self.close_connection = True  # who asked has heard enough

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing: `requests` remembers."""


_BODIES = {
    "huge": b'{"access_token": "' + b"x" * 2_000_000 + b'"}',
    "not json": b"<h1>Good evening</h1>",
    "list": b"[1, 2]",
    "deep json": b"[" * 200_000,
    "error": b"{}",
}


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
