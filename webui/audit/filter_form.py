"""The filter above an audit trail, as it stands in the page's address, and the page of entries that it gives."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from flask import request, url_for
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import DateField, Field, Form, StringField
from wtforms.validators import Length, Optional, ValidationError

from smailor.accounts import audit_search
from smailor.accounts.audit_search import Cursor, Filter
from smailor.errors import InvalidInput
from webui.context import context

PAGE = 30


def _printable(form: Form, field: Field) -> None:
    del form
    if field.data and not field.data.isprintable():
        raise ValidationError(_l("It has characters that cannot be shown."))


def _text(label: str, longest: int) -> StringField:
    return StringField(label, filters=[lambda text: (text or "").strip()], validators=[Length(max=longest), _printable])


class FilterForm(FlaskForm):  # type: ignore[misc] # flask-wtf has no annotations
    """Who, what, on what, when."""

    class Meta:
        """The form is sent by GET and changes nothing."""

        csrf = False

    actor = _text(_l("Who"), 320)
    action = _text(_l("What"), 100)
    object = _text(_l("On what"), 400)
    since = DateField(_l("From"), validators=[Optional()])
    until = DateField(_l("To and including"), validators=[Optional()])

    @classmethod
    def of_request(cls) -> "FilterForm":
        """Return the form with what the address says."""
        return cls(formdata=request.args)

    def wanted(self, workspace: str | None) -> Filter:
        """Return the filter; days are days in UTC."""
        return Filter(
            workspace=workspace,
            actor=self.actor.data,
            action=self.action.data,
            object=self.object.data,
            since=_midnight(self.since.data),
            until=_midnight(self.until.data, days=1),
        )

    def arguments(self) -> dict[str, str]:
        """Return the filter as it stands in an address."""
        found = {name: str(field.data) for name, field in self._fields.items() if field.data}
        return {name: value for name, value in found.items() if name in request.args}


def page_values(form: FilterForm, *, workspace: str | None, endpoint: str, **where: str) -> tuple[dict[str, Any], int]:
    """Return what the page of a filtered trail needs, and its status.

    Args:
        form: the filter.
        workspace: whose trail; None: all.
        endpoint: the page.
        where: the page's own arguments.
    """
    if not form.validate():
        return {"page": audit_search.Page((), None), "more": "", "filtered": True}, 422
    try:
        after = Cursor.parse(request.args["after"]) if request.args.get("after") else None
    except InvalidInput:
        after = None
    page = audit_search.search(context().database, form.wanted(workspace), after=after, limit=PAGE)
    arguments: dict[str, Any] = form.arguments()
    more = url_for(endpoint, **{**where, **arguments, "after": str(page.next)}) if page.next else ""
    return {"page": page, "more": more, "filtered": bool(arguments), "arguments": arguments}, 200


def _midnight(day: date | None, *, days: int = 0) -> datetime | None:
    if day is None:
        return None
    try:
        return datetime.combine(day + timedelta(days=days), time(), UTC)
    except OverflowError:
        return None
