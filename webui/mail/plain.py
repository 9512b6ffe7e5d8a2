"""Plain text mail for a page, and HTML mail as plain text. Pure; the first returns mark-up that is already escaped."""

import html
import re
from html.parser import HTMLParser

from markupsafe import Markup

MAX_LINKS = 2000
AT_A_GLANCE = 4
"""Lines of a quotation that are shown unfolded."""
_LINK = re.compile(r"\bhttps?://[^\s<>\"'`\x00-\x1f]{1,2000}|\b[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+\b", re.IGNORECASE)
_TRAILING = ".,;:!?'\"»”’"  # noqa: RUF001 - typographic quotes end sentences, too
_BLOCKS = frozenset("p div tr li ul ol table blockquote h1 h2 h3 h4 h5 h6 pre section article header footer hr".split())
_SILENT = frozenset({"script", "style", "title", "template", "head"})


def to_html(text: str) -> Markup:
    r"""Return plain text as mark-up: addresses linked, a long quotation folded, the signature set apart.

    Args:
        text: the message's text/plain, line ends as `\n`.
    """
    body, separator, signature = text.rstrip().partition("\n-- \n")
    parts = [Markup(_quotations(body))]  # noqa: S704 - every piece went through `_linked`
    if separator:
        parts.append(Markup('<div class="signature">-- \n{}</div>').format(_linked(signature)))
    return Markup("").join(parts)


def _quotations(text: str) -> str:
    out: list[str] = []
    run: list[str] = []
    quoting = False

    def close() -> None:
        if not run:
            return
        if quoting:
            inner = "\n".join(re.sub(r"^> ?", "", line) for line in run)
            out.append(_folded(inner, len(run)))
        else:
            out.append(str(_linked("\n".join(run))))

    for line in text.split("\n"):
        is_quote = line.startswith(">")
        if is_quote != quoting:
            close()
            run, quoting = [], is_quote
        run.append(line)
    close()
    return "".join(out)


def _folded(inner: str, lines: int) -> str:
    quote = f"<blockquote>{_linked(inner)}</blockquote>"
    if lines <= AT_A_GLANCE:
        return quote
    return f'<details class="quote"><summary><span>Quoted text</span></summary>{quote}</details>'


def _linked(text: str) -> Markup:
    out: list[str] = []
    position = 0
    for count, match in enumerate(_LINK.finditer(text)):
        if count >= MAX_LINKS:
            break
        found = match[0].rstrip(_TRAILING)
        if found.endswith(")") and "(" not in found:
            found = found[:-1]
        target = found if "://" in found else f"mailto:{found}"
        out.append(html.escape(text[position : match.start()]))
        shown = html.escape(found)
        out.append(f'<a href="{html.escape(target)}" target="_blank" rel="noopener noreferrer nofollow">{shown}</a>')
        position = match.start() + len(found)
    out.append(html.escape(text[position:]))
    return Markup("".join(out))  # noqa: S704 - every piece is escaped


class _TextCollector(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        if tag in _SILENT:
            self._silent += 1
        elif tag == "br":
            self.pieces.append("\n")
        elif tag in _BLOCKS:
            self.pieces.append("\n\n" if tag in {"p", "blockquote"} else "\n")
        elif tag in {"td", "th"}:
            self.pieces.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        elif tag in _BLOCKS:
            self.pieces.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.pieces.append(re.sub(r"[ \t\r\n\u00a0]+", " ", data))


def from_html(fragment: str) -> str:
    """Return sanitised HTML as plain text, to be quoted in an answer.

    Args:
        fragment: from `sanitise_html`.
    """
    collector = _TextCollector()
    collector.feed(fragment)
    collector.close()
    lines = (line.strip() for line in "".join(collector.pieces).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
