"""The operator console: workspaces, people, health, queue, and acting in another person's name."""

from webui.admin import acting, impersonation, people, status, trail, workspaces
from webui.admin.acting import init_app as init_app
from webui.admin.pages import blueprint as blueprint

__all__ = ["acting", "blueprint", "impersonation", "init_app", "people", "status", "trail", "workspaces"]
