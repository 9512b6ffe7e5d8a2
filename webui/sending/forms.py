"""The forms of the sending pages."""

from flask_wtf import FlaskForm
from flask_wtf.file import FileField, FileRequired
from wtforms import BooleanField, DateField, IntegerField, SelectField, StringField
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from smailor.config import MAX_LIMIT

REASON = [InputRequired("Say why: the tenant reads it."), Length(max=1000)]
NUMBER = NumberRange(min=0, max=MAX_LIMIT, message=f"A number from 0 to {MAX_LIMIT}.")


class SuppressionForm(FlaskForm):  # type: ignore[misc] # flask-wtf has no annotations
    """An address that is not written to any more."""

    address = StringField("Address", validators=[InputRequired("Enter an address."), Length(max=320)])
    reason = StringField("Reason", validators=[Length(max=200)])


class ImportForm(FlaskForm):  # type: ignore[misc]
    """A CSV file of such addresses."""

    file = FileField("CSV file", validators=[FileRequired("Choose a file.")])


class LimitForm(FlaskForm):  # type: ignore[misc]
    """Another limit than the plan's."""

    measure = SelectField("Limit", validate_choice=False)
    maximum = IntegerField("At most", validators=[InputRequired("Enter a number."), NUMBER])
    limit_reason = StringField("Reason", validators=REASON)
    expires = DateField("Until", validators=[Optional()])


class SuspensionForm(FlaskForm):  # type: ignore[misc]
    """What an account, a domain or a workspace may not do."""

    sending = BooleanField("Sending: its messages are refused")
    receiving = BooleanField("Receiving: mail for it waits")
    login = BooleanField("Logging in: web, IMAP, submission, ManageSieve")
    suspension_reason = StringField("Reason", validators=REASON)


class WarmupForm(FlaskForm):  # type: ignore[misc]
    """Where a domain's warm-up should be."""

    day = IntegerField("Step", validators=[Optional(), NumberRange(min=1)])
    cap = IntegerField("Cap by hand", validators=[Optional(), NUMBER])
    warmup_reason = StringField("Reason", validators=REASON)
