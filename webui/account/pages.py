"""The blueprint of a person's own pages, with every page that belongs to it."""

from webui.account import sessions
from webui.account.profile import blueprint as blueprint

__all__ = ["blueprint", "sessions"]
