"""The API keys of a workspace."""

from webui.api_keys.views import blueprint as blueprint
