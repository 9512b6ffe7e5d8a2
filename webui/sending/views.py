"""A workspace's sending page: what it may send and has sent, its domains' warm-up, whom it does not write to."""

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Redirect

from smailor.accounts.permissions import Permission
from smailor.errors import Conflict, InvalidInput, NotFound
from smailor.sending import overview, plans, suppression_service
from smailor.sending.suppression import write_csv
from webui import people
from webui.access import may, requires
from webui.context import context
from webui.sending.forms import ImportForm, SuppressionForm
from webui.texts import said, sentence

blueprint = Blueprint("sending", __name__)

PAGE = 50
MAX_CSV_BYTES = 20 * 1024 * 1024


@blueprint.get("/w/<slug>/sending/")
@requires(Permission.VIEW_SENDING, some_domain=True)
def index(slug: str) -> Response:
    """Show limits, warm-up, suspensions and the suppression list."""
    return _page(slug, SuppressionForm(formdata=None), ImportForm(formdata=None))


@blueprint.post("/w/<slug>/suppressions/")
@requires(Permission.MANAGE_SENDING)
def suppress(slug: str) -> Response | Redirect:
    """Put an address on the list."""
    form = SuppressionForm()
    if form.validate_on_submit():
        try:
            entry = suppression_service.add(
                context().database,
                workspace=slug,
                address=form.address.data,
                reason=form.reason.data or "",
                actor=people.actor(),
                now=context().clock(),
            )
            flash(_("Nobody of this workspace writes to %(address)s any more.", address=entry.address), "done")
            return _back(slug)
        except (InvalidInput, Conflict) as error:
            form.address.errors = [sentence(error)]
    return _page(slug, form, ImportForm(formdata=None), code=422)


@blueprint.post("/w/<slug>/suppressions/remove")
@requires(Permission.MANAGE_SENDING)
def release(slug: str) -> Redirect:
    """Take an address off the list."""
    address = request.form.get("address", "")
    try:
        suppression_service.remove(
            context().database, workspace=slug, address=address, actor=people.actor(), now=context().clock()
        )
        flash(_("%(address)s can be written to again.", address=address), "done")
    except (InvalidInput, NotFound):
        flash(_("That address was gone already."), "info")
    return _back(slug)


@blueprint.post("/w/<slug>/suppressions/import")
@requires(Permission.MANAGE_SENDING)
def import_suppressions(slug: str) -> Response | Redirect:
    """Put the addresses of a CSV file on the list."""
    form = ImportForm()
    if form.validate_on_submit():
        try:
            imported, added = suppression_service.import_csv(
                context().database,
                workspace=slug,
                text=_uploaded(form),
                actor=people.actor(),
                now=context().clock(),
            )
        except InvalidInput as error:
            form.file.errors = [_("The file %(problem)s.", problem=said(error))]
        else:
            known = len(imported.entries) - added
            flash(_("%(added)s addresses added, %(known)s were on the list already.", added=added, known=known), "done")
            if imported.unread:
                some = "; ".join(imported.problems[:3])
                flash(_("%(count)s lines could not be read: %(some)s.", count=imported.unread, some=some), "problem")
            return _back(slug)
    return _page(slug, SuppressionForm(formdata=None), form, code=422)


@blueprint.get("/w/<slug>/suppressions.csv")
@requires(Permission.VIEW_SENDING)
def export(slug: str) -> Response:
    """Send the list as a CSV file."""
    entries = suppression_service.list_suppressed(context().database, workspace=slug)
    response = make_response(write_csv(entries))
    response.mimetype = "text/csv"
    response.headers["Content-Disposition"] = f'attachment; filename="suppressed-{slug}.csv"'
    return response


def _uploaded(form: ImportForm) -> str:
    content: bytes = form.file.data.read(MAX_CSV_BYTES + 1)
    if len(content) > MAX_CSV_BYTES:
        raise InvalidInput("file", "is too large: split it")
    return content.decode("utf-8", "replace")


def _back(slug: str) -> Redirect:
    return redirect(url_for("sending.index", slug=slug, _anchor="suppressed"))


def _page(slug: str, form: SuppressionForm, import_form: ImportForm, *, code: int = 200) -> Response:
    parts = context()
    database, now = parts.database, parts.clock()
    found = overview.overview(
        database,
        workspace=slug,
        plans=plans.plans_of(parts.settings),
        schedule=plans.schedule_of(parts.settings),
        sees=lambda domain: may(Permission.VIEW_SENDING, domain),
        now=now,
    )
    # The workspace's own limits and its list are not the business of who administers a domain only.
    whole = may(Permission.VIEW_SENDING)
    search, after = request.args.get("search", "")[:320], request.args.get("after", "")[:320]
    listed = suppression_service.page_suppressed(database, workspace=slug, search=search, after=after, limit=PAGE + 1)
    entries = listed.entries
    body = render_template(
        "sending/index.html",
        slug=slug,
        form=form,
        import_form=import_form,
        contact=parts.settings.service.contact,
        whole=whole,
        limits=found.limits,
        domains=found.domains,
        accounts=found.accounts,
        suspensions=found.suspensions,
        suppressed=entries[:PAGE] if whole else (),
        more=entries[PAGE - 1].address if len(entries) > PAGE else "",
        count=listed.count,
        search=search,
        after=after,
    )
    return make_response(body, code)
