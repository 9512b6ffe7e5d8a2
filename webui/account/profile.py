"""A person's own page: name, language, address and password."""

from flask import Blueprint, flash, make_response, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import EmailField, PasswordField, SelectField, StringField
from wtforms.validators import InputRequired, Length

from smailor.accounts import credentials
from smailor.accounts import profile as use_case
from smailor.accounts.attempts import Kind
from smailor.accounts.languages import LANGUAGES
from smailor.errors import Conflict, InvalidInput, NotFound
from webui import known_device, people
from webui.access import fresh, signed_in
from webui.asked import asked
from webui.auth.field_errors import show_beside
from webui.auth.finishing import stop
from webui.auth.throttle import Throttle, source_wait, too_many
from webui.context import context

blueprint = Blueprint("account", __name__, url_prefix="/account")


class ProfileForm(FlaskForm):  # type: ignore[misc] # flask-wtf has no annotations
    """What a person says of themselves."""

    name = StringField(_l("Your name"), validators=[InputRequired(_l("Enter your name.")), Length(max=200)])
    language = SelectField(_l("Language"), validate_choice=False)


class PasswordForm(FlaskForm):  # type: ignore[misc]
    """The new password."""

    password = PasswordField(_l("New password"), validators=[InputRequired(_l("Choose a password.")), Length(max=1000)])


class AddressForm(FlaskForm):  # type: ignore[misc]
    """The new address."""

    email = EmailField(_l("New address"), validators=[InputRequired(_l("Enter an address.")), Length(max=320)])


class ButtonForm(FlaskForm):  # type: ignore[misc]
    """A button alone."""


@blueprint.route("/", methods=["GET", "POST"])
@signed_in
def index() -> Response:
    """Show and change what the person says of themselves."""
    user = people.current_session().user
    form = ProfileForm(name=user.name, language=user.language)
    if not form.validate_on_submit():
        return _profile(form, code=422 if form.is_submitted() else 200)
    try:
        use_case.change(
            context().database,
            user_id=user.id,
            name=form.name.data,
            language=form.language.data or "",
            asked=asked(),
        )
    except InvalidInput as error:
        return show_beside(error, form, _profile)
    flash(_("Saved."), "done")
    return redirect(url_for("account.index"))


@blueprint.route("/password", methods=["GET", "POST"])
@signed_in
@fresh
def password() -> Response:
    """Choose another password; all other sessions end."""
    form, session = PasswordForm(), people.current_session()
    if not form.validate_on_submit():
        return _page("account/password.html", form, code=422 if form.is_submitted() else 200)
    try:
        ended = credentials.change(
            context().database,
            context().desk,
            user_id=session.user.id,
            password=form.password.data,
            keep=session.id,
            asked=asked(),
        )
    except InvalidInput as error:
        return show_beside(error, form, lambda shown, code: _page("account/password.html", shown, code=code))
    people.leave_mail(ended)
    context().courier.send_soon()
    flash(_("Your new password holds from now on. Everywhere else you are logged out."), "done")
    response = redirect(url_for("account.index"))
    people.rotate(response)
    return response


@blueprint.route("/address", methods=["GET", "POST"])
@signed_in
@fresh
def address() -> Response:
    """Ask for another address to log in with; it counts when its link is opened."""
    form = AddressForm()
    if not form.is_submitted():
        return _page("account/address.html", form)
    wait = source_wait(Kind.SIGN_UP)
    if wait:
        return _page("account/address.html", form, problem=too_many(wait), code=429)
    if not form.validate():
        return _page("account/address.html", form, code=422)
    throttle = Throttle(Kind.SIGN_UP, form.email.data)
    letter = throttle.wait() == 0
    try:
        use_case.ask_address(
            context().database,
            context().desk,
            user_id=people.current_session().user.id,
            email=form.email.data,
            letter=letter,
            asked=asked(),
        )
    except InvalidInput as error:
        return show_beside(error, form, lambda shown, code: _page("account/address.html", shown, code=code))
    throttle.failed()
    context().courier.send_soon()
    flash(_("We have written to the new address. It counts when you open the link in that letter."), "done")
    return redirect(url_for("account.index"))


@blueprint.route("/address/<token>", methods=["GET", "POST"])
@signed_in
def confirm_address(token: str) -> Response:
    """Take the new address, by a button."""
    user, form = people.current_session().user, ButtonForm()
    try:
        wanted = use_case.wanted_address(context().database, user_id=user.id, token=token, asked=asked())
        if not form.validate_on_submit():
            return _page("account/confirm_address.html", form, wanted=wanted)
        view = use_case.confirm_address(context().database, context().desk, user_id=user.id, token=token, asked=asked())
    except (NotFound, Conflict):
        return stop(
            _("This link does not work any more"),
            _("It was used before, its time is up, or it is somebody else's."),
            code=404,
        )
    context().courier.send_soon()
    flash(_("From now on you log in as %(address)s.", address=view.email), "done")
    response = redirect(url_for("account.index"))
    people.rotate(response)
    known_device.remember(response, view.email)
    return response


def _profile(form: ProfileForm, code: int) -> Response:
    return _page("account/index.html", form, code=code, choices=LANGUAGES)


def _page(template: str, form: FlaskForm, *, code: int = 200, **values: object) -> Response:
    return make_response(render_template(template, form=form, **values), code)
