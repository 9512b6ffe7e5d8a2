"""Logging in and out."""

from webui.auth.views import blueprint as blueprint
