"""The API's description (OpenAPI 3.1), made of the operations as they are declared: it cannot say anything else."""

import re
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from smailor.accounts.api_calls import PER_WINDOW, WINDOW_SECONDS
from webui.api import shapes
from webui.api.operations import OPERATIONS, Operation

_ARGUMENT = re.compile(r"<(?:(\w+):)?(\w+)>")
_REF = "#/components/schemas/{model}"


def document(*, title: str, url: str) -> dict[str, Any]:
    """Return the description.

    Args:
        title: what the service is called.
        url: where the API is.
    """
    used: list[type[BaseModel]] = [shapes.Problem]
    for entry in OPERATIONS.values():
        used += [kind for kind in (entry.answer, entry.body) if kind is not None and kind not in used]
    modes = [(kind, "validation" if issubclass(kind, shapes.Incoming) else "serialization") for kind in used]
    _, schemas = models_json_schema(modes, ref_template=_REF)  # type: ignore[arg-type] # literals, by the line above
    paths: dict[str, dict[str, Any]] = {}
    for entry in OPERATIONS.values():
        path = _ARGUMENT.sub(r"{\2}", entry.path)
        paths.setdefault(path, {})[entry.method.lower()] = _operation(entry)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"{title} API",
            "version": "1",
            "description": (
                f"At most {PER_WINDOW} calls in {WINDOW_SECONDS} seconds with one key; the headers RateLimit and"
                " RateLimit-Policy say what is left. Errors are problem details (RFC 9457)."
            ),
        },
        "servers": [{"url": url}],
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "An API key, smk_…"}},
        },
    }


def _operation(entry: Operation) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": "Done."}
    if entry.answer is not None:
        answer["content"] = {"application/json": {"schema": _ref(entry.answer)}}
    problem = {
        "description": "What is the matter.",
        "content": {"application/problem+json": {"schema": _ref(shapes.Problem)}},
    }
    found: dict[str, Any] = {
        "operationId": entry.name,
        "summary": entry.summary,
        "description": f"Needs the scope `{entry.permission}`.",
        "parameters": [*_path_parameters(entry), *_query_parameters(entry), *_header_parameters(entry)],
        "responses": {str(entry.status if entry.answer else 204): answer, "default": problem},
    }
    if entry.body is not None:
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref(entry.body)}}}
    return found


def _ref(kind: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=kind.__name__)}


def _path_parameters(entry: Operation) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "integer" if kind == "int" else "string"}}
        for kind, name in _ARGUMENT.findall(entry.path)
    ]


def _query_parameters(entry: Operation) -> list[dict[str, Any]]:
    if entry.query is None:
        return []
    schema = entry.query.model_json_schema()
    return [
        {"name": name, "in": "query", "required": False, "schema": shape}
        for name, shape in schema["properties"].items()
    ]


def _header_parameters(entry: Operation) -> list[dict[str, Any]]:
    if entry.method != "POST":
        return []
    return [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "description": "A name of the request of your own: it is carried out once within 24 hours.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        }
    ]
