"""What a person sees when something is not as it should be: one page a kind, with what to do next."""

import logging

from flask import Flask, Response, make_response, render_template, request
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from smailor import log
from smailor.errors import NotFound, PermissionDenied, SmailorError, TemporaryFailure
from webui import texts
from webui.api import problems

_logger = logging.getLogger(__name__)

_TEXTS = {
    400: (_l("That did not work"), _l("The request could not be understood.")),
    403: (_l("Not yours to open"), _l("Your role in this workspace does not include this. An owner can change that.")),
    404: (_l("Nothing here"), _l("This page does not exist, or it is not yours to see.")),
    405: (_l("That did not work"), _l("The page cannot be asked that way.")),
    413: (
        _l("Too large"),
        _l("What you sent is larger than we can take. Attachments have at most 25 MB together."),
    ),
    500: (_l("Something broke"), _l("That is our fault. It has been noted; please try again.")),
    503: (_l("One moment"), _l("A part of the service does not answer just now. Nothing is lost.")),
}


def init_app(app: Flask) -> None:
    """Register the handlers."""

    @app.errorhandler(CSRFError)
    def stale_form(error: CSRFError) -> Response:
        del error
        detail = _("The form was open for too long, or its cookie is gone. Go back, reload and try again.")
        return page(400, detail=detail)

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        if error.response is not None:
            return make_response(error.response)
        return page(error.code or 500)

    @app.errorhandler(SmailorError)
    def own_error(error: SmailorError) -> Response:
        if isinstance(error, NotFound):
            return page(404)
        if isinstance(error, PermissionDenied):
            return page(403, detail=texts.said(error))
        if isinstance(error, TemporaryFailure):
            log.event(_logger, logging.WARNING, None, "temporary-failure", path=request.path, error=error)
            return page(503, detail=texts.sentence(error))
        return page(400, detail=texts.said(error))

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        _logger.error("unexpected-error path=%s", log.quote(request.path), exc_info=error)
        return page(500)


def page(code: int, *, detail: str | None = None) -> Response:
    """Return the page for an HTTP status.

    Args:
        code: the status.
        detail: what exactly is the matter, in place of the general text.
    """
    if request.path.startswith("/api/"):
        return problems.response(code, "none" if code == 404 else "refused", str(_TEXTS.get(code, _TEXTS[500])[1]))
    title, text = _TEXTS.get(code, _TEXTS[400] if code < 500 else _TEXTS[500])
    try:
        signed_in = bool(current_user.is_authenticated)
    except SmailorError:
        # The database is what does not answer: the page must not ask it who this is.
        signed_in = False
    body = render_template("error.html", code=code, title=title, text=detail or text, signed_in=signed_in)
    response = make_response(body, code)
    if code == 503:
        response.headers["Retry-After"] = "10"
    return response
