"""What a reader sees of a message, whatever its bytes are."""

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.webui import corpora
from webui.mail import parts
from webui.mail.header import Mailbox
from webui.mail.message import content, view

FACTS = corpora.read("mime/facts.json")["files"]
HEAD = b"From: Ada <ada@analytical.test>\r\nSubject: Hello\r\nMIME-Version: 1.0\r\n"


def folded(text):
    return re.sub(r"\s+", "", text)


@pytest.mark.skipif(not FACTS, reason="the public suite is not beside the clone")
@pytest.mark.parametrize("name", FACTS)
def test_odd_messages_of_the_world_are_read_as_others_read_them(name):
    raw = (corpora.FOLDER / "mime" / name).read_bytes()
    facts, seen = FACTS[name]["facts"], view(raw)
    if "from" in facts:
        assert seen.sender is not None
        assert seen.sender.address == facts["from"]
    if "subject" in facts:
        # One subject of 130,000 characters is shown in part.
        assert folded(facts["subject"]).startswith(folded(seen.subject).partition("=?")[0][:30_000])
    digests = {hashlib.sha256(content(raw, part.index).data).hexdigest() for part in seen.attachments}
    assert {part["sha256"] for part in facts.get("attachments_at_least", [])} <= digests


@given(st.binary(max_size=2000))
def test_any_bytes_give_a_view(raw):
    assert view(raw) is not None
    assert content(raw, 0) is None or isinstance(content(raw, 0).data, bytes)


WORDS = st.sampled_from(
    [
        b"From: ", b"Subject: ", b"=?utf-8?q?=C3?=", b"=?x?b?YQ=?=", b"Content-Type: multipart/mixed; boundary=", b"b",
        b"\r\n", b"\n", b"--b", b"--", b"Content-Type: text/html; charset=", b"utf-7", b"zlib", b"\xff\xfe", b"message/rfc822",
        b"Content-Transfer-Encoding: base64", b"Content-Disposition: attachment; filename*0*=utf-8''%", b"a@b", b"<", b">", b'"', b"(",
        b"Date: Mon, 99 Foo 2026 25:61:61 +9999", b"References: <a@b>", b": ", b";", b"Content-ID: <x>", b"image/png", b"\0",
    ]
)  # fmt: skip


@given(st.lists(WORDS, max_size=40).map(b"".join))
def test_any_mix_of_what_mail_is_made_of_gives_a_view(raw):
    seen = view(raw)
    for part in seen.attachments:
        assert content(raw, part.index) is not None
        assert "/" not in part.name
        assert part.name.isprintable()


def test_plain_and_html_of_an_alternative_are_both_there():
    raw = HEAD + (
        b"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nplain\r\n"
        b"--b\r\nContent-Type: text/html\r\n\r\n<p>html</p>\r\n--b--\r\n"
    )
    seen = view(raw)
    assert (seen.subject, seen.sender, seen.text.strip(), seen.html.strip()) == (
        "Hello",
        Mailbox("Ada", "ada@analytical.test"),
        "plain",
        "<p>html</p>",
    )
    assert seen.attachments == ()


def test_a_picture_within_the_text_is_shown_there_and_a_file_is_an_attachment():
    raw = HEAD + (
        b"Content-Type: multipart/related; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<img src=cid:p>\r\n"
        b"--b\r\nContent-Type: image/png\r\nContent-ID: <p>\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n"
        b'--b\r\nContent-Type: application/pdf; name="../../r\xc3\xa9sum\xc3\xa9.pdf"\r\n\r\nPDF\r\n--b--\r\n'
    )
    seen = view(raw)
    assert seen.pictures == {"p": "data:image/png;base64,AAAA"}
    assert [(part.name, part.inline) for part in seen.attachments] == [
        ("attachment-2.png", True),
        ("résumé.pdf", False),
    ]
    assert content(raw, seen.attachments[1].index).data.strip() == b"PDF"


def test_a_forwarded_message_is_an_attachment_with_its_own_attachments():
    raw = HEAD + (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nsee below\r\n"
        b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: Inner\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"
        b"--c\r\nContent-Type: text/plain\r\n\r\ninner text\r\n--c\r\nContent-Type: image/gif; name=a.gif\r\n\r\nGIF\r\n--c--\r\n"
        b"--b--\r\n"
    )
    seen = view(raw)
    assert seen.text.strip() == "see below"
    assert [part.name for part in seen.attachments] == ["Inner.eml", "a.gif"]
    assert content(raw, seen.attachments[0].index).data.startswith(b"Subject: Inner\r\n")


def test_text_without_a_charset_is_read_as_what_it_is():
    assert view(HEAD + b"\r\nGr\xc3\xbc\xc3\x9fe").text == "Grüße"
    assert view(HEAD + b"\r\nGr\xfc\xdfe").text == "Grüße"


def test_names_cannot_turn_the_line_around():
    raw = b"From: =?utf-8?q?=E2=80=AEadA?= <a@b.test>\r\nSubject: a\r\n b\tc\x07\r\n\r\n"
    seen = view(raw)
    assert (seen.sender.name, seen.subject) == ("adA", "a b c")


def test_flowed_text_is_joined():
    raw = HEAD + b"Content-Type: text/plain; format=flowed\r\n\r\nThis is \r\none line.\r\n> and \r\n> another\r\n"
    assert view(raw).text == "This is one line.\n> and another\n"


def test_more_parts_than_anybody_sends_are_left_out():
    raw = (
        HEAD
        + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        + b"--b\r\nContent-Type: image/gif\r\n\r\nx\r\n" * 2000
    )
    seen = view(raw)
    assert len(seen.attachments) == parts.MAX_PARTS
    assert seen.truncated


def test_parts_nested_without_end_do_not_break_the_reader():
    raw = HEAD
    for depth in range(3000):
        raw += b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (depth, depth)
    assert view(raw + b"\r\nend") is not None
