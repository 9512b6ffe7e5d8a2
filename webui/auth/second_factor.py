"""The page after the first factor: a code from the app, a passkey, or a recovery code."""

import logging

from flask import Response as FlaskResponse
from flask import make_response, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import StringField
from wtforms.validators import InputRequired, Length

from smailor import log
from smailor.accounts import factor_changes, pending, recovery_codes, second_factor, totp
from smailor.accounts.attempts import Kind
from smailor.accounts.audit import Actor
from smailor.accounts.factor_letters import Change
from smailor.accounts.passkeys import NotAccepted
from smailor.accounts.pending import Pending
from smailor.accounts.totp import Answer
from smailor.errors import NotFound
from webui import people
from webui.access import public
from webui.auth import factor_log, half_way, passkey
from webui.auth.finishing import finish
from webui.auth.throttle import Throttle, too_many
from webui.auth.views import blueprint
from webui.context import context

_logger = logging.getLogger(__name__)


class CodeForm(FlaskForm):  # type: ignore[misc] # flask-wtf has no annotations
    """Six digits, or a recovery code."""

    code = StringField(_l("Code"), validators=[InputRequired(_l("Enter a code.")), Length(max=100)])


@blueprint.get("/login/second-factor", endpoint="second_factor")
@public
def show() -> Response:
    """Ask for the second factor."""
    begun = half_way.look(half_way.SECOND_FACTOR)
    return _page(begun, CodeForm(formdata=None)) if begun else _over()


@blueprint.post("/login/second-factor")
@public
def second_factor_code() -> Response:
    """Take a code; five wrong ones, and the log-in begins anew."""
    form = CodeForm()
    begun = half_way.look(half_way.SECOND_FACTOR)
    if begun is None or begun.user_id is None:
        return _over()
    if not form.validate_on_submit():
        return _page(begun, form, code=422)
    throttle = Throttle(Kind.SECOND_FACTOR, factor_log.person(begun.user_id).email)
    if wait := throttle.wait():
        return _page(begun, form, problem=too_many(wait), code=429, wait=wait)
    # Counted before it is looked at: a thousand guesses at the same moment are five.
    token, now = half_way.token(half_way.SECOND_FACTOR), context().clock()
    spent = pending.spend_attempt(context().database, purpose=half_way.SECOND_FACTOR, token=token, now=now)
    if spent is None:
        return _over()
    kind, answer = _check(begun.user_id, form.code.data or "")
    if answer is Answer.RIGHT:
        throttle.passed()
        if kind == "recovery":
            _tell(begun.user_id, Change.CODE_USED)
        return _finish(kind)
    throttle.failed()
    if answer is Answer.LAST:
        _tell(begun.user_id, Change.CODES_GUESSED)
    factor_log.failed(f"login.{kind}", user_id=begun.user_id, reason=str(answer))
    log.event(_logger, logging.INFO, None, "second-factor-failed", user=begun.user_id, source=people.source())
    form.code.errors = [_said(kind, answer)]
    return _page(begun, form, code=429 if answer in {Answer.CLOSED, Answer.LAST} else 422)


@blueprint.post("/login/second-factor/passkey/options")
@public
def second_passkey_options() -> FlaskResponse:
    """Give a challenge to whoever has shown the first factor."""
    begun = half_way.look(half_way.SECOND_FACTOR)
    if begun is None:
        raise NotFound("no log-in has begun")
    return passkey.options(passkey.SECOND, user_id=begun.user_id)


@blueprint.post("/login/second-factor/passkey")
@public
def second_passkey() -> Response:
    """Take a passkey as the second factor."""
    begun = half_way.look(half_way.SECOND_FACTOR)
    if begun is None or begun.user_id is None:
        return _over()
    try:
        passkey.answered(passkey.SECOND, user_id=begun.user_id)
    except NotAccepted:
        return _page(
            begun, CodeForm(formdata=None), problem=_("That passkey does not belong to this account."), code=422
        )
    return _finish("passkey")


def _check(user_id: int, typed: str) -> tuple[str, Answer]:
    database, now = context().database, context().clock()
    digits = "".join(typed.split())
    if len(digits) <= totp.DIGITS and digits.isdigit():
        return "totp", totp.check(database, context().sealer, user_id=user_id, code=digits, now=now)
    used = recovery_codes.use(database, user_id=user_id, code=typed, now=now)
    return "recovery", Answer.RIGHT if used else Answer.WRONG


def _tell(user_id: int, change: Change) -> None:
    actor = Actor(factor_log.person(user_id).email, people.source())
    factor_changes.tell(factor_log.circumstances(actor), change, user_id=user_id)
    context().courier.send_soon()


def _said(kind: str, answer: Answer) -> str:
    if answer in {Answer.CLOSED, Answer.LAST}:
        return str(_("Too many wrong codes. Use a recovery code or a passkey, or wait a quarter of an hour."))
    if answer is Answer.USED:
        return str(_("This code has been used. Wait for the next one."))
    if kind == "recovery":
        return str(_("This is no recovery code that is left."))
    return str(_("This is not the present code. Is your phone's clock right?"))


def _finish(kind: str) -> Response:
    """Use the log-in up: of two who come with it at once, one gets in."""
    taken = half_way.take(half_way.SECOND_FACTOR)
    if taken is None or taken.user_id is None:
        return _over()
    method = f"{taken.values.get('method', 'password')}+{kind}"
    response = finish(
        factor_log.person(taken.user_id),
        method=method,
        second_factor=True,
        next_page=str(taken.values.get("next", "")),
    )
    half_way.forget(response, half_way.SECOND_FACTOR)
    return response


def _over() -> Response:
    """The log-in is over, or was tried too often: begin anew."""
    return redirect(url_for("auth.login", over=1))


def _page(begun: Pending, form: CodeForm, *, problem: str = "", code: int = 200, wait: int = 0) -> Response:
    assert begun.user_id is not None  # noqa: S101 - a second factor is somebody's
    have = second_factor.factors(context().database, user_id=begun.user_id)
    body = render_template(
        "auth/second_factor.html", form=form, have=have, passkeys=have.passkeys and passkey.party(), problem=problem
    )
    response = make_response(body, code)
    if wait:
        response.headers["Retry-After"] = str(wait)
    return response
