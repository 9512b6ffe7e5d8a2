"""The catalogue of translations is whole, and no text stands in a template without being in it."""

import importlib.util
import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]
TEMPLATES = PROJECT / "webui" / "templates"
AS_THEY_ARE = {"styleguide/index.html", "styleguide/question.html", "mail/body.html"}
"""For development, and a message's own frame: English alone."""
NAMES = {"STARTTLS", "CSV", "UTC", "DNS"}
"""Words that are the same in every language."""
JINJA = re.compile(r"\{#.*?#\}|\{% trans\b.*?\{% endtrans %\}|\{%.*?%\}|\{\{.*?\}\}|<style>.*?</style>", re.DOTALL)
SPOKEN_ATTRIBUTE = re.compile(r'\b(?:aria-label|title|placeholder|alt)="([^"]*)"')


def script(name: str):
    spec = importlib.util.spec_from_file_location(name, PROJECT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


texts = script("texts")
ALL = sorted(TEMPLATES.rglob("*.html"))


@pytest.mark.parametrize("path", texts.catalogues(), ids=lambda path: path.parent.parent.name)
def test_a_catalogue_holds_every_text_translated_with_the_same_gaps(path):
    assert sorted(texts.problems(texts.read(path), texts.extracted())) == [], "make texts, then translate"


@pytest.mark.parametrize("path", texts.catalogues(), ids=lambda path: path.parent.parent.name)
def test_the_compiled_catalogue_is_made_of_the_other(path):
    assert path.with_suffix(".mo").read_bytes() == texts.compiled(texts.read(path)), "make texts"


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.relative_to(TEMPLATES).as_posix())
def test_no_text_of_a_template_is_left_out(path):
    if path.relative_to(TEMPLATES).as_posix() in AS_THEY_ARE:
        return
    bare = JINJA.sub(" ", path.read_text("utf-8"))
    said = re.sub(r"&\w+;", " ", re.sub(r"<[^>]*>", "\n", bare)).splitlines() + SPOKEN_ATTRIBUTE.findall(bare)
    words = {" ".join(line.split()) for line in said if re.search(r"[A-Za-z]{2}", line) and "aria-" not in line}
    # An example that is no word of any language, such as an address, may stand in a placeholder.
    left = {word for word in words - NAMES if not re.search(r"\w[.@:]\w", word)}
    assert left == set()


def test_every_icon_that_a_template_names_is_in_the_sprite():
    sprite = (PROJECT / "webui" / "static" / "icons.svg").read_text("utf-8")
    known = set(re.findall(r'<symbol id="([^"]+)"', sprite))
    named = {name for path in ALL for name in re.findall(r'\bicon\("([^"]+)"', path.read_text("utf-8"))}
    assert named <= known


def test_what_a_room_says_is_taken_with_numbered_gaps(monkeypatch, tmp_path):
    monkeypatch.setattr(texts, "PROJECT", tmp_path)
    (tmp_path / "room.py").write_text('raise InvalidInput("name", f"has 1 to {MAX} characters, not {count:,}")\n')
    assert list(texts._room_texts(tmp_path / "room.py")) == ["has 1 to {0} characters, not {1}"]
