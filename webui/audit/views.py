"""The audit pages: a workspace's trail, its export, and who opened an inbox."""

from collections.abc import Callable, Iterable, Iterator

from flask import Blueprint, Response, abort, make_response, render_template, request, url_for

from smailor.accounts import audit as audit_trail
from smailor.accounts import audit_export, audit_search, openings
from smailor.accounts.audit import Entry
from smailor.accounts.audit_search import Cursor, Filter
from smailor.accounts.permissions import Permission
from smailor.errors import InvalidInput
from webui.access import requires, signed_in
from webui.audit.filter_form import PAGE, FilterForm, page_values
from webui.context import context
from webui.mail.gate import inbox_view, own_inboxes
from webui.people import actor

blueprint = Blueprint("audit", __name__)

FORMATS: dict[str, tuple[str, Callable[[Iterable[Entry]], Iterator[str]]]] = {
    "csv": ("text/csv; charset=utf-8", audit_export.csv_lines),
    "jsonl": ("application/jsonl; charset=utf-8", audit_export.json_lines),
}


@blueprint.get("/w/<slug>/audit/")
@requires(Permission.VIEW_AUDIT)
def index(slug: str) -> Response:
    """List what was done in a workspace, newest first."""
    form = FilterForm.of_request()
    values, code = page_values(form, workspace=slug, endpoint="audit.index", slug=slug)
    return make_response(render_template("audit/index.html", slug=slug, form=form, **values), code)


@blueprint.get("/w/<slug>/audit/export.<kind>")
@requires(Permission.EXPORT_AUDIT)
def export(slug: str, kind: str) -> Response:
    """Send the filtered trail as a file, a batch at a time; that it was taken is an entry, too."""
    if kind not in FORMATS:
        abort(404)
    form = FilterForm.of_request()
    if not form.validate():
        abort(400)
    parts, wanted = context(), form.wanted(slug)
    audit_trail.record(
        parts.database,
        actor(),
        action="audit.export",
        on=f"workspace:{slug}",
        workspace=slug,
        details={"format": kind, **form.arguments()},
        now=parts.clock(),
    )
    content_type, write = FORMATS[kind]
    entries = audit_search.stream(parts.database, wanted, limit=audit_export.LIMIT)
    response = Response(write(entries), content_type=content_type)
    response.headers["Content-Disposition"] = f'attachment; filename="audit-{slug}.{kind}"'
    return response


@blueprint.get("/settings/<address>/openings")
@signed_in
def openings_of(address: str) -> str:
    """Show an inbox's readers who opened it, and who made that possible for whom."""
    inbox = inbox_view(address)
    try:
        after = Cursor.parse(request.args["after"]) if request.args.get("after") else None
    except InvalidInput:
        after = None
    # Of the inbox's workspace only: an address that another tenant had before has a past that is not theirs.
    wanted = Filter(workspace=inbox.workspace, object=f"account:{inbox.address}", actions=openings.SHOWN)
    page = audit_search.search(context().database, wanted, after=after, limit=PAGE)
    more = url_for("audit.openings_of", address=inbox.address, after=str(page.next)) if page.next else ""
    return render_template("audit/openings.html", inbox=inbox, inboxes=own_inboxes(), page=page, more=more)
