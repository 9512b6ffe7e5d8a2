"""Turnstile's verification: answers are good once, and say for which page and action they were given."""

from typing import Any

from tests.fakes.json_api import JsonApi

SECRET_KEY = "0x-secret"


class Turnstile(JsonApi):
    """One site's Turnstile.

    Attributes:
        status: of HTTP, for all answers.
    """

    def __init__(self) -> None:
        super().__init__()
        self.status = 200
        self.bodies: list[dict[str, Any]] = []
        self._good: dict[str, tuple[str, str]] = {}

    def passed(self, answer: str, *, hostname: str, action: str) -> str:
        """Somebody has passed the widget; return what it puts into the form."""
        self._good[answer] = (hostname, action)
        return answer

    def answer(
        self, method: str, path: str, query: dict[str, str], body: dict[str, Any], token: str
    ) -> tuple[int, dict[str, Any] | None]:
        """As https://developers.cloudflare.com/turnstile/get-started/server-side-validation/ says."""
        self.bodies.append(body)
        if (method, path) != ("POST", "/turnstile/v0/siteverify") or self.status != 200:
            return (self.status if self.status != 200 else 404), {}
        if body.get("secret") != SECRET_KEY:
            return 200, {"success": False, "error-codes": ["invalid-input-secret"]}
        found = self._good.pop(body.get("response", ""), None)
        if found is None:
            return 200, {"success": False, "error-codes": ["timeout-or-duplicate"]}
        return 200, {"success": True, "hostname": found[0], "action": found[1], "error-codes": []}
