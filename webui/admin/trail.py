"""The console's view of the whole audit trail."""

from flask import Response, make_response, render_template

from smailor.accounts import audit_verify
from webui.access import operators
from webui.admin.pages import blueprint
from webui.audit.filter_form import FilterForm, page_values
from webui.context import context


@blueprint.get("/audit")
@operators
def audit() -> Response:
    """List entries of all workspaces, newest first."""
    form = FilterForm.of_request()
    values, code = page_values(form, workspace=None, endpoint="admin.audit")
    head = audit_verify.head(context().database)
    return make_response(render_template("admin/audit.html", head=head, form=form, **values), code)
