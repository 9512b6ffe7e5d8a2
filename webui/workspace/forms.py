"""The forms of the workspace pages."""

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import BooleanField, EmailField, PasswordField, SelectField, SelectMultipleField, StringField
from wtforms.validators import InputRequired, Length

from smailor.accounts.names import MAX_NAME


class NameForm(FlaskForm):  # type: ignore[misc] # flask-wtf has no annotations
    """What people call the workspace."""

    name = StringField(_l("Name"), validators=[InputRequired(_l("Enter a name.")), Length(max=MAX_NAME)])


class NewForm(NameForm):
    """A further workspace."""

    slug = StringField(
        _l("Short name"),
        validators=[InputRequired(_l("Enter a short name, such as acme-gmbh.")), Length(max=50)],
    )


class PrivacyForm(FlaskForm):  # type: ignore[misc]
    """Whether what people send hides from where."""

    on = BooleanField(_l("Hide the sender's network and computer"))


class MemberForm(FlaskForm):  # type: ignore[misc]
    """A member's role and domains."""

    role = SelectField(_l("Role"), validate_choice=False)
    domains = SelectMultipleField(_l("Administers these domains"), validate_choice=False)


class InvitationForm(MemberForm):
    """Somebody who is invited."""

    email = EmailField(_l("E-mail address"), validators=[InputRequired(_l("Enter an address.")), Length(max=320)])


class TransferForm(FlaskForm):  # type: ignore[misc]
    """Who becomes an owner, and what the former one becomes."""

    member = StringField(_l("New owner"), validators=[InputRequired(_l("Enter a member's address.")), Length(max=320)])
    become = SelectField(_l("You will be"), validate_choice=False)


class DeletionForm(FlaskForm):  # type: ignore[misc]
    """The workspace's name, typed to be sure."""

    name = StringField(
        _l("The workspace's name"), validators=[InputRequired(_l("Type the name.")), Length(max=MAX_NAME)]
    )


class ConfirmForm(FlaskForm):  # type: ignore[misc]
    """A yes, with nothing to fill in."""


class JoinForm(FlaskForm):  # type: ignore[misc]
    """A newcomer who was invited."""

    name = StringField(_l("Your name"), validators=[InputRequired(_l("Enter your name.")), Length(max=MAX_NAME)])
    password = PasswordField(_l("Password"), validators=[InputRequired(_l("Choose a password.")), Length(max=1000)])
