"""Passkeys in the browser: challenges for whoever is about to sign, and log-in without name and password.

The script asks for options, has the device sign them, and sends an ordinary form. Options and answer belong together
by a pending log-in of this browser, which is used up by the answer, right or wrong.
"""

import logging
from typing import Any

from flask import Response, jsonify, request
from flask_babel import gettext as _
from flask_login import current_user
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, generate_challenge
from werkzeug.wrappers import Response as BaseResponse

from smailor import log
from smailor.accounts import factor_changes, passkeys
from smailor.accounts.attempts import Kind
from smailor.accounts.audit import Actor
from smailor.accounts.factor_letters import Change
from smailor.accounts.passkeys import CopyFound, NotAccepted, RelyingParty
from smailor.errors import NotFound
from webui import people
from webui.access import public
from webui.auth import factor_log, half_way
from webui.auth.finishing import confirmed, finish
from webui.auth.throttle import Throttle
from webui.auth.views import blueprint
from webui.context import context

LOG_IN = "passkey"
CONFIRM = "passkey-confirm"
SECOND = "passkey-second"
_logger = logging.getLogger(__name__)


def party() -> RelyingParty | None:
    """Return who we are to browsers; None: passkeys are not offered."""
    settings = context().settings
    return passkeys.relying_party(settings.web.public_url, name=settings.service.name)


def needed_party() -> RelyingParty:
    """The same; raises NotFound where passkeys are not offered."""
    found = party()
    if found is None:
        raise NotFound("passkeys are not offered here")
    return found


@blueprint.post("/login/passkey/options")
@public
def passkey_options() -> Response:
    """Give a challenge to whoever wants to log in, without saying who they are."""
    return options(LOG_IN, user_id=None)


@blueprint.post("/login/passkey")
@public
def passkey_login() -> BaseResponse:
    """Log in whose passkey it is: with user verification it is both factors."""
    throttle = Throttle(Kind.PASSKEY, "")
    if wait := throttle.wait():
        return factor_log.wait(wait)
    try:
        user_id = answered(LOG_IN, user_id=None)
    except NotAccepted:
        throttle.failed()
        return factor_log.wrong(
            _("This passkey does not open anything here. Log in with your password, or try again."), code=403
        )
    user = factor_log.person(user_id)
    return finish(user, method="passkey", second_factor=True)


@blueprint.post("/confirm/passkey/options")
@public
def confirm_passkey_options() -> Response:
    """Give a challenge to whoever is logged in and shows again who they are."""
    if not current_user.is_authenticated:
        raise NotFound("nobody is logged in")
    return options(CONFIRM, user_id=people.current_session().user.id)


@blueprint.post("/confirm/passkey")
@public
def confirm_passkey() -> BaseResponse:
    """Show by a passkey that one is still the same."""
    if not current_user.is_authenticated:
        raise NotFound("nobody is logged in")
    try:
        answered(CONFIRM, user_id=people.current_session().user.id)
    except NotAccepted:
        return factor_log.wrong(_("That is not a passkey of yours. Go back and try again."), code=403)
    return confirmed(method="passkey")


def options(purpose: str, *, user_id: int | None) -> Response:
    """Return a challenge and keep it for this browser.

    Args:
        purpose: what it is for.
        user_id: whose passkeys will do; None: anybody's.
    """
    challenge = generate_challenge()
    value = passkeys.authentication_options(context().database, needed_party(), user_id=user_id, challenge=challenge)
    return keep(value, purpose, challenge, user_id=user_id)


def keep(value: dict[str, Any], purpose: str, challenge: bytes, *, user_id: int | None) -> Response:
    """Send options to the script, and keep their challenge for the answer."""
    response = jsonify(value)
    half_way.start(response, purpose=purpose, user_id=user_id, values={"challenge": bytes_to_base64url(challenge)})
    return response


def answered(purpose: str, *, user_id: int | None) -> int:
    """Return whose passkey has signed the challenge that this browser was given.

    Raises:
        NotAccepted: none has, or there is no challenge; it has been written down.
    """
    now = context().clock()
    try:
        return passkeys.verify_authentication(
            context().database,
            needed_party(),
            credential=request.form.get("credential", ""),
            challenge=challenge_of(purpose, user_id=user_id),
            user_id=user_id,
            now=now,
        )
    except NotAccepted as error:
        owner = error.user_id if isinstance(error, CopyFound) else user_id
        if isinstance(error, CopyFound):
            actor = Actor(factor_log.person(error.user_id).email, people.source())
            factor_changes.tell(factor_log.circumstances(actor), Change.PASSKEY_COPIED, user_id=error.user_id)
        log.event(_logger, logging.INFO, None, "passkey-refused", reason=error, source=people.source())
        factor_log.failed("login.passkey", user_id=owner, reason=str(error))
        raise


def challenge_of(purpose: str, *, user_id: int | None) -> bytes:
    """Use up this browser's challenge.

    Raises:
        NotAccepted: there is none, or it is somebody else's.
    """
    pending = half_way.take(purpose)
    if pending is None or pending.user_id != user_id:
        raise NotAccepted("no challenge, or an old one")
    return base64url_to_bytes(str(pending.values["challenge"]))
