"""In which language a page speaks, and the switch. English stands in the code; other languages in translations/.

The language is the person's own choice, else the browser's cookie, else what the browser asks for (RFC 9110 § 12.5.4).
`make texts` keeps the catalogue; rooms below know nothing of it: what they say is looked up here, by its English text.
"""

import functools
import re
from datetime import timedelta

from babel.support import Translations
from flask import Blueprint, Flask, g, redirect, request, url_for
from flask_babel import Babel, get_locale, get_translations
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from werkzeug.wrappers import Response

from smailor.accounts import languages
from smailor.accounts.languages import LANGUAGES
from smailor.errors import InvalidInput, SmailorError
from webui.access import public
from webui.auth.next_page import own_path
from webui.context import context

COOKIE = "smailor_language"
blueprint = Blueprint("texts", __name__)

WORDS = (
    *(_l("owner"), _l("admin"), _l("billing"), _l("member"), _l("read-only"), _l("operator")),
    *(_l("Inbox"), _l("Drafts"), _l("Sent"), _l("Archive"), _l("Junk"), _l("Trash")),
    *(_l("Incoming mail"), _l("Ownership")),
)
"""Values that pages show through `|said`, here so that the catalogue has them."""


def init_app(app: Flask) -> None:
    """Set up the catalogue, and what templates need to speak."""
    app.config["BABEL_DEFAULT_LOCALE"] = next(iter(LANGUAGES))
    Babel(app, locale_selector=_wanted)
    app.jinja_env.policies["ext.i18n.trimmed"] = True
    # Flask-Babel asks anew for each text which language the page speaks: an eighth of a page's time.
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]  # of jinja2.ext.i18n
        lambda text: _catalogue().ugettext(text),
        lambda one, many, count: _catalogue().ungettext(one, many, count),
        newstyle=True,
    )
    app.jinja_env.filters["said"] = said
    app.jinja_env.globals.update(language=language, LANGUAGES=LANGUAGES, this_page=_this_page)
    app.register_blueprint(blueprint)


def language() -> str:
    """Return the code of the language that the page speaks."""
    found: str | None = g.get("language")
    if found is None:
        found = g.language = str(get_locale() or next(iter(LANGUAGES)))
    return found


def _catalogue() -> Translations:
    """The texts of the page's language, which stays the same within a request."""
    found: Translations | None = g.get("catalogue")
    if found is None:
        found = g.catalogue = get_translations()
    return found


def said(what: object) -> str:
    """Return a text of a room below in the page's language; unknown ones stay as they are.

    Args:
        what: the text or an error. A number or a name in it may be anything: `has at most 80 characters` is found
            under `has at most {0} characters`.
    """
    text = what.message if isinstance(what, InvalidInput) else str(what)
    if not text:
        return ""  # gettext gives the catalogue's head for it
    translated = str(_catalogue().ugettext(text))
    if translated != text:
        return translated
    for pattern, template in _templates(language()):
        found = pattern.fullmatch(text)
        if found:
            return template.format(*(said(group) for group in found.groups()))
    return text


def sentence(what: object) -> str:
    """Return an error or text as a sentence of its own, in the page's language: what stands beside a field."""
    text = said(what)
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?", "…")) else ".")


@functools.cache
def _templates(code: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    """The catalogue's texts with numbered gaps, as patterns, the more precise ones first."""
    del code  # a key of the cache: the translations are those of the request
    known: dict[str, str] = getattr(_catalogue(), "_catalog", {})
    gaps = [key for key in known if "{0}" in key and known[key]]
    return tuple(
        (re.compile(re.sub(r"\\\{\d\\\}", "(.*)", re.escape(key)), re.DOTALL), known[key])
        for key in sorted(gaps, key=len, reverse=True)
    )


@blueprint.post("/language")
@public
def choose() -> Response:
    """Speak another language from now on: in this browser, and to this person."""
    code = request.form.get("language", "")
    response = redirect(own_path(request.form.get("page", "")) or url_for("home.index"))
    if code not in LANGUAGES:
        return response
    if current_user.is_authenticated:
        languages.set_language(context().database, user_id=int(current_user.get_id()), language=code)
    response.set_cookie(
        COOKIE,
        code,
        max_age=timedelta(days=365),
        path="/",
        httponly=True,
        samesite="Lax",
        secure=context().settings.web.secure_cookies,
    )
    return response


def _wanted() -> str:
    first = next(iter(LANGUAGES))
    try:
        own = current_user.view.language if current_user.is_authenticated else ""
    except SmailorError:
        own = ""  # the database is away: the page that says so speaks the browser's language
    for code in (own, request.cookies.get(COOKIE, "")):
        if code in LANGUAGES:
            return str(code)
    return request.accept_languages.best_match(list(LANGUAGES), first) or first


def _this_page() -> str:
    """Where the language switch leads back to: this page, if it can be asked for again."""
    rule = request.url_rule
    return request.full_path.rstrip("?") if rule and "GET" in (rule.methods or ()) else ""
