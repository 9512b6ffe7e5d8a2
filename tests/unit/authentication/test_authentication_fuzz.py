"""No octets that a stranger sends make a reader stumble or hang: tag lists, key records, results, signatures, chains."""

import contextlib
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smailor.authentication import arc, authentication_results
from smailor.authentication.arc import ArcStatus
from smailor.authentication.key_record import KeyUnusable, parse_key_record
from smailor.authentication.tags import TagError, parse_tags, without_signature
from smailor.authentication.verify import DkimStatus, verify_signatures
from smailor.dns.fake import FakeResolver
from smailor.errors import InvalidInput

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
PIECES = st.sampled_from(
    [b"v=1", b"v=DKIM1", b"a=rsa-sha256", b"a=ed25519-sha256", b"b=AAAA", b"bh=AAAA", b"d=example.com", b"s=s", b"h=from", b"i=1", b"i=@x.y",
     b"cv=none", b"cv=pass", b"t=1", b"x=9", b"l=3", b"k=rsa", b"p=", b"p=AAAA", b"c=relaxed", b";", b";", b"; ", b"=", b"\r\n ", b" ", b"\t",
     b"mx.example", b"spf=pass", b"(", b")", b'"', b"\\", b"\x00", b"\xff", b"\xc3\xa4", b":", b"none", b"a" * 300]
)  # fmt: skip
TEXT = st.one_of(
    st.binary(max_size=200), st.lists(PIECES, max_size=30).map(b"".join), st.lists(PIECES, max_size=12).map(b";".join)
)
NAMES = st.sampled_from(
    [
        b"DKIM-Signature",
        b"ARC-Seal",
        b"ARC-Message-Signature",
        b"ARC-Authentication-Results",
        b"From",
        b"from ",
        b"Authentication-Results",
    ]
)
RESOLVER = FakeResolver({("s._domainkey.example.com", "TXT"): ["v=DKIM1; k=ed25519; p=" + "A" * 43 + "="]})


@contextmanager
def within(seconds: float):
    started = time.process_time()
    yield
    assert time.process_time() - started < seconds


@given(TEXT)
def test_any_tag_list_is_read_or_refused(text):
    with suppress(TagError):
        tags = parse_tags(text)
        assert all(name.isascii() for name in tags)
    without_signature(text)


@given(TEXT)
def test_any_key_record_is_read_or_refused(text):
    with suppress(KeyUnusable):
        assert parse_key_record(text).bits >= 0


@given(TEXT)
def test_any_results_are_read_or_refused(text):
    with suppress(InvalidInput):
        authentication_results.parse(text)
    authentication_results.forged([text], ["mx.example"])
    authentication_results.merged([text], "mx.example")


@settings(max_examples=300)
@given(st.lists(st.tuples(NAMES, TEXT), max_size=8), st.binary(max_size=50))
def test_any_message_gets_a_verdict(fields, body):
    message = b"".join(name + b":" + value + b"\r\n" for name, value in fields) + b"\r\n" + body
    for result in verify_signatures(message, resolver=RESOLVER, now=NOW):
        assert result.status is not DkimStatus.PASS
        assert result.reason
        assert (result.selector + result.algorithm + result.identity + result.signature + " ").isprintable()
    chain = arc.verify_chain(message, resolver=RESOLVER, now=NOW)
    assert chain.status in {ArcStatus.NONE, ArcStatus.FAIL}
    with suppress(InvalidInput):
        identity = {"domain": "example.com", "selector": "s", "key": KEY, "authserv_id": "mx"}
        arc.seal(message, results=[authentication_results.MethodResult("arc", "fail")], now=NOW, **identity)


KEY = b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIFRoaXMgaXMgYSB0ZXN0IGtleSwgbm90aGluZyBlbHNl\n-----END PRIVATE KEY-----\n"

SIGNATURE = b"DKIM-Signature: v=1; a=rsa-sha256; c=%s; d=example.com; s=s; h=%s; bh=AAAA; b=AAAA\r\n"
MEGABYTE = 1_000_000
LARGE = {
    "ten thousand fields": b"X-Field: value\r\n" * 10_000,
    "ten thousand signatures": b"DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=s; h=from; bh=AAAA; b=AAAA\r\n" * 10_000,
    "ten thousand ARC fields": b"ARC-Seal: i=1; cv=none\r\nARC-Message-Signature: i=1\r\nARC-Authentication-Results: i=1; x\r\n" * 3_334,
    "ten thousand results": b"Authentication-Results: mx.example; spf=pass\r\n" * 10_000,
    "a field of a megabyte": b"X-Field: " + b"a" * MEGABYTE + b"\r\n",
    "a signature of a megabyte": b"DKIM-Signature: " + b"v=1;" * (MEGABYTE // 4) + b"\r\n",
    "a megabyte of blanks": b"DKIM-Signature: v=1;" + b" " * MEGABYTE + b"\r\n",
    "ten signatures over ten thousand names": b"From: x\r\n" * 10_000 + SIGNATURE % (b"simple", b":".join([b"from"] * 10_000)) * 10,
    "ten signatures over a megabyte": (b"From: " + b"a \t" * (MEGABYTE // 3) + b"\r\n") + SIGNATURE % (b"relaxed", b"from") * 10,
    "a comment a megabyte deep": b"ARC-Authentication-Results: i=1; " + b"(" * MEGABYTE + b"\r\nARC-Seal: i=1\r\nARC-Message-Signature: i=1\r\n",
    "nothing but semicolons": b"DKIM-Signature: " + b";" * 60_000 + b"\r\n",
    "b= again and again": b"DKIM-Signature: " + b"; b= " * 12_000 + b"\r\n",
    "binary": bytes(range(256)) * 4_000,
}  # fmt: skip


@pytest.mark.parametrize("name", LARGE)
def test_a_large_header_takes_bounded_time(name):
    message = LARGE[name] + b"From: a@example.com\r\n\r\nbody\r\n"
    with within(5):
        for result in verify_signatures(message, resolver=RESOLVER, now=NOW):
            assert result.status is not DkimStatus.PASS
        assert arc.verify_chain(message, resolver=RESOLVER, now=NOW).status in {ArcStatus.NONE, ArcStatus.FAIL}


@pytest.mark.parametrize(
    "text",
    [
        b"(" * MEGABYTE,
        b'"' * 16_001,
        b"a=" * 8_000,
        b"mx.example;" * 1_400,
        b"mx.example; " + b"a=b " * 4_000,
        b"\\" * 16_000,
    ],
)
def test_large_results_take_bounded_time(text):
    with within(2):
        authentication_results.forged([text] * 60, ["mx.example"])
        with contextlib.suppress(InvalidInput):
            authentication_results.parse(text)
