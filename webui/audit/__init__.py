"""The audit trail of a workspace, and who opened an inbox."""

from webui.audit.views import blueprint as blueprint
