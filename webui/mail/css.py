"""A stranger's CSS made harmless: rules rebuilt from parsed tokens by allow-list. Pure.

What may load (`url()`, `image-set()`, `@import`, `@font-face`), overlay (`position`), or be code in an old browser
(`expression()`, `behavior`) has no place in the lists below, so it is dropped however it is written or escaped.
"""

import functools
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from threading import Lock

import tinycss2
from tinycss2 import ast

MAX_SHEET = 200_000
MAX_DECLARATIONS = 10_000
"""Characters of one message's style sheets, and of one style attribute, that are read."""

_BOX = ("top", "right", "bottom", "left")
PROPERTIES = frozenset(
    """background background-color background-position background-repeat background-size background-clip
    border border-collapse border-color border-radius border-spacing border-style border-width
    border-top-left-radius border-top-right-radius border-bottom-left-radius border-bottom-right-radius
    box-shadow box-sizing caption-side clear color direction display empty-cells float
    font font-family font-size font-style font-variant font-weight
    height letter-spacing line-height list-style list-style-position list-style-type
    margin max-height max-width min-height min-width opacity outline outline-color outline-style outline-width
    overflow overflow-wrap padding table-layout text-align text-decoration text-decoration-color text-decoration-line
    text-decoration-style text-indent text-overflow text-transform unicode-bidi vertical-align visibility
    white-space width word-break word-spacing word-wrap gap column-gap row-gap flex flex-basis flex-direction flex-grow
    flex-shrink flex-wrap align-items align-self justify-content""".split()
    + [f"border-{side}{part}" for side in _BOX for part in ("", "-color", "-style", "-width")]
    + [f"{kind}-{side}" for kind in ("margin", "padding") for side in _BOX]
)
FUNCTIONS = frozenset(
    "rgb rgba hsl hsla hwb lab lch oklab oklch calc min max clamp linear-gradient radial-gradient".split()
)
_MEDIA_WORDS = frozenset(
    """all screen only and not or min-width max-width width min-device-width max-device-width orientation portrait
    landscape""".split()
)


class Cache:
    """Remembers what became of a style: a newsletter repeats the same few a thousand times. Safe between threads."""

    def __init__(self, *, sheets: int = 64) -> None:
        self._sheets: OrderedDict[bytes, str] = OrderedDict()
        self._most = sheets
        self._lock = Lock()
        self.declarations: Callable[[str], str] = functools.lru_cache(maxsize=4096)(clean_declarations)

    def sheet(self, text: str) -> str:
        """As `clean_sheet`."""
        key = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        with self._lock:
            if (kept := self._sheets.get(key)) is not None:
                self._sheets.move_to_end(key)
                return kept
        cleaned = clean_sheet(text)
        with self._lock:
            self._sheets[key] = cleaned
            while len(self._sheets) > self._most:
                self._sheets.popitem(last=False)
        return cleaned


def clean_declarations(text: str) -> str:
    """Return the harmless declarations of a style attribute, `; ` between them.

    Args:
        text: the attribute's value.
    """
    return _declarations(
        tinycss2.parse_blocks_contents(text[:MAX_DECLARATIONS], skip_comments=True, skip_whitespace=True)
    )


def clean_sheet(text: str) -> str:
    """Return a style sheet of the harmless rules, without any `<`, so that it can stand inside `<style>`.

    Args:
        text: the content of the message's style elements.
    """
    text = text[:MAX_SHEET].replace("<!--", " ").replace("-->", " ")
    rules = tinycss2.parse_stylesheet(text, skip_comments=True, skip_whitespace=True)
    return _escape("\n".join(_rules(rules, depth=0)))


def _rules(rules: Iterable[ast.Node], *, depth: int) -> Iterable[str]:
    for rule in rules:
        if isinstance(rule, ast.QualifiedRule):
            if _selector_is_plain(rule.prelude) and (body := _declarations(_contents(rule.content))):
                yield f"{tinycss2.serialize(rule.prelude).strip()} {{ {body} }}"
        elif isinstance(rule, ast.AtRule) and depth == 0 and _is_plain_media(rule):
            nested = tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True)
            if inner := "\n".join(_rules(nested, depth=1)):
                yield f"@media {tinycss2.serialize(rule.prelude).strip()} {{ {inner} }}"


def _is_plain_media(rule: ast.AtRule) -> bool:
    return rule.lower_at_keyword == "media" and bool(rule.content) and _media_is_plain(rule.prelude)


def _contents(tokens: Sequence[ast.Node]) -> Sequence[ast.Node]:
    found: Sequence[ast.Node] = tinycss2.parse_blocks_contents(tokens, skip_comments=True, skip_whitespace=True)
    return found


def _declarations(nodes: Iterable[ast.Node]) -> str:
    kept = []
    for node in nodes:
        if isinstance(node, ast.Declaration) and node.lower_name in PROPERTIES and _value_is_plain(node.value):
            important = " !important" if node.important else ""
            kept.append(f"{node.lower_name}: {tinycss2.serialize(node.value).strip()}{important}")
    return _escape("; ".join(kept))


def _value_is_plain(tokens: Sequence[ast.Node]) -> bool:
    for token in tokens:
        if isinstance(token, ast.FunctionBlock):
            if token.lower_name not in FUNCTIONS or not _value_is_plain(token.arguments):
                return False
        elif isinstance(token, ast.ParenthesesBlock):
            if not _value_is_plain(token.content):
                return False
        elif isinstance(token, ast.LiteralToken):
            if token.value not in {",", "/", "+", "-", "*"}:
                return False
        elif not isinstance(token, _PLAIN):
            return False
    return True


_PLAIN = (
    ast.WhitespaceToken,
    ast.IdentToken,
    ast.HashToken,
    ast.NumberToken,
    ast.PercentageToken,
    ast.DimensionToken,
    ast.StringToken,
    ast.UnicodeRangeToken,
    ast.Comment,
)


def _selector_is_plain(tokens: Sequence[ast.Node]) -> bool:
    """Elements, classes, ids, combinators and plain pseudo-classes; attribute selectors probe, so they are left out."""
    return bool(tokens) and all(
        isinstance(token, (ast.WhitespaceToken, ast.IdentToken, ast.HashToken, ast.Comment))
        or (isinstance(token, ast.LiteralToken) and token.value in {".", ",", ">", "+", "~", "*", ":"})
        for token in tokens
    )


def _media_is_plain(tokens: Sequence[ast.Node]) -> bool:
    """Width and orientation only: the body stands on white, so a mail's own dark rules would make it unreadable."""
    for token in tokens:
        if isinstance(token, ast.ParenthesesBlock):
            if not _media_is_plain(token.content):
                return False
        elif isinstance(token, ast.IdentToken):
            if token.lower_value not in _MEDIA_WORDS:
                return False
        elif isinstance(token, ast.LiteralToken):
            if token.value not in {",", ":"}:
                return False
        elif not isinstance(token, (ast.WhitespaceToken, ast.DimensionToken, ast.NumberToken, ast.Comment)):
            return False
    return True


def _escape(text: str) -> str:
    """`<` can only stand in a string or an identifier here; written as an escape it means the same and ends nothing."""
    return text.replace("<", "\\3c ")
