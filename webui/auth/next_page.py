"""The page that somebody wanted before they were asked who they are: a path of ours, never another host."""

from flask import request, url_for

MAX_LENGTH = 2000


def next_page() -> str:
    """Return the path in `?next=`, if it is one of ours, else the front door."""
    return own_path(request.args.get("next", "")) or url_for("home.index")


def own_path(wanted: str) -> str:
    """Return the path unchanged if it leads to this host whatever a browser makes of it, else an empty string."""
    ours = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable()
    return wanted if ours and len(wanted) <= MAX_LENGTH else ""
