"""The forms of the inbox pages."""

from flask_wtf import FlaskForm
from wtforms import BooleanField, SelectField, StringField
from wtforms.validators import InputRequired, Length, Regexp

LOCAL_PART = Regexp(r"\s*[A-Za-z0-9._-]+\s*\Z", message="Letters, digits, dots, hyphens and underscores only.")


class InboxForm(FlaskForm):  # type: ignore[misc] # flask-wtf has no annotations
    """A new inbox."""

    local_part = StringField(
        "Address", validators=[InputRequired("Enter the part before the @."), LOCAL_PART, Length(max=64)]
    )
    domain = SelectField("Domain", validate_choice=False)
    name = StringField("Name", validators=[InputRequired("Enter whose or what it is."), Length(max=200)])
    mine = BooleanField("I read this inbox myself")


class AliasForm(FlaskForm):  # type: ignore[misc]
    """A new alias; an empty local part is the catch-all."""

    source = StringField("Alias", validators=[Length(max=64)])
    domain = SelectField("Domain", validate_choice=False)
    target = StringField(
        "Delivers to", validators=[InputRequired("Enter the address that gets the mail."), Length(max=320)]
    )


class SenderForm(FlaskForm):  # type: ignore[misc]
    """A further sender: an inbox's address, or `@domain` for all of a domain."""

    sender = StringField("Let it send as", validators=[InputRequired("Choose an inbox or a domain."), Length(max=320)])


class AppPasswordForm(FlaskForm):  # type: ignore[misc]
    """A new app password."""

    label = StringField(
        "Device or program", validators=[InputRequired("Give it a name, such as “phone”."), Length(max=200)]
    )
