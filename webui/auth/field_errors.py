"""What the domain refuses, shown beside the field that it is about."""

from collections.abc import Callable
from typing import Any

from werkzeug.wrappers import Response

from smailor.errors import InvalidInput
from webui.texts import sentence

_FIELDS = {"address": "email", "domain": "email"}
"""The domain's word for a value, and the form's."""


def show_beside(error: InvalidInput, form: Any, page: Callable[[Any, int], Response]) -> Response:
    """Return the form's page with the error beside its field.

    Args:
        error: what was refused.
        form: has the field; one that it does not have is told beside the first.
        page: makes the page of form and status.
    """
    name = error.field if error.field in form else _FIELDS.get(error.field, error.field)
    field = form[name] if name in form else next(iter(form))
    field.errors = [*field.errors, sentence(error)]
    return page(form, 422)
