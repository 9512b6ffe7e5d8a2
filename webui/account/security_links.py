"""The person's links to providers of log-ins: made by their own agreement, taken away at will."""

from flask import flash, redirect, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from smailor.accounts import factor_changes
from smailor.errors import Conflict, InvalidInput, NotFound
from webui import people
from webui.access import fresh, signed_in
from webui.account.security import blueprint, changed, circumstances
from webui.auth import factor_log, half_way, provider
from webui.context import context
from webui.texts import sentence


@blueprint.post("/account/security/links/<name>/begin")
@signed_in
@fresh
def begin_link(name: str) -> Response:
    """Go to a provider, to come back with the identity that is to be linked."""
    return provider.away(name, aim="link", user_id=people.current_session().user.id)


@blueprint.post("/account/security/links")
@signed_in
@fresh
def link() -> Response:
    """Link the identity that came back, once its owner has seen which one and agreed."""
    user_id = people.current_session().user.id
    kept = half_way.take(provider.LINK)
    if kept is None or kept.user_id != user_id:
        flash(_("That offer is over. Begin again."), "problem")
        return redirect(url_for("security.index"))
    name = str(kept.values["provider"])
    try:
        factor_changes.link(circumstances(), provider.identity_of(kept), provider=name, user_id=user_id)
    except (Conflict, InvalidInput) as error:
        factor_log.failed("identity.link", user_id=user_id, reason=str(error))
        flash(sentence(error), "problem")
        return redirect(url_for("security.index"))
    response = changed(_("%(label)s was linked.", label=context().providers.label(name)))
    half_way.forget(response, provider.LINK)
    return response


@blueprint.post("/account/security/links/<int:number>/remove")
@signed_in
@fresh
def unlink(number: int) -> Response:
    """Take a link away, unless it is the last way in."""
    try:
        factor_changes.unlink(
            circumstances(),
            user_id=people.current_session().user.id,
            identity_id=number,
            providers=context().providers.names,
        )
    except NotFound:
        flash(_("It was gone already."), "info")
        return redirect(url_for("security.index"))
    except Conflict as error:
        flash(sentence(error), "problem")
        return redirect(url_for("security.index"))
    return changed(_("The link was removed."))
