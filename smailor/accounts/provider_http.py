"""How providers are asked over HTTP: bounded in time, size and number at once, without redirects, proxies or cookies.

A provider that hangs costs a few of the web's threads for a few seconds, never all of them.
"""

import json
import time
from collections.abc import Mapping
from threading import BoundedSemaphore
from typing import Any, cast

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from smailor.errors import TemporaryFailure

CONNECT_SECONDS = 3.0
READ_SECONDS = 5.0
"""Without a byte."""
ANSWER_SECONDS = 8.0
"""For a whole answer."""
MAX_ANSWER = 256 * 1024
_AT_ONCE = BoundedSemaphore(4)


class NoAnswer(TemporaryFailure):
    """The provider did not answer in time, or not in a way that can be read."""


class BoundedAdapter(HTTPAdapter):
    """Reads the whole answer within the bounds above, before anybody looks at it."""

    def send(  # type: ignore[override]  # the library's arguments, all but the request ours to choose
        self, request: requests.PreparedRequest, **options: Any
    ) -> requests.Response:
        """Send a request and read its answer.

        Raises:
            NoAnswer: it is too slow, too large, or a redirect.
        """
        options |= {"stream": True, "timeout": (CONNECT_SECONDS, READ_SECONDS), "proxies": {}}
        if not _AT_ONCE.acquire(timeout=CONNECT_SECONDS):
            raise NoAnswer("too many wait for the provider")
        try:
            begun = time.monotonic()
            response = super().send(request, **options)
            response._content = _read(response, begun + ANSWER_SECONDS)  # noqa: SLF001 - where requests keeps it
        except (requests.RequestException, HTTPError, OSError) as error:
            raise NoAnswer(f"the provider does not answer ({type(error).__name__})") from error
        finally:
            _AT_ONCE.release()
        if response.is_redirect or 300 <= response.status_code < 400:
            raise NoAnswer("the provider sends us elsewhere")
        return response


def _read(response: requests.Response, deadline: float) -> bytes:
    parts: list[bytes] = []
    size = 0
    try:
        while part := response.raw.read1(16_384):
            size += len(part)
            parts.append(part)
            if size > MAX_ANSWER:
                raise NoAnswer("the provider's answer is too large")
            if time.monotonic() > deadline:
                raise NoAnswer("the provider's answer takes too long")
    finally:
        response.close()
    return b"".join(parts)


def prepare(session: requests.Session) -> None:
    """Make a session ask in this way: Authlib's or a plain one."""
    session.trust_env = False  # neither proxies nor passwords from the environment
    session.max_redirects = 0
    session.headers["Accept-Encoding"] = "identity"  # what is small on the wire stays small here
    session.headers["Accept"] = "application/json"
    session.mount("https://", BoundedAdapter())
    session.mount("http://", BoundedAdapter())


def get_json(url: str, *, bearer: str = "") -> Mapping[str, Any]:
    """Return the JSON object at an address.

    Args:
        url: checked by the caller.
        bearer: an access token to show.

    Raises:
        NoAnswer: there is none.
    """
    with requests.Session() as session:
        prepare(session)
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        return as_object(session.get(url, headers=headers, allow_redirects=False))


def post_json(url: str, value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Send an object and return the JSON object that comes back; errors as in `get_json`."""
    with requests.Session() as session:
        prepare(session)
        return as_object(session.post(url, json=dict(value), allow_redirects=False))


def as_object(response: requests.Response) -> Mapping[str, Any]:
    """Return the JSON object of an answer of status 200.

    Raises:
        NoAnswer: it is something else.
    """
    if response.status_code != 200:
        raise NoAnswer(f"the provider answers {response.status_code}")
    try:
        value = json.loads(response.content)
    except (ValueError, RecursionError) as error:
        raise NoAnswer("the provider's answer is not JSON") from error
    if not isinstance(value, dict):
        raise NoAnswer("the provider's answer is not an object")
    return cast("Mapping[str, Any]", value)
