"""Domain names and addresses have one normal form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smailor.address import Address, DomainName, parse_local_part
from smailor.errors import InvalidInput


@pytest.mark.parametrize(
    ("given_name", "normal"),
    [
        ("Example.COM", "example.com"),
        ("example.com.", "example.com"),
        (" example.com ", "example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("_dmarc.example.com", "_dmarc.example.com"),
        ("faß.example", "xn--fa-hia.example"),
    ],
)
def test_spellings_of_one_domain_are_equal(given_name, normal):
    assert DomainName.parse(given_name).name == normal


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "com",
        "a..b",
        ".example.com",
        "-a.example",
        "a-.example",
        "a b.example",
        "a\x00.example",
        "127.0.0.1",
        "[127.0.0.1]",
        "example.123",
        "x" * 64 + ".example",
        ".".join(["abcdefghij"] * 24),
        "xn--a.example",
        "ex\u200dample.com",
        "a/b.example",
        "example.com\r\nx",
    ],
)
def test_what_cannot_be_a_mail_domain_is_refused(text):
    with pytest.raises(InvalidInput):
        DomainName.parse(text)


def test_a_domain_is_shown_as_people_write_it():
    assert DomainName.parse("xn--bcher-kva.example").unicode == "bücher.example"
    assert DomainName.parse("example.com").unicode == "example.com"


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("Ada@Example.COM", "ada@example.com"),
        (" ada.lovelace@example.com ", "ada.lovelace@example.com"),
        ("o'neil@example.com", "o'neil@example.com"),
        ("a+b@bücher.example", "a+b@xn--bcher-kva.example"),
    ],
)
def test_spellings_of_one_address_are_equal(text, normal):
    assert str(Address.parse(text)) == normal


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ada",
        "@example.com",
        "ada@",
        "a@b@",
        ".a@b.example",
        "a.@b.example",
        "a..b@c.example",
        '"a b"@c.example',
        "ada@example.com, eve@evil.example",
        "<ada@example.com>",
        "a\nb@c.example",
        "x" * 65 + "@c.example",
        "ä@c.example",
    ],
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(InvalidInput):
        Address.parse(text)


@pytest.mark.parametrize(
    ("text", "base"),
    [("ada+news@x.example", "ada@x.example"), ("ada@x.example", "ada@x.example"), ("+@x.example", "+@x.example")],
)
def test_a_sub_address_falls_back_to_its_base(text, base):
    assert str(Address.parse(text).without_extension()) == base


@given(st.text(max_size=300))
def test_any_text_is_an_address_in_normal_form_or_invalid_input(text):
    """Parsing twice changes nothing: what comes out is the one spelling that is stored and compared."""
    try:
        address = Address.parse(text)
    except InvalidInput:
        return
    assert Address.parse(str(address)) == address
    assert str(address).isascii()
    assert parse_local_part(address.local_part) == address.local_part
