"""The pages of a workspace's API keys: list, make one and show it this once, revoke."""

from datetime import timedelta

from flask import Blueprint, Response, flash, make_response, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response as Redirect
from wtforms import SelectField, SelectMultipleField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length

from smailor.accounts import api_keys
from smailor.accounts.api_keys import SCOPES, NewApiKey
from smailor.accounts.authority import By
from smailor.accounts.permissions import Permission
from smailor.errors import InvalidInput
from webui.access import fresh, may, requires
from webui.context import context
from webui.people import actor
from webui.texts import sentence

blueprint = Blueprint("api_keys", __name__, url_prefix="/w/<slug>/api-keys")

WORDS = {
    Permission.VIEW_WORKSPACE: _l("See the workspace"),
    Permission.VIEW_MEMBERS: _l("See its members"),
    Permission.MANAGE_MEMBERS: _l("Change members, invite"),
    Permission.VIEW_AUDIT: _l("Read the audit trail"),
}
DAYS = {7: _l("7 days"), 30: _l("30 days"), 90: _l("90 days"), 365: _l("a year")}
_FIELDS = {"label": "label", "scopes": "scopes", "expires": "days"}


class KeyForm(FlaskForm):  # type: ignore[misc] # flask-wtf has no annotations
    """A key to make."""

    label = StringField(_l("Name"), validators=[InputRequired(_l("Say what it is for.")), Length(max=200)])
    scopes = SelectMultipleField(_l("It may"), choices=[SelectChoice(scope.value, WORDS[scope]) for scope in SCOPES])
    days = SelectField(
        _l("For"), choices=[SelectChoice(days, text) for days, text in DAYS.items()], coerce=int, default=90
    )


@blueprint.get("/")
@requires(Permission.MANAGE_API_KEYS)
def index(slug: str) -> Response:
    """List the workspace's keys."""
    return _page(slug, KeyForm(formdata=None))


@blueprint.post("/")
@requires(Permission.MANAGE_API_KEYS)
@fresh
def create(slug: str) -> Response:
    """Make a key and show it, this once."""
    form = KeyForm()
    if not form.validate_on_submit():
        return _page(slug, form, code=422)
    now = context().clock()
    try:
        new = api_keys.create(
            context().database,
            workspace=slug,
            label=form.label.data,
            scopes=form.scopes.data,
            expires_at=now + timedelta(days=form.days.data),
            by=_by(),
            now=now,
        )
    except InvalidInput as error:
        form[_FIELDS.get(error.field, "label")].errors = [sentence(error)]
        return _page(slug, form, code=422)
    return _page(slug, KeyForm(formdata=None), new=new)


@blueprint.post("/<int:number>/revoke")
@requires(Permission.MANAGE_API_KEYS)
@fresh
def revoke(slug: str, number: int) -> Redirect:
    """Revoke a key: the program that uses it is out at its next call."""
    api_keys.revoke(context().database, workspace=slug, key_id=number, by=_by(), now=context().clock())
    flash(_("Revoked. That key opens nothing any more."), "done")
    return redirect(url_for("api_keys.index", slug=slug))


def _by() -> By:
    return By(actor(), int(current_user.get_id()))


def _page(slug: str, form: KeyForm, *, new: NewApiKey | None = None, code: int = 200) -> Response:
    body = render_template(
        "api_keys/index.html",
        slug=slug,
        form=form,
        new=new,
        keys=api_keys.list_keys(context().database, workspace=slug),
        words=WORDS,
        days=DAYS,
        scopes=[scope for scope in SCOPES if may(scope)],
        now=context().clock(),
    )
    return make_response(body, code)
