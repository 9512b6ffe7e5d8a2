"""The blueprint of the mail pages, with every page that belongs to it."""

from webui.mail import acting, reading, writing
from webui.mail.gate import blueprint as blueprint

__all__ = ["acting", "blueprint", "reading", "writing"]
