"""Style sheets, scripts, fonts and icons: our own files, named by their content, kept by browsers for a year."""

import functools
import gzip
import hashlib
import re
from pathlib import Path
from urllib.parse import quote

from flask import Blueprint, Flask, Response, abort, request, send_from_directory
from markupsafe import Markup
from werkzeug.security import safe_join

from webui.access import public

_FOLDER = Path(__file__).parent / "static"
_VENDORED = ("open-props/sizes", "open-props/durations")
_SHEETS = ("tokens", "base", "parts", "pieces", "layout", "mail", "settings", "acting")
"""The style sheets in the order of their layers, sent as one: `app.css`."""
_TEXTS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
"""What is worth sending compressed: it holds no secret, so its length tells nothing."""
blueprint = Blueprint("assets", __name__)


@blueprint.get("/static/<version>/<path:name>")
@public
def static(version: str, name: str) -> Response:
    """Send a file; the version in its address only makes the address new when the content is."""
    del version
    suffix = Path(name).suffix
    response = _text(name, _TEXTS[suffix]) if suffix in _TEXTS else send_from_directory(_FOLDER, name)
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

    app.jinja_env.globals.update(asset=asset, icon=icon, ICONS=_icons())


def _text(name: str, mimetype: str) -> Response:
    zipped = bool(request.accept_encodings["gzip"])
    response = Response(_content(name, zipped=zipped), mimetype=mimetype)
    response.headers["Vary"] = "Accept-Encoding"
    if zipped:
        response.headers["Content-Encoding"] = "gzip"
    return response


@functools.lru_cache(maxsize=100)
def _content(name: str, *, zipped: bool) -> bytes:
    if name == "app.css":
        content = _style_sheet().encode()
    else:
        path = safe_join(str(_FOLDER), name)
        if path is None or not Path(path).is_file():
            abort(404)
        content = Path(path).read_bytes()
    return gzip.compress(content, 9, mtime=0) if zipped else content


def _style_sheet() -> str:
    order = f"@layer vendored, {', '.join(_SHEETS)};\n"
    vendored = "".join((_FOLDER / "vendor" / f"{name}.css").read_text("utf-8") for name in _VENDORED)
    own = "".join((_FOLDER / "css" / f"{name}.css").read_text("utf-8") for name in _SHEETS)
    # Addresses in the sheets are relative to their own folder, one below the one that the whole is sent from.
    return f"{order}@layer vendored {{{vendored}}}\n{own}".replace("../", "")


def _icons() -> list[str]:
    return re.findall(r'<symbol id="([^"]+)"', (_FOLDER / "icons.svg").read_text("utf-8"))


def _version() -> str:
    digest = hashlib.sha256()
    for path in sorted(_FOLDER.rglob("*")):
        if path.is_file():
            digest.update(path.name.encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
