"""The operator's page of an account, a domain or a workspace: limits, warm-up, suspension, pauses, and who did what."""

from collections.abc import Callable
from datetime import UTC, datetime, time
from typing import Any

from flask import Response, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response as Redirect

from smailor.accounts import audit
from smailor.errors import InvalidInput, NotFound
from smailor.sending import limit_service, pause_service, plans, suspension_service, warmup_service
from smailor.sending.subject import Scope, Subject
from smailor.sending.suspension import Part, parts
from smailor.sending.warmup_service import Setting
from webui import people
from webui.access import operators
from webui.context import context
from webui.sending.forms import LimitForm, SuspensionForm, WarmupForm
from webui.sending.views import blueprint
from webui.texts import sentence

_FIELDS = {"reason": ("limit_reason", "suspension_reason", "warmup_reason"), "parts": ("suspension_reason",)}


@blueprint.get("/operator/sending")
@operators
def search() -> Response:
    """Find an account, a domain or a workspace, and show it."""
    wanted = request.args.get("subject", "").strip()
    if not wanted:
        return _page(None)
    try:
        return _page(Subject.parse(wanted))
    except (InvalidInput, NotFound) as error:
        return _page(None, wanted=wanted, problem=sentence(error), code=404)


@blueprint.post("/operator/sending/limit")
@operators
def set_limit() -> Response | Redirect:
    """Set another limit than the plan's, or clear it."""
    subject, form = _subject(), LimitForm()
    if request.form.get("clear"):
        limit_service.clear_limit(
            context().database,
            subject=subject,
            measure=request.form["clear"],
            reason="",
            actor=people.actor(),
            now=context().clock(),
        )
        return _done(subject, _("The plan's limit holds again."))
    if not form.validate_on_submit():
        return _page(subject, limit_form=form, code=422)
    until = form.expires.data

    def put() -> None:
        limit_service.set_limit(
            context().database,
            subject=subject,
            measure=form.measure.data or "",
            maximum=form.maximum.data,
            reason=form.limit_reason.data,
            expires_at=datetime.combine(until, time(), UTC) if until else None,
            actor=people.actor(),
            now=context().clock(),
        )

    return _try(put, subject, _("Set. It holds from the next message on."), limit_form=form)


@blueprint.post("/operator/sending/suspension")
@operators
def set_suspension() -> Response | Redirect:
    """Suspend, or lift what is suspended."""
    subject, form = _subject(), SuspensionForm()
    database, now = context().database, context().clock()
    if request.form.get("lift"):
        suspension_service.lift(database, subject=subject, reason="", actor=people.actor(), now=now)
        return _done(subject, _("%(name)s goes on.", name=subject.name))
    if not form.validate_on_submit():
        return _page(subject, suspension_form=form, code=422)

    def put() -> None:
        what = parts(sending=form.sending.data, receiving=form.receiving.data, login=form.login.data)
        reason = form.suspension_reason.data
        suspension_service.suspend(database, subject=subject, parts=what, reason=reason, actor=people.actor(), now=now)
        if Part.LOGIN in what:
            suspension_service.end_connections(database, context().settings.dovecot, subject=subject)

    return _try(put, subject, _("%(name)s is suspended.", name=subject.name), suspension_form=form)


@blueprint.post("/operator/sending/warmup")
@operators
def set_warmup() -> Response | Redirect:
    """Pause, resume or set a domain's warm-up."""
    subject, form = _subject(), WarmupForm()
    if not form.validate_on_submit():
        return _page(subject, warmup_form=form, code=422)
    database, now = context().database, context().clock()
    given = {"domain": subject.name, "reason": form.warmup_reason.data, "actor": people.actor(), "now": now}
    verb = request.form.get("verb", "set")

    def put() -> None:
        if verb == "pause":
            warmup_service.pause(database, **given)
        elif verb == "resume":
            warmup_service.resume(database, **given)
        else:
            setting = Setting(form.day.data, form.cap.data, verb == "clear-cap", verb == "graduate")
            schedule = plans.schedule_of(context().settings)
            warmup_service.set_warmup(database, setting=setting, schedule=schedule, **given)

    return _try(put, subject, _("The warm-up is where you want it."), warmup_form=form)


@blueprint.post("/operator/sending/confirm")
@operators
def confirm_pause() -> Redirect:
    """Let a paused account go on."""
    subject = _subject()
    pause_service.confirm(context().database, account=subject.name, actor=people.actor(), now=context().clock())
    return _done(subject, _("%(name)s goes on.", name=subject.name))


def _subject() -> Subject:
    return Subject.parse(request.form.get("subject", ""))


def _done(subject: Subject, text: str) -> Redirect:
    flash(text, "done")
    return redirect(url_for("sending.search", subject=subject.name))


def _try(put: Callable[[], None], subject: Subject, text: str, **forms: FlaskForm) -> Response | Redirect:
    """Run a use case; put what it refuses beside the field that it is about."""
    try:
        put()
    except InvalidInput as error:
        (form,) = forms.values()
        names = _FIELDS.get(error.field, (error.field,))
        field = next((form[name] for name in names if name in form), None) or next(iter(form))
        field.errors = [sentence(error)]
        return _page(subject, code=422, **forms)
    return _done(subject, text)


def _page(
    subject: Subject | None,
    *,
    wanted: str = "",
    problem: str = "",
    code: int = 200,
    **forms: FlaskForm,
) -> Response:
    settings, database, now = context().settings, context().database, context().clock()
    values: dict[str, Any] = {
        "subject": subject,
        "wanted": subject.name if subject else wanted,
        "problem": problem,
        "pauses": pause_service.list_pauses(database),
        "suspensions": suspension_service.list_suspensions(database),
        "limit_form": forms.get("limit_form") or LimitForm(formdata=None),
        "suspension_form": forms.get("suspension_form") or SuspensionForm(formdata=None),
        "warmup_form": forms.get("warmup_form") or WarmupForm(formdata=None),
    }
    if subject is not None:
        values["limits"] = limit_service.show_limits(database, subject=subject, plans=plans.plans_of(settings), now=now)
        values["limit_form"].measure.choices = [(view.measure, view.measure) for view in values["limits"]]
        values["entries"] = audit.entries(database, on=str(subject), limit=20)
        if subject.scope is Scope.DOMAIN:
            schedule = plans.schedule_of(settings)
            values["warmup"] = warmup_service.show_warmup(database, domain=subject.name, schedule=schedule, now=now)
    return make_response(render_template("sending/operator.html", **values), code)
