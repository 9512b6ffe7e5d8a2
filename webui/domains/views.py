"""Domain pages: the list, one domain with its DNS records, adding one, checking that it is the workspace's."""

from dataclasses import dataclass

from flask import Blueprint, Response, flash, make_response, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response as Redirect
from wtforms import StringField
from wtforms.validators import InputRequired, Length

from smailor.accounts.permissions import Permission
from smailor.address import DomainName
from smailor.domains import service as domains
from smailor.domains.records import RecordCheck, RecordState, ServiceNames, zone_text
from smailor.domains.service import DomainView
from smailor.errors import Conflict, InvalidInput, NotFound, TemporaryFailure
from webui.access import may, requires
from webui.context import context
from webui.people import actor
from webui.texts import said, sentence

blueprint = Blueprint("domains", __name__, url_prefix="/w/<slug>/domains")


class DomainForm(FlaskForm):  # type: ignore[misc] # flask-wtf has no annotations
    """A domain to add."""

    name = StringField(
        _l("Domain"), validators=[InputRequired(_l("Enter a domain, such as example.com.")), Length(max=253)]
    )


@dataclass(frozen=True, slots=True)
class _Entry:
    """A record as the page shows it.

    Attributes:
        title: what it is called.
        host: its name relative to the domain, as many DNS providers ask for it.
        check: what is wanted and what is seen.
    """

    title: str
    host: str
    check: RecordCheck


@blueprint.get("/")
@requires(Permission.VIEW_DOMAINS, some_domain=True)
def index(slug: str) -> str:
    """List the workspace's domains, those that the member may see."""
    found = _visible(slug)
    return render_template("domains/index.html", slug=slug, domains=found, form=DomainForm())


@blueprint.post("/")
@requires(Permission.MANAGE_DOMAINS)
def create(slug: str) -> Response | Redirect:
    """Add a domain, and go to its records."""
    form = DomainForm()
    if form.validate_on_submit():
        parts = context()
        try:
            domain = domains.add_domain(
                parts.database,
                workspace=slug,
                name=form.name.data,
                sealer=parts.sealer,
                actor=actor(),
                now=parts.clock(),
            )
            return redirect(url_for("domains.show", slug=slug, name=domain.name))
        except (InvalidInput, Conflict) as error:
            form.name.errors = [sentence(error)]
    return make_response(render_template("domains/index.html", slug=slug, domains=_visible(slug), form=form), 422)


@blueprint.get("/<name>")
@requires(Permission.VIEW_DOMAINS)
def show(slug: str, name: str) -> str:
    """Show a domain with its records beside what the world sees of them now."""
    domain = domains.get_domain(context().database, workspace=slug, name=_known(name))
    entries = _entries(slug, domain)
    required = [entry for entry in entries if entry.check.record.required]
    return render_template(
        "domains/show.html",
        slug=slug,
        domain=domain,
        entries=entries,
        done=sum(entry.check.state is RecordState.PRESENT for entry in required),
        required=len(required),
        unknown=any(entry.check.state is RecordState.UNKNOWN for entry in entries),
    )


@blueprint.post("/<name>/verify")
@requires(Permission.MANAGE_DOMAINS)
def verify(slug: str, name: str) -> Redirect:
    """Look for the ownership record now."""
    parts = context()
    name = _known(name)
    domains.get_domain(parts.database, workspace=slug, name=name)
    try:
        domains.verify_domain(
            parts.database, workspace=slug, name=name, resolver=parts.resolver, actor=actor(), now=parts.clock()
        )
        flash(_("%(name)s is yours. Mail can be sent and received now.", name=name), "done")
    except NotFound:
        text = _("The ownership record is not to be seen yet. New records can take up to an hour to spread.")
        flash(text, "info")
    except (Conflict, TemporaryFailure) as error:
        flash(_("Not verified: %(problem)s.", problem=said(error)), "problem")
    return redirect(url_for("domains.show", slug=slug, name=name))


@blueprint.get("/<name>/zone")
@requires(Permission.VIEW_DOMAINS)
def zone(slug: str, name: str) -> Response:
    """Send the records as a zone file, to be imported at a DNS provider."""
    wanted = domains.wanted_records(context().database, workspace=slug, name=_known(name), service=_service())
    response = make_response(zone_text(wanted))
    response.mimetype = "text/plain"
    response.headers["Content-Disposition"] = f'attachment; filename="{_known(name)}.zone"'
    return response


def _visible(slug: str) -> list[DomainView]:
    found = domains.list_domains(context().database, workspace=slug)
    return [domain for domain in found if may(Permission.VIEW_DOMAINS, domain.name)]


def _entries(slug: str, domain: DomainView) -> list[_Entry]:
    checks = domains.check_records(
        context().database, workspace=slug, name=domain.name, service=_service(), resolver=context().resolver
    )
    return [
        _Entry(_title(check), check.record.name.removesuffix(domain.name).rstrip(".") or "@", check) for check in checks
    ]


def _title(check: RecordCheck) -> str:
    """The short name by which people know a record."""
    record = check.record
    if record.kind == "MX":
        return "Incoming mail"
    if record.value.startswith("v=spf1"):
        return "SPF"
    if record.value.startswith("v=DKIM1"):
        return "DKIM"
    if record.value.startswith("v=DMARC1"):
        return "DMARC"
    return "Ownership"


def _service() -> ServiceNames:
    service = context().settings.service
    return ServiceNames(hostname=service.hostname, spf_include=service.spf_include, postmaster=service.postmaster)


def _known(name: str) -> str:
    """A domain's name from a URL; what is none is not found.

    Raises:
        NotFound: it is no domain name.
    """
    try:
        return DomainName.parse(name).name
    except InvalidInput as error:
        raise NotFound("there is no such domain") from error
