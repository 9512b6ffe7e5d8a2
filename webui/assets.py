"""Style sheets, scripts, fonts and icons: our own files, named by their content, kept by browsers for a year."""

import functools
import hashlib
from pathlib import Path
from urllib.parse import quote

from flask import Blueprint, Flask, Response, send_from_directory
from markupsafe import Markup

from webui.access import public

_FOLDER = Path(__file__).parent / "static"
_SHEETS = ("tokens", "base", "parts", "layout", "mail", "settings", "acting")
"""The style sheets in the order of their layers, sent as one: `app.css`."""
blueprint = Blueprint("assets", __name__)


@blueprint.get("/static/<version>/<path:name>")
@public
def static(version: str, name: str) -> Response:
    """Send a file; the version in its address only makes the address new when the content is."""
    del version
    if name == "app.css":
        response = Response(_style_sheet(), mimetype="text/css")
    else:
        response = send_from_directory(_FOLDER, name)
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


def init_app(app: Flask) -> None:
    """Register the files' blueprint and `asset()` and `icon()` for templates."""
    app.register_blueprint(blueprint)
    # One version for all files: modules import one another by relative address, which then has the same version.
    version = _version()

    def asset(name: str) -> str:
        # Written out: a page has some sixty of these, and url_for takes 0.1 ms each.
        return f"/static/{version}/{quote(name)}"

    @functools.cache
    def icon(name: str, size: int = 20) -> Markup:
        return Markup(
            '<svg class="icon" width="{0}" height="{0}" aria-hidden="true"><use href="{1}#{2}"/></svg>'
        ).format(size, asset("icons.svg"), name)

    app.jinja_env.globals.update(asset=asset, icon=icon)


@functools.cache
def _style_sheet() -> str:
    order = f"@layer {', '.join(_SHEETS)};\n"
    # Addresses in the sheets are relative to their own folder, one below the one that the whole is sent from.
    return order + "".join((_FOLDER / "css" / f"{name}.css").read_text("utf-8") for name in _SHEETS).replace("../", "")


def _version() -> str:
    digest = hashlib.sha256()
    for path in sorted(_FOLDER.rglob("*")):
        if path.is_file():
            digest.update(path.name.encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
