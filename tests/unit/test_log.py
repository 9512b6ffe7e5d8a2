"""A log line is one line, whatever a stranger sent."""

import logging

import pytest

from smailor import log


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("ada@example.test", "ada@example.test"),
        (42, "42"),
        ("", '""'),
        ("two words", '"two words"'),
        ("new\nline", '"new\\nline"'),
        ('a"b', '"a\\"b"'),
        ("x=1 forged=2", '"x=1 forged=2"'),
        ("\x1b[31m\u202e", '"\\x1b[31m\\u202e"'),
    ],
)
def test_a_value_cannot_forge_a_field_or_a_line(value, word):
    assert log.quote(value) == word


def test_the_queue_id_stands_first(caplog):
    with caplog.at_level(logging.INFO):
        log.event(logging.getLogger("t"), logging.INFO, "4Xyz", "signed", domain="a.test", size=12)
        log.event(logging.getLogger("t"), logging.INFO, None, "started", workers=2)
    assert caplog.messages == ["4Xyz: signed domain=a.test size=12", "started workers=2"]
