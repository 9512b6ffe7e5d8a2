"""The console's health and queue pages."""

from flask import render_template

from webui.access import operators
from webui.admin import health as checks
from webui.admin import queue as mail_queue
from webui.admin.pages import blueprint
from webui.context import context


@blueprint.get("/health")
@operators
def health() -> str:
    """Show whether each process answers, asked now and all at once."""
    found = checks.check_all(checks.wanted(context().settings))
    return render_template("admin/health.html", found=found)


@blueprint.get("/queue")
@operators
def queue() -> str:
    """Show Postfix's queue as a timer wrote it down."""
    found = mail_queue.read(context().settings.web.queue_file)
    return render_template("admin/queue.html", queue=found)
