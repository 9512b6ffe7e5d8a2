"""The page with the API's description, and what holds for every answer of the API."""

import functools
import json

from flask import Flask, Response, request

from webui.access import public
from webui.api import openapi, problems
from webui.api.access import rate_headers
from webui.api.operations import blueprint
from webui.context import context

PREFIX = "/api/"


@blueprint.get("/openapi.json")
@public
def description() -> Response:
    """Send the description."""
    settings = context().settings
    text = _document(settings.service.name, f"{settings.web.public_url.rstrip('/')}/api/v1")
    return Response(text, content_type="application/json")


@functools.cache
def _document(title: str, url: str) -> str:
    return json.dumps(openapi.document(title=title, url=url), ensure_ascii=False)


@blueprint.errorhandler(Exception)
def problem(error: Exception) -> Response:
    """Tell what went wrong as a problem."""
    return problems.of(error)


def init_app(app: Flask) -> None:
    """Put the rate's headers into every answer."""

    @app.after_request
    def after(response: Response) -> Response:
        return rate_headers(response) if request.path.startswith(PREFIX) else response
