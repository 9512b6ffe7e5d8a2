"""A workspace's domains and what the DNS must say of them."""

from webui.domains.views import blueprint as blueprint
