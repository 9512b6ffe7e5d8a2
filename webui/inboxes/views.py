"""Inbox and alias pages of a workspace: lists and the forms that add to them."""

from typing import Any

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.wrappers import Response as Redirect

from smailor.accounts.permissions import Permission
from smailor.domains import service as domains
from smailor.errors import Conflict, InvalidInput, NotFound
from smailor.mailboxes import aliases
from smailor.mailboxes import service as mailboxes
from webui.access import demand, may, requires
from webui.context import context
from webui.inboxes.forms import AliasForm, InboxForm
from webui.people import actor
from webui.texts import sentence

blueprint = Blueprint("inboxes", __name__)

_FIELDS = {"address": "local_part", "name": "name", "source": "source", "target": "target"}


@blueprint.get("/w/<slug>/inboxes/")
@requires(Permission.VIEW_INBOXES, some_domain=True)
def index(slug: str) -> Response:
    """List inboxes and aliases."""
    return _page(slug, InboxForm(formdata=None, mine=True), AliasForm(formdata=None))


@blueprint.post("/w/<slug>/inboxes/")
@requires(Permission.MANAGE_INBOXES, some_domain=True)
def create(slug: str) -> Response | Redirect:
    """Create an inbox."""
    form = InboxForm()
    demand(Permission.MANAGE_INBOXES, form.domain.data or "")
    if form.validate_on_submit():
        reader = current_user.view.email if form.mine.data else None
        try:
            inbox = mailboxes.create_inbox(
                context().database,
                workspace=slug,
                address=f"{form.local_part.data.strip()}@{form.domain.data}",
                name=form.name.data,
                reader=reader,
                actor=actor(),
                now=context().clock(),
            )
        except (InvalidInput, Conflict, NotFound) as error:
            _put(form, error, "local_part")
        else:
            flash(_("%(address)s is ready.", address=inbox.address), "done")
            if reader:
                return redirect(url_for("inboxes.devices", address=inbox.address))
            return redirect(url_for("inboxes.index", slug=slug))
    return _page(slug, form, AliasForm(formdata=None), code=422)


@blueprint.post("/w/<slug>/aliases/")
@requires(Permission.MANAGE_INBOXES, some_domain=True)
def create_alias(slug: str) -> Response | Redirect:
    """Create an alias, or the catch-all where the part before the @ is left empty."""
    form = AliasForm()
    demand(Permission.MANAGE_INBOXES, form.domain.data or "")
    if form.validate_on_submit():
        source = f"{form.source.data.strip()}@{form.domain.data}"
        try:
            alias = aliases.create_alias(
                context().database,
                workspace=slug,
                source=source,
                target=form.target.data,
                actor=actor(),
                now=context().clock(),
            )
        except (InvalidInput, Conflict, NotFound) as error:
            _put(form, error, "source")
        else:
            flash(_("%(source)s delivers to %(target)s.", source=alias.source, target=alias.target), "done")
            return redirect(url_for("inboxes.index", slug=slug, _anchor="aliases"))
    return _page(slug, InboxForm(formdata=None, mine=True), form, code=422)


@blueprint.post("/w/<slug>/aliases/delete")
@requires(Permission.MANAGE_INBOXES, some_domain=True)
def delete_alias(slug: str) -> Redirect:
    """Delete one target of an alias."""
    source, target = request.form.get("source", ""), request.form.get("target", "")
    demand(Permission.MANAGE_INBOXES, source.rpartition("@")[2])
    try:
        aliases.delete_alias(
            context().database, workspace=slug, source=source, target=target, actor=actor(), now=context().clock()
        )
        flash(_("%(source)s no longer delivers to %(target)s.", source=source, target=target), "done")
    except (InvalidInput, NotFound):
        flash(_("That alias was gone already."), "info")
    return redirect(url_for("inboxes.index", slug=slug, _anchor="aliases"))


def _page(slug: str, form: InboxForm, alias_form: AliasForm, *, code: int = 200) -> Response:
    database = context().database
    owned = [
        domain for domain in domains.list_domains(database, workspace=slug) if may(Permission.VIEW_INBOXES, domain.name)
    ]
    for one in (form, alias_form):
        one.domain.choices = [
            (domain.name, domain.name) for domain in owned if may(Permission.MANAGE_INBOXES, domain.name)
        ]
    mine = {inbox.address for inbox in mailboxes.inboxes_of(database, user_id=int(current_user.get_id()))}
    values: dict[str, Any] = {
        "slug": slug,
        "form": form,
        "alias_form": alias_form,
        "domains": owned,
        "verified": {domain.name for domain in owned if domain.verified_at},
        "inboxes": mailboxes.list_inboxes(database, workspace=slug, among=owned),
        "aliases": aliases.list_aliases(database, workspace=slug, among=owned),
        "mine": mine,
    }
    return make_response(render_template("inboxes/index.html", **values), code)


def _domain(address: str) -> str:
    return address.rpartition("@")[2]


def _put(form: InboxForm | AliasForm, error: InvalidInput | Conflict | NotFound, usual: str) -> None:
    """Put a service's error beside the field it is about."""
    name = _FIELDS.get(error.field, usual) if isinstance(error, InvalidInput) else usual
    field = form[name] if name in form else form[usual]
    field.errors = [sentence(error)]
