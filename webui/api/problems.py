"""What the API answers when something is not as it should be: RFC 9457 problem details, always the same shape."""

import json
import logging
from http import HTTPStatus
from typing import Any

from flask import Response, request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from smailor import log
from smailor.accounts.api_calls import AnotherRequest
from smailor.errors import Conflict, InvalidInput, NotFound, PermissionDenied, SmailorError, TemporaryFailure

CONTENT_TYPE = "application/problem+json"
_MAX_ERRORS = 20
_logger = logging.getLogger(__name__)


class Problem(Exception):
    """A problem of the API's own.

    Attributes:
        status: the HTTP status.
        code: what is the matter, for programs.
        detail: the same for people.
        headers: what goes with it.
    """

    def __init__(self, status: int, code: str, detail: str, *, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers or {}


def response(
    status: int,
    code: str,
    detail: str,
    *,
    errors: list[dict[str, str]] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """Return a problem as a response.

    Args:
        status: the HTTP status.
        code: what is the matter, for programs: it stays the same when texts change.
        detail: the same for people.
        errors: what is wrong with single values.
        headers: what goes with it.
    """
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
    }
    if errors:
        body["errors"] = errors[:_MAX_ERRORS]
    return Response(
        json.dumps(body, ensure_ascii=False), status=status, content_type=CONTENT_TYPE, headers=headers or {}
    )


def of(error: Exception) -> Response:
    """Return the problem that an exception is; what nobody expected is logged and told as a fault of ours."""
    if isinstance(error, Problem):
        return response(error.status, error.code, error.detail, headers=error.headers)
    if isinstance(error, ValidationError):
        return response(422, "invalid", "Some values cannot be used.", errors=_errors(error))
    if isinstance(error, HTTPException):
        return _of_http(error)
    if isinstance(error, SmailorError):
        return _of_room(error)
    _logger.error("unexpected-error path=%s", log.quote(request.path), exc_info=error)
    return response(500, "internal", "That is our fault. It has been noted.")


def _of_http(error: HTTPException) -> Response:
    status = error.code or 500
    code = HTTPStatus(status).phrase.lower().replace(" ", "-")
    found = response(status, code, error.description or HTTPStatus(status).description)
    allowed = getattr(error, "valid_methods", None)
    if allowed:
        found.headers["Allow"] = ", ".join(sorted(allowed))
    return found


def _of_room(error: SmailorError) -> Response:
    if isinstance(error, InvalidInput):
        errors = [{"field": error.field, "message": error.message}]
        return response(422, "invalid", "Some values cannot be used.", errors=errors)
    if isinstance(error, NotFound):
        return response(404, "not-found", "It does not exist, or it is not for this key to see.")
    if isinstance(error, AnotherRequest):
        return response(422, "idempotency-key-reused", str(error))
    if isinstance(error, Conflict):
        return response(409, "conflict", str(error))
    if isinstance(error, PermissionDenied):
        return response(403, "forbidden", str(error))
    if isinstance(error, TemporaryFailure):
        log.event(_logger, logging.WARNING, None, "temporary-failure", path=request.path, error=error)
        return response(503, "unavailable", "Try again in a moment.", headers={"Retry-After": "10"})
    return response(400, "bad-request", str(error))


def _errors(error: ValidationError) -> list[dict[str, str]]:
    return [
        {"field": ".".join(str(part)[:100] for part in entry["loc"])[:200] or "body", "message": entry["msg"][:300]}
        for entry in error.errors(include_url=False, include_context=False, include_input=False)[:_MAX_ERRORS]
    ]
