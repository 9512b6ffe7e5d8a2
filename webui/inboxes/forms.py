"""The forms of the inbox pages."""

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import BooleanField, SelectField, StringField
from wtforms.validators import InputRequired, Length, Regexp

LOCAL_PART = Regexp(r"\s*[A-Za-z0-9._-]+\s*\Z", message=_l("Letters, digits, dots, hyphens and underscores only."))


class InboxForm(FlaskForm):  # type: ignore[misc] # flask-wtf has no annotations
    """A new inbox."""

    local_part = StringField(
        _l("Address"), validators=[InputRequired(_l("Enter the part before the @.")), LOCAL_PART, Length(max=64)]
    )
    domain = SelectField(_l("Domain"), validate_choice=False)
    name = StringField(_l("Name"), validators=[InputRequired(_l("Enter whose or what it is.")), Length(max=200)])
    mine = BooleanField(_l("I read this inbox myself"))


class AliasForm(FlaskForm):  # type: ignore[misc]
    """A new alias; an empty local part is the catch-all."""

    source = StringField(_l("Alias"), validators=[Length(max=64)])
    domain = SelectField(_l("Domain"), validate_choice=False)
    target = StringField(
        _l("Delivers to"), validators=[InputRequired(_l("Enter the address that gets the mail.")), Length(max=320)]
    )


class SenderForm(FlaskForm):  # type: ignore[misc]
    """A further sender: an inbox's address, or `@domain` for all of a domain."""

    sender = StringField(
        _l("Let it send as"), validators=[InputRequired(_l("Choose an inbox or a domain.")), Length(max=320)]
    )


class AppPasswordForm(FlaskForm):  # type: ignore[misc]
    """A new app password."""

    label = StringField(
        _l("Device or program"), validators=[InputRequired(_l("Give it a name, such as “phone”.")), Length(max=200)]
    )
