"""Keep the catalogue of translations: webui/translations/LANGUAGE/LC_MESSAGES/messages.po, and .mo made of it.

    scripts/texts.py            take in what the code says now, compile
    scripts/texts.py --check    change nothing; 1 if the catalogue is not what the code says, or is not complete

Where texts come from: `_()` and its kin in webui's code and templates; and, in the rooms that pages show, the texts of
errors (the web looks them up by their English words, `webui.texts.said`) and the words named in SPOKEN. A value in such
a text is a numbered gap: f"has at most {MAX} characters" is `has at most {0} characters`.
"""

import ast
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

PROJECT = Path(__file__).resolve().parent.parent
FOLDER = PROJECT / "webui" / "translations"
KEYWORDS = {
    **dict.fromkeys(("_", "_l", "gettext", "lazy_gettext")),
    **dict.fromkeys(("ngettext", "lazy_ngettext"), (1, 2)),
    **dict.fromkeys(("pgettext", "lazy_pgettext"), ((1, "c"), 2)),
}
ROOMS = ("accounts", "domains", "mailboxes", "sending", "address.py")
RAISED = {
    "InvalidInput": 1,
    "NotFound": 0,
    "Conflict": 0,
    "PermissionDenied": 0,
    "TemporaryFailure": 0,
    "WantedRecord": 3,
}
"""Calls with a text that pages show, and which argument it is."""
SPOKEN = {"smailor/sending/warmup.py": {"WORDS", "_next_step"}}
"""Further words of rooms: every text with a space in these constants and functions."""
GAP = re.compile(r"%\(\w+\)[sd]|\{\d\}")


def extracted() -> Catalog:
    """Return a catalogue of all that the code says now."""
    catalog = Catalog(project="Smailor", charset="utf-8")
    for path in sorted((PROJECT / "webui").rglob("*")):
        method = {".py": "python", ".html": "jinja2"}.get(path.suffix)
        if method is None or {"static", "styleguide"} & set(path.parts):
            continue
        options = {"trimmed": "true", "trim_blocks": "true", "lstrip_blocks": "true", "silent": "false"}
        with path.open("rb") as file:
            for _, text, _, context in extract(method, file, KEYWORDS, options=options):
                catalog.add(text, locations=[(_name(path), 0)], context=context)
    for path in _room_files():
        for text in _room_texts(path):
            catalog.add(text, locations=[(_name(path), 0)])
    return catalog


def problems(catalog: Catalog, template: Catalog) -> Iterator[str]:
    """Say what is wrong with a language's catalogue."""
    known, wanted = ({message.id: message for message in one if message.id} for one in (catalog, template))
    yield from (f"not in the catalogue: {text!r}" for text in wanted.keys() - known.keys())
    yield from (f"said nowhere any more: {text!r}" for text in known.keys() - wanted.keys())
    for text, message in known.items():
        forms = message.string if isinstance(message.string, tuple | list) else (message.string,)
        if not all(forms):
            yield f"not translated: {text!r}"
        elif message.fuzzy:
            yield f"fuzzy: {text!r}"
        else:
            yield from _gap_problems(message, forms)


def compiled(catalog: Catalog) -> bytes:
    """Return the .mo of a catalogue."""
    out = io.BytesIO()
    write_mo(out, catalog)
    return out.getvalue()


def read(path: Path) -> Catalog:
    """Return the catalogue of a .po file."""
    with path.open("rb") as file:
        return read_po(file, locale=path.parent.parent.name)


def catalogues() -> list[Path]:
    """Return the .po files, one a language."""
    return sorted(FOLDER.glob("*/LC_MESSAGES/messages.po"))


def main() -> int:
    """Update or check every language."""
    template, failed = extracted(), False
    for path in catalogues():
        catalog = read(path)
        if "--check" not in sys.argv[1:]:
            template.creation_date = catalog.creation_date
            catalog.update(template, no_fuzzy_matching=True)
            catalog.obsolete.clear()
            catalog.project, catalog.version, catalog.revision_date = "Smailor", "1", catalog.creation_date
            catalog.last_translator = catalog.language_team = catalog.msgid_bugs_address = "Smailor"
            with path.open("wb") as file:
                write_po(file, catalog, width=120, sort_output=True, include_lineno=False)
            path.with_suffix(".mo").write_bytes(compiled(read(path)))
        found = sorted(problems(read(path), template))
        if path.with_suffix(".mo").read_bytes() != compiled(read(path)):
            found.append("messages.mo is not made of messages.po")
        for problem in found:
            print(f"{_name(path)}: {problem}")
        failed = failed or bool(found)
    return int(failed)


def _gap_problems(message: Message, forms: tuple[str, ...]) -> Iterator[str]:
    ids = message.id if isinstance(message.id, tuple | list) else (message.id,)
    for form in forms:
        if set(GAP.findall(form)) != set(GAP.findall(ids[-1])) and set(GAP.findall(form)) != set(GAP.findall(ids[0])):
            yield f"other gaps than in English: {message.id!r}"


def _room_files() -> Iterator[Path]:
    for room in ROOMS:
        path = PROJECT / "smailor" / room
        yield from sorted(path.rglob("*.py")) if path.is_dir() else [path]
    yield from sorted((PROJECT / "webui").rglob("*.py"))


def _room_texts(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        name = getattr(node, "func", None) if isinstance(node, ast.Call) else None
        place = RAISED.get(getattr(name, "id", ""))
        if place is not None and len(node.args) > place:
            yield from filter(None, [_text(node.args[place])])
    for part in tree.body:
        names = {getattr(part, "name", "")} | {getattr(target, "id", "") for target in getattr(part, "targets", ())}
        if names & SPOKEN.get(_name(path), set()):
            inside = {id(value) for node in ast.walk(part) if isinstance(node, ast.JoinedStr) for value in node.values}
            documented = ast.get_docstring(part, clean=False) if isinstance(part, ast.FunctionDef) else None
            for node in ast.walk(part):
                text = _text(node) if id(node) not in inside else ""
                if " " in text and text != documented:
                    yield text


def _text(node: ast.AST) -> str:
    """A text with numbered gaps; empty for what is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if not isinstance(node, ast.JoinedStr):
        return ""
    parts, gaps = [], 0
    for value in node.values:
        if isinstance(value, ast.Constant):
            parts.append(str(value.value))
        else:
            parts.append(f"{{{gaps}}}")
            gaps += 1
    text = "".join(parts)
    return text if re.search(r"[A-Za-z]{2}", GAP.sub("", text)) else ""


def _name(path: Path) -> str:
    return path.relative_to(PROJECT).as_posix()


if __name__ == "__main__":
    sys.exit(main())
