"""Security headers of every response. A view that needs other ones sets them itself: what is set stays."""

from flask import Flask, Response, request

from webui import texts

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; form-action 'self'; frame-src 'self'; frame-ancestors 'none'; "
    "base-uri 'none'"
)
"""Content-Security-Policy of our own pages: nothing inline, nothing from elsewhere, never in a frame."""

MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'self'; sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox"
)
"""Of a message's HTML: no script, nothing loaded but pictures that came with it, and a sandbox wherever it opens."""

FILE_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"
"""Of a downloaded file: even opened by mistake it can do nothing."""


def init_app(app: Flask) -> None:
    """Add the headers."""

    @app.after_request
    def secure(response: Response) -> Response:
        headers = response.headers
        headers.setdefault("Content-Security-Policy", PAGE_POLICY)
        headers.setdefault("X-Content-Type-Options", "nosniff")
        # To ourselves, as forms over HTTPS are believed by it; to nobody else, as addresses of pages tell of people.
        headers.setdefault("Referrer-Policy", "same-origin")
        headers.setdefault("X-Frame-Options", "DENY")
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        headers.setdefault("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()")
        if response.mimetype == "text/html":
            headers.setdefault("Content-Language", texts.language())
        if request.endpoint != "assets.static":
            # Pages hold mail: nothing of them stays in a cache, not even the browser's own.
            headers.setdefault("Cache-Control", "no-store")
        if app.config["SESSION_COOKIE_SECURE"]:
            headers.setdefault("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
        return response
