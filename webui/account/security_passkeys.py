"""The person's passkeys: make, name, remove."""

from flask import Response as FlaskResponse
from flask import flash, redirect, request, url_for
from flask_babel import gettext as _
from webauthn.helpers import generate_challenge
from werkzeug.wrappers import Response

from smailor.accounts import factor_changes, passkeys
from smailor.accounts.passkeys import NotAccepted
from smailor.errors import Conflict, InvalidInput, NotFound
from webui import people
from webui.access import fresh, signed_in
from webui.account.security import blueprint, changed, circumstances
from webui.auth import factor_log, passkey
from webui.context import context
from webui.texts import sentence

NEW = "passkey-new"


@blueprint.post("/account/security/passkeys/options")
@signed_in
@fresh
def passkey_options() -> FlaskResponse:
    """Tell the browser what passkey to make."""
    user, challenge = people.current_session().user, generate_challenge()
    value = passkeys.registration_options(
        context().database, passkey.needed_party(), user_id=user.id, email=user.email, challenge=challenge
    )
    return passkey.keep(value, NEW, challenge, user_id=user.id)


@blueprint.post("/account/security/passkeys")
@signed_in
@fresh
def add_passkey() -> Response:
    """Keep the passkey that the browser has made."""
    user_id = people.current_session().user.id
    try:
        new = passkeys.verify_registration(
            passkey.needed_party(),
            credential=request.form.get("credential", ""),
            challenge=passkey.challenge_of(NEW, user_id=user_id),
        )
        codes = factor_changes.add_passkey(
            circumstances(), new, user_id=user_id, label=request.form.get("label", "") or _("Passkey")
        )
    except NotAccepted as error:
        factor_log.failed("passkey.add", user_id=user_id, reason=str(error))
        flash(_("The passkey could not be checked. Try again."), "problem")
        return redirect(url_for("security.index"))
    except Conflict:
        flash(_("This passkey is there already."), "info")
        return redirect(url_for("security.index"))
    except InvalidInput as error:
        flash(_("The name: %(problem)s", problem=sentence(error)), "problem")
        return redirect(url_for("security.index"))
    return changed(_("The passkey was added."), codes)


@blueprint.post("/account/security/passkeys/<int:number>/name")
@signed_in
def rename_passkey(number: int) -> Response:
    """Give a passkey another name."""
    try:
        passkeys.rename(
            context().database,
            user_id=people.current_session().user.id,
            passkey_id=number,
            label=request.form.get("label", ""),
        )
        flash(_("Renamed."), "done")
    except InvalidInput as error:
        flash(_("The name: %(problem)s", problem=sentence(error)), "problem")
    return redirect(url_for("security.index"))


@blueprint.post("/account/security/passkeys/<int:number>/remove")
@signed_in
@fresh
def remove_passkey(number: int) -> Response:
    """Remove a passkey, unless it is the last way in."""
    try:
        factor_changes.remove_passkey(
            circumstances(),
            user_id=people.current_session().user.id,
            passkey_id=number,
            providers=context().providers.names,
        )
    except NotFound:
        flash(_("It was gone already."), "info")
        return redirect(url_for("security.index"))
    except Conflict as error:
        flash(sentence(error), "problem")
        return redirect(url_for("security.index"))
    return changed(_("The passkey was removed."))
