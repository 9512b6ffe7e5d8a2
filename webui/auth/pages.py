"""The blueprint of the pages around logging in, with every page that belongs to it."""

from webui.auth import confirm, reset, signup
from webui.auth.views import blueprint as blueprint

__all__ = ["blueprint", "confirm", "reset", "signup"]
