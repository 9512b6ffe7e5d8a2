"""Which domains a stranger's From field names: no form hides one, no form makes the reader raise or hang."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smailor.authentication.from_field import author_domains

ONE = [
    b" ada@example.org",
    b" Ada <ada@example.org>\r\n",
    b" <ada@EXAMPLE.org>",
    b' "Lovelace, Ada" <ada@example.org> (the countess)',
    b" Lovelace, Ada <ada@example.org>",
    b" =?utf-8?q?Ada?= <ada@example.org>",
    b"\r\n Ada\r\n\t<ada@example.org>",
    b" ada(comment (nested \\) one))@(two)example . org",
    b" <@relay.example,@other.example:ada@example.org>",
    b" ada@example.org.",
    b' "bank@bank.example" <ada@example.org>',
    b" Ada \xe9\xff <ada@example.org>",
    b" Group: ada@example.org, Bob <bob@example.org>;",
    b' "a@b"@example.org',
    b" ada@example.org, Ada <ada@example.org>",
    b" Ada @ Work <ada@example.org>",
    b" Ada <ada@example.org> via the list",
    b" ada lovelace <ada@example.org>",
]
SEVERAL = [
    (b" ada@example.org, bob@example.net", ("example.org", "example.net")),
    (b" service@bank.example <ada@example.org>", ("example.org", "bank.example")),
    (b" <ada@example.org> service@bank.example", ("example.org", "bank.example")),
    (b" Group: ada@example.org;, bob@example.net", ("example.org", "example.net")),
    ("ada@bücher.example".encode(), ("xn--bcher-kva.example",)),
    ("Ada <ada@BÜCHER.example>".encode(), ("xn--bcher-kva.example",)),
    (b" root@localhost", ("localhost",)),
]
MALFORMED = [
    b"",
    b" ",
    b" Ada",
    b" root",
    b" <>",
    b" <ada@example.org> <eve@example.net>",
    b" <ada@example.org",
    b" ada@example.org>",
    b' "Ada <ada@example.org>',
    b" (Ada <ada@example.org>",
    b" ada@example.org@example.net",
    b" <<ada@example.org>>",
    b" ada@exam\x00ple.org",
    b" ada@example.org\r\nX: y",
    b" ada@exa mple.org",
    b" Ada ada@example.org",
    b" ada@",
    b" ada@-example.org",
    b" ada@192.0.2.1",
    b' ada@"example.org"',
    b" ada@exampl\xff.org",
    b" ada@=?utf-8?q?example.org?=",
    b" a" * 20_000,
]
WITHOUT_DOMAIN = [b" Undisclosed:;", b" Group: (empty) ;", b" ada@[192.0.2.1]", b" Ada <ada@[IPv6:2001:db8::1]>"]


@pytest.mark.parametrize("value", ONE)
def test_the_author_domain(value: bytes) -> None:
    assert author_domains([value]).domains == ("example.org",)


@pytest.mark.parametrize(("value", "domains"), SEVERAL)
def test_every_domain_that_a_reader_may_see(value: bytes, domains: tuple[str, ...]) -> None:
    assert author_domains([value]).domains == domains


@pytest.mark.parametrize("value", MALFORMED)
def test_what_programs_would_read_differently_is_malformed(value: bytes) -> None:
    author = author_domains([value])
    assert (author.domains, author.malformed) == ((), True)
    assert author.problem


@pytest.mark.parametrize("value", WITHOUT_DOMAIN)
def test_well_formed_without_a_domain(value: bytes) -> None:
    author = author_domains([value])
    assert (author.domains, author.malformed) == ((), False)


@pytest.mark.parametrize("values", [[], [b" ada@example.org", b" ada@example.org"]])
def test_there_has_to_be_one_field(values: list[bytes]) -> None:
    assert author_domains(values).malformed


PIECES = st.sampled_from(
    [
        b"<",
        b">",
        b"(",
        b")",
        b'"',
        b"\\",
        b",",
        b";",
        b":",
        b"@",
        b"[",
        b"]",
        b".",
        b" ",
        b"\r\n ",
        b"\x00",
        b"a",
        b"example.org",
    ]
)


@given(st.lists(PIECES | st.binary(max_size=3), max_size=60).map(b"".join))
def test_no_field_makes_it_raise(value: bytes) -> None:
    author = author_domains([value])
    assert bool(author.domains) is not bool(author.problem)
    assert all(domain.isascii() and domain == domain.lower() for domain in author.domains)


@pytest.mark.parametrize(
    "piece", [b"(", b'"', b"\\", b"<", b"a@b.example,", b"@", b". ", b"a ", b'"\\', b"[", b"=?", b"\r\n "]
)
def test_no_field_takes_long(piece: bytes) -> None:
    value = (piece * 16_384)[:16_384]
    started = time.process_time()
    author_domains([value])
    assert time.process_time() - started < 1
