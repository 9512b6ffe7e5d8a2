"""A new account of somebody who came back from a provider, made when they agree on a page of ours."""

from flask_babel import get_locale
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from smailor.accounts import identities
from smailor.errors import Conflict, InvalidInput
from webui import people
from webui.access import public
from webui.auth import factor_log, half_way, provider
from webui.auth.finishing import finish
from webui.auth.views import blueprint
from webui.context import context


@blueprint.post("/login/with/account")
@public
def provider_create() -> Response:
    """Make the account that was offered, once, and log in."""
    kept = half_way.take(provider.SIGN_UP)
    if kept is None or not provider.sign_up_open():
        return factor_log.wrong(_("That offer is over. Begin again."), code=403)
    name = str(kept.values["provider"])
    try:
        user_id = identities.sign_up(
            context().database,
            provider.identity_of(kept),
            provider=name,
            language=str(get_locale() or ""),
            source=people.source(),
            now=context().clock(),
        )
    except (Conflict, InvalidInput):
        return factor_log.wrong(_("There is an account already. Log in to it."), code=409)
    next_page = str(kept.values.get("next", ""))
    response = finish(factor_log.person(user_id), method=f"oidc:{name}", next_page=next_page)
    half_way.forget(response, provider.SIGN_UP)
    return response
