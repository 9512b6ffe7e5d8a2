"""Logging in by somebody else: to the provider, back from it, and what follows: a log-in, a link, a new account.

Where a browser goes is the operator's configuration; what comes back is checked by `smailor.accounts.providers`. What
was checked waits in a pending log-in of this browser until its owner agrees on a page of ours.
"""

import logging
from collections.abc import Mapping
from dataclasses import asdict

from flask import make_response, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.wrappers import Response

from smailor import log
from smailor.accounts import identities
from smailor.accounts.attempts import Kind
from smailor.accounts.id_token import Identity, NotBelieved
from smailor.accounts.pending import Pending
from smailor.accounts.providers import Refused
from smailor.errors import NotFound, TemporaryFailure
from webui import people
from webui.access import public, to_login
from webui.auth import factor_log, half_way
from webui.auth.finishing import confirmed, finish
from webui.auth.next_page import own_path
from webui.auth.throttle import Throttle
from webui.auth.views import blueprint
from webui.context import context

AWAY = "provider"
LINK = "provider-link"
SIGN_UP = "provider-new"
_logger = logging.getLogger(__name__)


@blueprint.post("/login/with/<name>")
@public
def provider_login(name: str) -> Response:
    """Go to a provider to log in."""
    return away(name, aim="login")


@blueprint.post("/confirm/with/<name>")
@public
def provider_confirm(name: str) -> Response:
    """Go to a provider to show again who one is."""
    if not current_user.is_authenticated:
        return to_login()
    return away(name, aim="confirm", user_id=people.current_session().user.id)


def away(name: str, *, aim: str, user_id: int | None = None) -> Response:
    """Go to a provider.

    Args:
        name: of its section in the configuration.
        aim: what for: `login`, `confirm`, `link`.
        user_id: who is logged in; the same has to be when the browser comes back.
    """
    if wait := Throttle(Kind.PROVIDER, name).wait():
        return factor_log.wait(wait)
    providers = context().providers
    try:
        now = context().clock()
        started = providers.start(name, callback=_callback(name), now=now, anew=aim == "confirm")
    except NotBelieved as error:
        return _refused(name, str(error), user_id=user_id)
    except TemporaryFailure as error:
        return _silent(name, str(error))
    # A page between: the form's policy (form-action 'self') would stop a redirect to elsewhere, and people see where
    # they go.
    response = make_response(
        render_template("auth/onward.html", url=started.url, label=providers.label(name)),
    )
    values = {**started.values, "aim": aim, "next": own_path(request.args.get("next", ""))}
    half_way.start(response, purpose=AWAY, user_id=user_id, values=values)
    return response


@blueprint.get("/login/with/<name>/callback")
@public
def provider_callback(name: str) -> Response:
    """Come back from a provider. The pending log-in is used up, whatever came."""
    known(name)
    if wait := Throttle(Kind.PROVIDER, name).wait():
        return factor_log.wait(wait)
    kept = half_way.take(AWAY)
    if kept is None:
        return _refused(name, "no log-in has begun in this browser")
    try:
        identity = context().providers.finish(
            name, answer=_answer(), kept=kept.values, callback=_callback(name), now=context().clock()
        )
    except Refused as error:
        return _refused(name, str(error), user_id=kept.user_id, said=_("You did not agree there, so nothing was done."))
    except NotBelieved as error:
        return _refused(name, str(error), user_id=kept.user_id)
    except TemporaryFailure as error:
        return _silent(name, str(error))
    response = _AIMS[str(kept.values["aim"])](name, identity, kept)
    half_way.forget(response, AWAY)
    return response


def _log_in(name: str, identity: Identity, kept: Pending) -> Response:
    owner = identities.owner(context().database, identity, now=context().clock())
    next_page = str(kept.values.get("next", ""))
    if owner is not None:
        return finish(factor_log.person(owner), method=f"oidc:{name}", next_page=next_page)
    email = identities.verified_address(identity)
    label = context().providers.label(name)
    if email is None:
        return _refused(
            name,
            "the address is not verified there",
            said=_("%(label)s has not verified your e-mail address, so it cannot be used here.", label=label),
        )
    # From here on they have shown that the address is theirs: they may know what there is under it.
    if identities.address_taken(context().database, email=email):
        factor_log.failed("login.provider", on=f"provider:{name}", reason="not linked")
        text = _(
            "There is an account with your address %(email)s. Log in as you always do, and link %(label)s under "
            "Account, Security.",
            email=email,
            label=label,
        )
        return factor_log.wrong(text, code=403, title=_("Not linked yet"))
    if not sign_up_open():
        factor_log.failed("login.provider", on=f"provider:{name}", reason="no account, and sign-up is closed")
        text = _("No account is linked with this one, and new ones are made by invitation only.")
        return factor_log.wrong(text, code=403, title=_("No account yet"))
    return _ask("auth/provider_new.html", SIGN_UP, name, identity, next_page=next_page)


def _link(name: str, identity: Identity, kept: Pending) -> Response:
    if not _same_person(kept):
        return _refused(name, "somebody else is logged in by now", user_id=kept.user_id)
    if identities.verified_address(identity) is None:
        return _refused(
            name,
            "the address is not verified there",
            user_id=kept.user_id,
            said=_("It has not verified your e-mail address there, so it cannot be linked."),
        )
    return _ask("auth/provider_link.html", LINK, name, identity, user_id=kept.user_id)


def _confirm(name: str, identity: Identity, kept: Pending) -> Response:
    owner = identities.owner(context().database, identity, now=context().clock())
    if not _same_person(kept) or owner != kept.user_id:
        return _refused(
            name, "not this person's", user_id=kept.user_id, said=_("That account there is not linked with yours.")
        )
    return confirmed(method=f"oidc:{name}", next_page=str(kept.values.get("next", "")))


_AIMS = {"login": _log_in, "link": _link, "confirm": _confirm}


def sign_up_open() -> bool:
    """Tell whether people may make accounts by themselves."""
    return context().settings.login.signup


def identity_of(kept: Pending) -> Identity:
    """Return the identity that waits in a pending log-in."""
    return Identity(**kept.values["identity"])


def _ask(
    template: str, purpose: str, name: str, identity: Identity, *, user_id: int | None = None, next_page: str = ""
) -> Response:
    """Show who has come back, and wait until they agree."""
    label = context().providers.label(name)
    response = make_response(render_template(template, identity=identity, label=label))
    values = {"provider": name, "identity": asdict(identity), "next": next_page}
    half_way.start(response, purpose=purpose, user_id=user_id, values=values)
    return response


def _same_person(kept: Pending) -> bool:
    return bool(current_user.is_authenticated) and people.current_session().user.id == kept.user_id


def _answer() -> Mapping[str, str]:
    """The fields that came, each once (RFC 6749 §3.1)."""
    fields = request.args.to_dict(flat=False)
    return {name: values[0] for name, values in fields.items() if len(values) == 1}


def _callback(name: str) -> str:
    """Our address for one provider: each has its own, so that an answer cannot be taken for another one's."""
    return context().settings.web.public_url.rstrip("/") + url_for("auth.provider_callback", name=name)


def _refused(name: str, reason: str, *, user_id: int | None = None, said: str = "") -> Response:
    Throttle(Kind.PROVIDER, name).failed()
    log.event(_logger, logging.INFO, None, "provider-refused", provider=name, reason=reason, source=people.source())
    factor_log.failed(
        "login.provider", user_id=user_id, on=f"provider:{name}" if user_id is None else "", reason=reason
    )
    text = said or _("The log-in could not be checked, so nobody was let in. Begin again.")
    return factor_log.wrong(text, code=403)


def _silent(name: str, reason: str) -> Response:
    Throttle(Kind.PROVIDER, name).failed()
    log.event(_logger, logging.WARNING, None, "provider-silent", provider=name, reason=reason)
    factor_log.failed("login.provider", on=f"provider:{name}", reason=reason, outcome="no answer")
    label = context().providers.label(name)
    text = _("%(label)s does not answer just now. Try again later, or log in another way.", label=label)
    response = factor_log.wrong(text, code=503)
    response.headers["Retry-After"] = "30"
    return response


def known(name: str) -> str:
    """Return the name of a configured provider; raises NotFound."""
    if name not in context().providers.names:
        raise NotFound(f"there is no log-in by {name}")
    return name
