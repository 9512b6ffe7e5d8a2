"""What a person sees when something is not as it should be: one page a kind, with what to do next."""

import logging

from flask import Flask, Response, make_response, render_template, request
from flask_login import current_user
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from smailor import log
from smailor.errors import NotFound, PermissionDenied, SmailorError, TemporaryFailure

_logger = logging.getLogger(__name__)

_TEXTS = {
    400: ("That did not work", "The request could not be understood."),
    403: ("Not yours to open", "Your role in this workspace does not include this. An owner can change that."),
    404: ("Nothing here", "This page does not exist, or it is not yours to see."),
    405: ("That did not work", "The page cannot be asked that way."),
    413: ("Too large", "What you sent is larger than we can take. Attachments have at most 25 MB together."),
    500: ("Something broke", "That is our fault. It has been noted; please try again."),
    503: ("One moment", "A part of the service does not answer just now. Nothing is lost."),
}


def init_app(app: Flask) -> None:
    """Register the handlers."""

    @app.errorhandler(CSRFError)
    def stale_form(error: CSRFError) -> Response:
        del error
        return page(400, detail="The form was open for too long, or its cookie is gone. Go back, reload and try again.")

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
            return page(403, detail=str(error))
        if isinstance(error, TemporaryFailure):
            log.event(_logger, logging.WARNING, None, "temporary-failure", path=request.path, error=error)
            return page(503, detail=f"{str(error)[:1].upper()}{str(error)[1:]}.")
        return page(400, detail=str(error))

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
