"""The blueprint of the workspace pages, with every page that belongs to it."""

from webui.workspace import creating, ending, invitations, joining, members, ownership
from webui.workspace.views import blueprint as blueprint

__all__ = ["blueprint", "creating", "ending", "invitations", "joining", "members", "ownership"]
