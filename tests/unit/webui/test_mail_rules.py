"""Small rules of the mail pages: folders, plain text, file names, flowed text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webui.mail import filename, folders, plain
from webui.mail.flowed import unflow
from webui.mail.folders import Role


def test_special_use_goes_before_names_and_the_order_is_that_of_a_page():
    listed = [
        (["\\HasNoChildren"], "Zoo"),
        ([], "Spam"),
        (["\\Junk"], "Müll"),
        ([], "INBOX"),
        (["\\Noselect"], "x"),
        ([], "Sent Items"),
    ]
    arranged = [(folder.name, folder.role) for folder in folders.arrange(listed)]
    assert arranged == [
        ("INBOX", Role.INBOX), ("Sent Items", Role.SENT), ("Müll", Role.JUNK), ("Spam", Role.OTHER), ("Zoo", Role.OTHER),
    ]  # fmt: skip


@given(st.text(max_size=40))
def test_a_folders_name_survives_its_way_through_a_url(name):
    segment = folders.to_url(name)
    assert "/" not in segment
    assert folders.from_url(segment) == name


def test_plain_text_is_escaped_and_linked():
    html = plain.to_html("See <b> https://x.test/a?b=1&c=2. Or ask ada@analytical.test!")
    assert "<b>" not in html
    assert 'href="https://x.test/a?b=1&amp;c=2"' in html
    assert 'href="mailto:ada@analytical.test"' in html


@given(st.text(alphabet=st.sampled_from("<>\"'&ahttps://x.@> \n"), max_size=200))
def test_no_text_becomes_mark_up_of_its_own(text):
    assert "<script" not in plain.to_html(text.replace("a", "<script>"))


def test_a_long_quotation_is_folded_and_a_short_one_is_not():
    assert "<details" in plain.to_html("Yes.\n" + "> line\n" * 9)
    assert "<details" not in plain.to_html("Yes.\n> line\n")
    assert '<div class="signature">' in plain.to_html("Yes.\n-- \nAda")


def test_html_becomes_text_for_an_answer():
    html = "<style>p{color:red}</style><p>Dear&nbsp;Ada,</p><p>one<br>two</p><ul><li>x</li></ul>"
    assert plain.from_html(html) == "Dear Ada,\n\none\ntwo\n\nx"


@pytest.mark.parametrize(
    ("given_", "safe"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\x\\report.pdf", "report.pdf"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("a\r\nb.txt", "ab.txt"),
        ("CON.txt", "_CON.txt"),
        ("...", "fallback"),
        ("", "fallback"),
        ("x" * 300 + ".pdf", "x" * 116 + ".pdf"),
    ],
)
def test_a_file_name_is_safe_to_save(given_, safe):
    assert filename.safe(given_, fallback="fallback") == safe


@given(st.text(max_size=200))
def test_any_file_name_fits_into_a_header(name):
    value = filename.disposition(filename.safe(name, fallback="file"))
    assert value.isascii()
    assert value.isprintable()
    assert value.startswith('attachment; filename="')


def test_flowed_text_keeps_signatures_and_quotation_depths_apart():
    assert unflow("a \nb\n-- \nc", delete_space=False) == "a b\n-- \nc"
    assert unflow("> a \n>> b", delete_space=False) == "> a \n>> b"
    assert unflow("漢 \n字", delete_space=True) == "漢字"
