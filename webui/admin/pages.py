"""The console's blueprint, its forms, and the reason that opens a tenant's data."""

from datetime import timedelta

from flask import Blueprint, request, session
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import IntegerField, StringField
from wtforms.validators import InputRequired, Length, NumberRange

from smailor.errors import InvalidInput
from webui.context import context
from webui.people import current_session

blueprint = Blueprint("admin", __name__, url_prefix="/operator")

OPEN_FOR = timedelta(minutes=30)
"""How long a reason opens one workspace or person."""
_KEPT = 20
_NAME = "smailor-opened"


class ReasonForm(FlaskForm):  # type: ignore[misc] # flask-wtf has no annotations
    """Why an operator looks at a tenant's data, or does something about a person."""

    reason = StringField(_l("Reason"), validators=[InputRequired(_l("Say why.")), Length(max=1000)])


class ActingForm(ReasonForm):
    """Why, and for how long, an operator acts in another's name."""

    minutes = IntegerField(
        _l("Minutes"),
        default=15,
        validators=[InputRequired(_l("1 to 30.")), NumberRange(1, 30, _l("1 to 30."))],
    )


def searched(name: str = "q") -> str:
    """Return what the page is asked to search for or to go on after: without what no name has, and not endless.

    Raises:
        InvalidInput: it has characters that cannot be searched for.
    """
    text = request.args.get(name, "")[:320].strip()
    if text and not text.isprintable():
        raise InvalidInput(name, "has characters that cannot be shown")
    return text


def opened(what: str) -> bool:
    """Tell whether this session has given its reason for looking at this a short while ago."""
    return what in _live()


def open_for_a_while(what: str) -> None:
    """Remember, in the signed cookie, that this session has given its reason."""
    kept = list(_live().items())[-_KEPT + 1 :]
    ends = int((context().clock() + OPEN_FOR).timestamp())
    session[_NAME] = [current_session().id, *([name, until] for name, until in [*kept, (what, ends)])]


def _live() -> dict[str, int]:
    now = context().clock().timestamp()
    who, *kept = session.get(_NAME) or [None]
    return {name: until for name, until in kept if until > now} if who == current_session().id else {}
