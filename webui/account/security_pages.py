"""The blueprint of the security pages, with every page that belongs to it, and what their templates can call."""

from dataclasses import dataclass

from flask import Flask

from smailor.accounts import identities, second_factor
from webui import people
from webui.account import security_links, security_passkeys
from webui.account.security import blueprint as blueprint
from webui.auth import passkey
from webui.context import context

__all__ = ["blueprint", "security_links", "security_passkeys"]


@dataclass(frozen=True, slots=True)
class Proofs:
    """What the person can show again beside the password."""

    passkeys: bool
    providers: frozenset[str]


def init_app(app: Flask) -> None:
    """Register what the log-in pages' templates ask."""
    app.jinja_env.globals.update(
        passkeys_offered=lambda: passkey.party() is not None, providers_offered=_offered, own_proofs=_own_proofs
    )


def _offered() -> tuple[tuple[str, str], ...]:
    providers = context().providers
    return tuple((name, providers.label(name)) for name in providers.names)


def _own_proofs() -> Proofs:
    user_id = people.current_session().user.id
    linked = identities.list_identities(context().database, user_id=user_id)
    have = second_factor.factors(context().database, user_id=user_id)
    return Proofs(have.passkeys > 0, frozenset(entry.provider for entry in linked))
