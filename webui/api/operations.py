"""Operations of the API: each is declared once, with what it takes and gives; routes and OpenAPI are made of that.

Everything that comes in is bounded and parsed by a pydantic model, everything that goes out is one. A POST with an
Idempotency-Key is carried out once (draft-ietf-httpapi-idempotency-key-header).
"""

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from flask import Blueprint, Response, request
from pydantic import BaseModel

from smailor.accounts import api_calls
from smailor.accounts.api_calls import Answer
from smailor.accounts.permissions import Permission
from webui.api import problems
from webui.api.access import api, caller
from webui.api.problems import Problem
from webui.context import context

MAX_BODY_BYTES = 64 * 1024
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}\Z")
_KEPT_HEADERS = ("Content-Type", "Location")

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")


@dataclass(frozen=True, slots=True)
class Operation:
    """A call of the API.

    Attributes:
        name: its name in OpenAPI, and the view's.
        method: the HTTP method.
        path: below /api/v1, as Flask writes it.
        permission: what it needs.
        summary: one line for people.
        answer: what comes back; None: nothing.
        query: what its address may say; None: nothing.
        body: what is sent; None: nothing.
        status: when all went well.
    """

    name: str
    method: str
    path: str
    permission: Permission
    summary: str
    answer: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    status: int = 200


@dataclass(frozen=True, slots=True)
class Call:
    """One call, parsed.

    Attributes:
        values: from the path.
        headers: what the answer gets.
    """

    values: Mapping[str, Any]
    query: BaseModel | None
    body: BaseModel | None
    headers: dict[str, str] = field(default_factory=dict)


OPERATIONS: dict[str, Operation] = {}
"""All of them, by name, in the order in which they are declared."""


def operation(
    method: str,
    path: str,
    permission: Permission,
    *,
    answer: type[BaseModel] | None = None,
    query: type[BaseModel] | None = None,
    body: type[BaseModel] | None = None,
    status: int = 200,
) -> Callable[[Callable[[Call], BaseModel | None]], Callable[[Call], BaseModel | None]]:
    """Declare an operation; arguments as in `Operation`."""

    def decorate(carry_out: Callable[[Call], BaseModel | None]) -> Callable[[Call], BaseModel | None]:
        summary = (carry_out.__doc__ or "").strip().partition("\n")[0]
        declared = Operation(carry_out.__name__, method, path, permission, summary, answer, query, body, status)
        OPERATIONS[declared.name] = declared

        @api(permission)
        @functools.wraps(carry_out)
        def view(**values: Any) -> Response:
            if method == "POST":
                return _once(lambda: _run(declared, carry_out, values))
            return _run(declared, carry_out, values)

        blueprint.add_url_rule(path, declared.name, view, methods=[method])
        return carry_out

    return decorate


def _run(declared: Operation, carry_out: Callable[[Call], BaseModel | None], values: Mapping[str, Any]) -> Response:
    arguments = _arguments()
    if arguments and declared.query is None:
        raise Problem(422, "invalid", "This address takes no values after the question mark.")
    query = declared.query.model_validate(arguments) if declared.query else None
    call = Call(values, query, _body(declared.body) if declared.body else None)
    found = carry_out(call)
    if found is None:
        return Response(status=204)
    text = found.model_dump_json()
    response = Response(text, status=declared.status, content_type="application/json", headers=call.headers)
    if declared.method == "GET":
        response.set_etag(sha256(response.get_data()).hexdigest()[:32])
        response.make_conditional(request)
    return response


def _arguments() -> dict[str, str]:
    if any(len(values) > 1 for values in request.args.listvalues()):
        raise Problem(422, "invalid", "A value of the address is given twice.")
    return request.args.to_dict()


def _body(kind: type[BaseModel]) -> BaseModel:
    if request.mimetype != "application/json":
        raise Problem(415, "unsupported-media-type", "Send application/json.")
    return kind.model_validate_json(_data())


def _data() -> bytes:
    request.max_content_length = MAX_BODY_BYTES
    return request.get_data()


def _once(run: Callable[[], Response]) -> Response:
    name = request.headers.get("Idempotency-Key")
    if name is None:
        return run()
    if not _IDEMPOTENCY_KEY.match(name):
        raise Problem(400, "invalid-idempotency-key", "An Idempotency-Key has 1 to 255 visible ASCII characters.")
    database, key_id = context().database, caller().key.id
    said = b"\0".join((request.method.encode(), request.full_path.encode(), request.mimetype.encode(), _data()))
    digest, now = sha256(said).hexdigest(), context().clock()
    before = api_calls.begin(database, key_id=key_id, idempotency_key=name, request_sha256=digest, now=now)
    if before is not None:
        headers = {**before.headers, "Idempotency-Replayed": "true"}
        return Response(before.body, status=before.status, headers=headers)
    try:
        response = run()
    except Exception as error:  # noqa: BLE001 - told as a problem by `problems.of`, which logs what nobody expected
        response = problems.of(error)
    if response.status_code >= 500:
        api_calls.forget(database, key_id=key_id, idempotency_key=name)
    else:
        kept = {header: response.headers[header] for header in _KEPT_HEADERS if header in response.headers}
        answer = Answer(response.status_code, kept, response.get_data(as_text=True))
        api_calls.finish(database, key_id=key_id, idempotency_key=name, answer=answer)
    return response
