"""A stranger's HTML made harmless: what comes out shows text and nothing else. Pure: string in, string out.

nh3 (ammonia, html5ever) parses and rebuilds the mark-up by allow-list; `webui.mail.css` does the same for styles.
Nothing that survives can run, submit, navigate by itself or ask a host for anything. The frame in which the result is
shown (sandbox, own Content-Security-Policy: `webui.mail.body`) is the second wall, not the first.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from html.parser import HTMLParser
from typing import Literal

import nh3

from webui.mail import css

MAX_CHARACTERS = 2_000_000
"""Longer bodies are cut here: html5ever is linear, but a reader is not."""

Images = Literal["block", "proxy"]

_TAGS = frozenset(
    """a abbr acronym address article aside b bdi bdo big blockquote br caption center cite code col colgroup dd del
    dfn div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li main mark nav ol p pre
    q rp rt ruby s samp section small span strike strong sub summary sup table tbody td tfoot th thead time tr tt u ul
    var wbr""".split()
)
_CONTENT_DROPPED = frozenset(
    """script style title template noscript noembed noframes iframe object embed applet svg math select textarea
    audio video canvas xmp plaintext frameset""".split()
)
_SHARED = frozenset("align class color dir height lang style title valign width bgcolor role".split())
_ATTRIBUTES: dict[str, set[str]] = {
    "*": set(_SHARED),
    "a": {"href"},
    "img": {"src", "alt", "border", "hspace", "vspace"},
    "table": {"border", "cellpadding", "cellspacing", "summary", "rules", "frame"},
    "td": {"colspan", "rowspan", "nowrap", "headers", "abbr"},
    "th": {"colspan", "rowspan", "nowrap", "headers", "abbr", "scope"},
    "col": {"span"},
    "colgroup": {"span"},
    "ol": {"start", "type", "reversed"},
    "ul": {"type"},
    "li": {"value", "type"},
    "font": {"face", "size"},
    "hr": {"size", "noshade"},
    "time": {"datetime"},
}
_LINK = re.compile(r"(?:https?|mailto|tel):", re.IGNORECASE)
_REMOTE = re.compile(r"https?://", re.IGNORECASE)
_PICTURE_DATA = re.compile(r"data:image/(?:png|jpe?g|gif|webp);base64,[A-Za-z0-9+/=\s]*\Z", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x20\x7f]+")
_STYLE_CACHE = css.Cache()


def sanitise_html(
    html: str,
    *,
    images: Images,
    inline: Mapping[str, str] | None = None,
    proxied: Callable[[str], str] | None = None,
) -> str:
    """Return a fragment of HTML that is safe to show in the mail frame.

    Args:
        html: a message's text/html part, any string at all.
        images: `block`: no picture from elsewhere; `proxy`: such pictures by the address that `proxied` gives, and
            none while no `proxied` is given, for a picture fetched directly tells its sender when, where and by whom
            the mail was read.
        inline: pictures that came in the message: Content-ID (without angle brackets) to a `data:` URL.
        proxied: makes of a picture's address the signed one at our own image proxy.

    Returns:
        A fragment: at most one `<style>` of our own writing, then mark-up from the allow-list. Links open apart and
        carry `noopener noreferrer nofollow`. Ids and names are left out. Nothing loads from another host.
    """
    html = html[:MAX_CHARACTERS].replace("\x00", "")
    pictures = _Pictures(inline or {}, proxied if images == "proxy" else None)
    body = nh3.clean(
        html,
        tags=set(_TAGS),
        clean_content_tags=set(_CONTENT_DROPPED),
        attributes=_ATTRIBUTES,
        attribute_filter=pictures.attribute,
        strip_comments=True,
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
        url_schemes={"http", "https", "mailto", "tel", "cid", "data"},
        url_relative="deny",
        filter_style_properties=set(css.PROPERTIES),
    )
    sheet = _style_sheet(html)
    return f"<style>{sheet}</style>{body}" if sheet else body


def remote_pictures(html: str) -> bool:
    """Tell whether the HTML would load a picture from elsewhere, so that the reader can be told it does not.

    Args:
        html: the part as it came, not sanitised. A rough answer is enough: nothing depends on it but a notice.
    """
    return (
        re.search(r"<img\b[^>]{0,2000}?\bsrc\s*=\s*[\"']?\s*https?://", html[:MAX_CHARACTERS], re.IGNORECASE)
        is not None
    )


class _Pictures:
    """The attribute filter of one message."""

    def __init__(self, inline: Mapping[str, str], proxied: Callable[[str], str] | None) -> None:
        self._inline = inline
        self._proxied = proxied

    def attribute(self, tag: str, name: str, value: str) -> str | None:
        del tag
        if name == "style":
            return _STYLE_CACHE.declarations(value) or None
        if name == "href":
            # Browsers drop tabs and line breaks inside an address before they look at its scheme.
            address = _CONTROL.sub("", value) if _CONTROL.match(value) or "\n" in value or "\t" in value else value
            return address if _LINK.match(address) else None
        if name == "src":
            return self._source(value.strip())
        return value

    def _source(self, value: str) -> str | None:
        if value[:4].lower() == "cid:":
            return self._inline.get(value[4:].strip("<> "))
        if _PICTURE_DATA.match(value):
            return value
        if self._proxied is not None and _REMOTE.match(value):
            return self._proxied(value)
        return None


class _StyleCollector(HTMLParser):
    """Gathers the text of `<style>` elements. It need not parse as a browser does: its catch is sanitised anyway."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.sheets: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self._inside = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        if tag == "style":
            self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.sheets.append(data)


def _style_sheet(html: str) -> str:
    if "<style" not in html.lower():
        return ""
    collector = _StyleCollector()
    # html.parser gives up on some broken declarations; the mail is then shown without the rest of its style sheet.
    with suppress(AssertionError, ValueError):
        collector.feed(html)
    return _STYLE_CACHE.sheet("\n".join(collector.sheets))
