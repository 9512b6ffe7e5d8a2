"""The blueprint of the pages around logging in, with every page that belongs to it."""

from webui.auth import confirm, passkey, provider, provider_new, reset, second_factor, signup
from webui.auth.views import blueprint as blueprint

__all__ = ["blueprint", "confirm", "passkey", "provider", "provider_new", "reset", "second_factor", "signup"]
