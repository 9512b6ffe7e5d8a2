"""The person's ways into their own account: authenticator app and recovery codes; passkeys and links beside it.

Whatever changes a way in asks for a fresh log-in, gives the session a new token, is written down, and told by letter.
"""

import io

import segno
from flask import Blueprint, flash, make_response, redirect, render_template, url_for
from flask import Response as FlaskResponse
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import StringField
from wtforms.validators import InputRequired, Length

from smailor.accounts import factor_changes, identities, passkeys, second_factor, totp
from smailor.accounts.factor_changes import Circumstances
from smailor.errors import NotFound
from webui import people
from webui.access import fresh, signed_in
from webui.auth import factor_log, half_way
from webui.context import context

blueprint = Blueprint("security", __name__)
ENROLMENT = "totp-new"


class CodeForm(FlaskForm):  # type: ignore[misc] # flask-wtf has no annotations
    """The first code of a new app."""

    code = StringField(_l("Code"), validators=[InputRequired(_l("Enter a code.")), Length(max=100)])


@blueprint.get("/account/security")
@signed_in
def index() -> Response:
    """Show the ways in."""
    user_id = people.current_session().user.id
    database = context().database
    body = render_template(
        "account/security.html",
        have=second_factor.factors(database, user_id=user_id),
        app=totp.view(database, user_id=user_id),
        passkeys=passkeys.list_passkeys(database, user_id=user_id),
        links=identities.list_identities(database, user_id=user_id),
        label=context().providers.label,
    )
    return make_response(body)


@blueprint.get("/account/security/app")
@signed_in
@fresh
def app() -> Response:
    """Show the QR code of a new app, the same one until it is confirmed or its time is over."""
    secret = _secret()
    if secret is not None:
        return _app_page(secret, CodeForm(formdata=None))
    secret = totp.draw_secret()
    response = _app_page(secret, CodeForm(formdata=None))
    half_way.start(
        response,
        purpose=ENROLMENT,
        user_id=people.current_session().user.id,
        values={"sealed_secret": context().sealer.seal(secret)},
    )
    return response


@blueprint.get("/account/security/app/qr.svg")
@signed_in
@fresh
def app_picture() -> FlaskResponse:
    """Draw the QR code of the app that is being added: a picture of its own, read by a phone's camera."""
    secret = _secret()
    if secret is None:
        raise NotFound("no app is being added")
    picture = io.BytesIO()
    segno.make(_address(secret), micro=False, error="m").save(
        picture, kind="svg", scale=5, border=4, dark="#000", light="#fff", xmldecl=False, svgclass=None, lineclass=None
    )
    response = FlaskResponse(picture.getvalue(), mimetype="image/svg+xml")
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.post("/account/security/app")
@signed_in
@fresh
def add_app() -> Response:
    """Take the new app when its code shows that it has the secret."""
    secret = _secret()
    if secret is None:
        flash(_("That took too long. Begin again."), "problem")
        return redirect(url_for("security.app"))
    form = CodeForm()
    if not form.validate_on_submit():
        return _app_page(secret, form, code=422)
    by = circumstances()
    step = totp.matching_step(secret, form.code.data or "", by.now)
    if step is None:
        form.code.errors = [_("This is not the present code. Is your phone's clock right?")]
        return _app_page(secret, form, code=422)
    if half_way.take(ENROLMENT) is None:
        return redirect(url_for("security.index"))
    codes = factor_changes.add_totp(by, user_id=people.current_session().user.id, secret=secret, step=step)
    return changed(_("The authenticator app was added."), codes)


@blueprint.post("/account/security/app/remove")
@signed_in
@fresh
def remove_app() -> Response:
    """Take the app away."""
    try:
        factor_changes.remove_totp(circumstances(), user_id=people.current_session().user.id)
    except NotFound:
        flash(_("It was gone already."), "info")
        return redirect(url_for("security.index"))
    return changed(_("The authenticator app was removed."))


@blueprint.post("/account/security/codes")
@signed_in
@fresh
def draw_codes() -> Response:
    """Draw new recovery codes and show them, this once."""
    try:
        codes = factor_changes.draw_codes(circumstances(), user_id=people.current_session().user.id)
    except NotFound:
        flash(_("Add an authenticator app or a passkey first."), "info")
        return redirect(url_for("security.index"))
    return changed(_("The old recovery codes are void."), codes)


def circumstances() -> Circumstances:
    """Who changes a way in, when, and with what."""
    return factor_log.circumstances(people.actor())


def changed(text: str, codes: tuple[str, ...] = ()) -> Response:
    """Answer a change: with the new recovery codes if there are any, else back on the overview; under a new token."""
    response: Response
    if codes:
        response = make_response(render_template("account/security_codes.html", codes=codes, text=text))
        response.headers["Cache-Control"] = "no-store"
    else:
        flash(text, "done")
        response = redirect(url_for("security.index"))
    people.rotate(response)
    context().courier.send_soon()
    return response


def _secret() -> str | None:
    """The secret of the app that this person is adding in this browser."""
    begun = half_way.look(ENROLMENT)
    if begun is None or begun.user_id != people.current_session().user.id:
        return None
    return context().sealer.unseal(str(begun.values["sealed_secret"]))


def _address(secret: str) -> str:
    service = context().settings.service.name
    return totp.address(secret, service=service, person=people.current_session().user.email)


def _app_page(secret: str, form: CodeForm, *, code: int = 200) -> Response:
    spaced = " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
    body = render_template("account/security_app.html", form=form, secret=spaced, address=_address(secret))
    response = make_response(body, code)
    response.headers["Cache-Control"] = "no-store"
    return response
