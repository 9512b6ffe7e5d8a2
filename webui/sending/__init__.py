"""What may be sent: a workspace's limits, warm-up and suppression list, an inbox's own, the operator's hand on both."""

from webui.sending import operator, own, views
from webui.sending.views import blueprint as blueprint

__all__ = ["blueprint", "operator", "own", "views"]
