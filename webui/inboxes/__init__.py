"""A workspace's inboxes and aliases, and the app passwords of the person who reads an inbox."""

from webui.inboxes import devices, rights, views
from webui.inboxes.views import blueprint as blueprint

__all__ = ["blueprint", "devices", "rights", "views"]
