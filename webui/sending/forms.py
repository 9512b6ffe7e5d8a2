"""The forms of the sending pages."""

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from flask_wtf.file import FileField, FileRequired
from wtforms import BooleanField, DateField, IntegerField, SelectField, StringField
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from smailor.config import MAX_LIMIT

REASON = [InputRequired(_l("Say why: the tenant reads it.")), Length(max=1000)]
NUMBER = NumberRange(min=0, max=MAX_LIMIT, message=_l("A number from 0 to %(maximum)s.", maximum=MAX_LIMIT))


class SuppressionForm(FlaskForm):  # type: ignore[misc] # flask-wtf has no annotations
    """An address that is not written to any more."""

    address = StringField(_l("Address"), validators=[InputRequired(_l("Enter an address.")), Length(max=320)])
    reason = StringField(_l("Reason"), validators=[Length(max=200)])


class ImportForm(FlaskForm):  # type: ignore[misc]
    """A CSV file of such addresses."""

    file = FileField(_l("CSV file"), validators=[FileRequired(_l("Choose a file."))])


class LimitForm(FlaskForm):  # type: ignore[misc]
    """Another limit than the plan's."""

    measure = SelectField(_l("Limit"), validate_choice=False)
    maximum = IntegerField(_l("At most"), validators=[InputRequired(_l("Enter a number.")), NUMBER])
    limit_reason = StringField(_l("Reason"), validators=REASON)
    expires = DateField(_l("Until"), validators=[Optional()])


class SuspensionForm(FlaskForm):  # type: ignore[misc]
    """What an account, a domain or a workspace may not do."""

    sending = BooleanField(_l("Sending: its messages are refused"))
    receiving = BooleanField(_l("Receiving: mail for it waits"))
    login = BooleanField(_l("Logging in: web, IMAP, submission, ManageSieve"))
    suspension_reason = StringField(_l("Reason"), validators=REASON)


class WarmupForm(FlaskForm):  # type: ignore[misc]
    """Where a domain's warm-up should be."""

    day = IntegerField(_l("Step"), validators=[Optional(), NumberRange(min=1)])
    cap = IntegerField(_l("Cap by hand"), validators=[Optional(), NUMBER])
    warmup_reason = StringField(_l("Reason"), validators=REASON)
