"""Which From fields name exactly one mailbox, and which could be read in two ways."""

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smailor.authentication.author import MAX_OCTETS, parse_author
from smailor.errors import InvalidInput


@pytest.mark.parametrize(
    ("value", "address", "name"),
    [
        (b" ada@acme.test", "ada@acme.test", ""),
        (b"<ada@acme.test>", "ada@acme.test", ""),
        (b" Ada Lovelace <ada@acme.test>", "ada@acme.test", "Ada Lovelace"),
        (b" Ada K. Lovelace <ada@acme.test> ", "ada@acme.test", "Ada K. Lovelace"),
        (b' "Lovelace, Ada" <Ada@ACME.test>', "ada@acme.test", "Lovelace, Ada"),
        (b' "Ada \\"the first\\"" <ada@acme.test>', "ada@acme.test", 'Ada "the first"'),
        (b" Ada\r\n Lovelace\r\n\t<ada@acme.test>", "ada@acme.test", "Ada Lovelace"),
        (b" Ada\n\tLovelace <ada@acme.test>", "ada@acme.test", "Ada\tLovelace"),
        (b" =?utf-8?q?J=C3=B6rg?= <joerg@acme.test>", "joerg@acme.test", "Jörg"),
        (b" =?utf-8?b?SsO2?= =?utf-8?b?cmc=?= <joerg@acme.test>", "joerg@acme.test", "Jörg"),
        (' "Jörg" <joerg@acme.test>'.encode(), "joerg@acme.test", "Jörg"),
        (b" ada@acme.test (Ada (the first) Lovelace)", "ada@acme.test", "Ada (the first) Lovelace"),
        (" jörgs Büro <a@bücher.test>".encode(), "a@xn--bcher-kva.test", "jörgs Büro"),
        (b" <a@xn--bcher-kva.test>", "a@xn--bcher-kva.test", ""),
        (b" <ada+news@acme.test>", "ada+news@acme.test", ""),
    ],
)
def test_one_plain_mailbox_is_read(value, address, name):
    author = parse_author(value)
    assert (str(author.address), author.name, author.claimed) == (address, name, ())


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "no plain address"),
        (b" <>", "no plain address"),
        (b" Ada", "no plain address"),
        (b" ada@acme", "domain"),
        (b" ada@acme.test, eve@evil.test", "more than one"),
        (b" <ada@acme.test> <eve@evil.test>", "more than one"),
        (b" <ada@acme.test> eve@evil.test", "behind it"),
        (b" <ada@acme.test>, <eve@evil.test>", "more than one"),
        (b" Staff: ada@acme.test;", "group"),
        (b" undisclosed-recipients:;", "group"),
        (b" <@relay.test,@x.test:ada@acme.test>", "more than one"),
        (b" <@relay.test:ada@acme.test>", "group"),
        (b" ada@acme.test@evil.test", "no plain address"),
        (b" ada @acme.test", "no plain address"),
        (b" ada@acme.test.", "ends in a dot"),
        (b" ada@acme..test", "domain"),
        (b" .ada@acme.test", "before the @"),
        (b' "ada"@acme.test', "quoted"),
        (b" <ada(c)@acme.test>", "no plain address"),
        (b" ada@[192.0.2.1]", "IP address"),
        (b" ada@192.0.2.1", "IP address"),
        (b" ada@acme.test <eve@evil.test>", "quotation marks"),
        (b' "Ada <ada@acme.test>', "quotation mark without"),
        (b" (Ada <ada@acme.test>", "comment without"),
        (b" Ada) <ada@acme.test>", "quotation marks"),
        (b" Ada \\<ada@acme.test>", "quotation marks"),
        (b" =?utf-8?q?ada=40acme=2Etest?=", "no plain address"),
        (b" <=?utf-8?q?ada?=@acme.test>", "encoded word"),
        (b" ada@=?utf-8?q?acme?=.test", "encoded word"),
        (b" ada@acme.test\x00", "control character"),
        (b" ada@acme.test\r\nTo: x", "control character"),
        (b" Ada\x1b <ada@acme.test>", "control character"),
        (b" =?utf-8?q?Ada=00?= <ada@acme.test>", "control character"),
        (b" =?utf-8?q?Ada=0D=0ATo=3A?= <ada@acme.test>", "control character"),
        (b" =?no-such-charset?q?Ada=FF?= <ada@acme.test>", "cannot be decoded"),
        (b" J\xf6rg <ada@acme.test>", "neither ASCII nor UTF-8"),
        (" ada@ａcme.test".encode(), "normal form"),
        (" ada@acme。test".encode(), "normal form"),
        (" ádá@acme.test".encode(), "before the @"),
        (b" " + b"a" * MAX_OCTETS + b"@acme.test", "too long"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused_with_its_reason(value, reason):
    with pytest.raises(InvalidInput) as refused:
        parse_author(value)
    assert refused.value.field == "From"
    assert reason in refused.value.message


@pytest.mark.parametrize(
    ("value", "claimed"),
    [
        (b' "boss@bank.example" <eve@acme.test>', ("boss@bank.example",)),
        (b' "Boss <boss@bank.example>" <eve@acme.test>', ("boss@bank.example",)),
        (b" =?utf-8?q?boss=40bank=2Eexample?= <eve@acme.test>", ("boss@bank.example",)),
        (b' "=?utf-8?q?boss=40bank=2Eexample?=" <eve@acme.test>', ("boss@bank.example",)),
        (b" eve@acme.test (Boss@Bank.example)", ("boss@bank.example",)),
        (b" Eve <eve@acme.test> (boss@bank.example)", ("boss@bank.example",)),
        (" boss＠bank。example <eve@acme.test>".encode(), ("boss@bank.example",)),
        (b' "eve@acme.test" <eve@acme.test>', ()),
        (b' "me@home" <eve@acme.test>', ()),
    ],
)
def test_addresses_shown_in_the_name_are_told(value, claimed):
    """The text beside the address is what people read: it may not show an address of somebody else."""
    assert parse_author(value).claimed == claimed


@given(st.binary(max_size=120) | st.text(st.sampled_from('a@.<>"\\(),:;=? \t\r\nü'), max_size=60).map(str.encode))
def test_any_octets_are_read_or_refused(value):
    try:
        author = parse_author(value)
    except InvalidInput:
        return
    assert author.address.domain.name.isascii()


@pytest.mark.parametrize(
    "piece",
    [
        b"(",
        b"()",
        b'"',
        b'\\"',
        b"<",
        b"a@b.example,",
        b"@",
        b"=?utf-8?q?=40?= ",
        b"=?utf-8?b?",
        b"a:b;",
        b"\r\n ",
        b"\xff",
    ],
)
def test_no_field_takes_long(piece):
    for size in (MAX_OCTETS, 100_000):
        started = time.process_time()
        with suppress(InvalidInput):
            parse_author((piece * size)[: size - 20] + b" <ada@acme.test>")
        assert time.process_time() - started < 1
