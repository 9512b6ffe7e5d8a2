"""The captcha of the sign-up form, whichever is configured; with none of them this does nothing.

A form shows `widget()`, its view asks `solved()` when it comes back. Whoever wants another captcha writes another
branch here and in `smailor.accounts.captcha`.
"""

from flask import Response, after_this_request, render_template, request
from markupsafe import Markup

from smailor.accounts import captcha
from webui.context import context
from webui.headers import PAGE_POLICY

_WORK = "captcha"
_TURNSTILE = "cf-turnstile-response"


def widget() -> Markup:
    """Return what stands in the form, and let its page load what that needs."""
    settings = context().settings
    kind = settings.captcha.kind
    if kind == "none":
        return Markup("")
    if kind == "turnstile":
        after_this_request(_allow)
    challenge = captcha.challenge(settings, now=context().clock()) if kind == "work" else ""
    html = render_template("auth/captcha.html", captcha=settings.captcha, challenge=challenge, action=captcha.ACTION)
    return Markup(html)  # noqa: S704 - our own template has escaped it


def solved() -> bool:
    """Tell whether the form that was sent may go on.

    Raises:
        TemporaryFailure: the service that knows does not answer: nobody signs up until it does.
    """
    settings, form = context().settings, request.form
    if settings.captcha.kind == "turnstile":
        return captcha.turnstile_passed(settings, answer=form.get(_TURNSTILE, ""))
    if settings.captcha.kind == "work":
        return captcha.work_done(context().database, settings, answer=form.get(_WORK, ""), now=context().clock())
    return True


def _allow(response: Response) -> Response:
    """Let this page, and no other one, load Turnstile's script and frame."""
    policy, origin = PAGE_POLICY, context().settings.captcha.origin
    for directive in ("script-src", "frame-src"):
        policy = policy.replace(f"{directive} 'self'", f"{directive} 'self' {origin}")
    response.headers["Content-Security-Policy"] = policy
    return response
