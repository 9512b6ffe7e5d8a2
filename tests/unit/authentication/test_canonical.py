"""Relaxed canonicalisation: the examples of the RFC, dkimpy as the second opinion, and every way to cut a body."""

import hashlib

import pytest
from dkim.canonicalization import Relaxed
from hypothesis import given
from hypothesis import strategies as st

from smailor.authentication.canonical import RelaxedBodyHash, relax_header, relax_name

# Mostly what the rules are about: blanks, line ends whole and broken, and a few letters.
BODIES = st.lists(
    st.sampled_from([b" ", b"\t", b"\r\n", b"\r", b"\n", b"a", b"b c", b"\x0b", b"\xff"]), max_size=40
).map(b"".join)


def digest(body: bytes, chunk: int = 0) -> bytes:
    hash_ = RelaxedBodyHash()
    for at in range(0, len(body), chunk or max(1, len(body))):
        hash_.update(body[at : at + (chunk or len(body))])
    return hash_.digest()


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def test_the_example_of_rfc_6376_section_3_4_5():
    assert relax_name("A") + b":" + relax_header(b" X") == b"a:X"
    assert relax_name("B ") + b":" + relax_header(b" Y\t\r\n\tZ  ") == b"b:Y Z"
    assert digest(b" C \r\nD \t E\r\n\r\n\r\n") == sha256(b" C\r\nD E\r\n")


@pytest.mark.parametrize("body", [b"", b"\r\n", b"\r\n\r\n", b" \t\r\n \r\n", b"  "])
def test_a_body_of_empty_lines_is_empty(body):
    """RFC 6376 section 3.4.4: no CRLF is added to an empty body."""
    assert digest(body) == sha256(b"")


def test_a_last_line_without_line_end_gets_one():
    assert digest(b"a\r\nb \t") == sha256(b"a\r\nb\r\n")


@given(body=BODIES, chunk=st.integers(1, 9))
def test_any_cut_gives_the_same_hash(body, chunk):
    assert digest(body, chunk) == digest(body)


@given(body=BODIES)
def test_bodies_hash_as_dkimpy_hashes_them(body):
    complete = body + b"\r\n"
    assert digest(complete, 3) == sha256(Relaxed.canonicalize_body(complete))


def test_a_hundred_thousand_empty_lines_are_counted_not_kept():
    hash_ = RelaxedBodyHash()
    for _ in range(100):
        hash_.update(b"\r\n" * 1000)
        assert len(hash_._body._unfinished) <= 2
    hash_.update(b"x\r\n")
    assert hash_.digest() == sha256(b"\r\n" * 100_000 + b"x\r\n")


@given(
    st.lists(st.sampled_from([b" ", b"\t", b"\r\n ", b"\n\t", b"a", b"\x0b", b"\x0c", b"\xe4", b"\x00"])).map(b"".join)
)
def test_header_values_relax_as_in_dkimpy(value):
    unfolded = value.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    [(_, expected)] = Relaxed.canonicalize_headers([(b"Subject", unfolded)])
    # dkimpy strips vertical tabs and form feeds at the ends, which are no WSP (RFC 5234).
    if not value.strip(b" \t\r\n").startswith((b"\x0b", b"\x0c")) and not value.strip(b" \t\r\n").endswith(
        (b"\x0b", b"\x0c")
    ):
        assert relax_header(value) == expected.removesuffix(b"\r\n")


@pytest.mark.parametrize(
    ("value", "relaxed"),
    [
        (b" a\x0b b", b"a\x0b b"),
        (b"\x0c a", b"\x0c a"),
        (b" a\rb ", b"a\rb"),
        (b" a\nb ", b"a\nb"),
        (b" a\r\n b", b"a b"),
    ],
)
def test_only_space_and_tab_are_blanks_and_only_folds_are_unfolded(value, relaxed):
    assert relax_header(value) == relaxed
