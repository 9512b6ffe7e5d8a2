"""Authentication-Results: RFC 8601's own examples are read, ours are safe whatever a stranger writes, forgeries are found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smailor.authentication.authentication_results import (
    MethodResult,
    Property,
    forged,
    merged,
    parse,
    write,
)
from smailor.errors import InvalidInput


def result(method: str, found: str, *properties: tuple[str, str, str], **words: str) -> MethodResult:
    return MethodResult(method, found, tuple(Property(*item) for item in properties), **words)


EXAMPLES = {
    b" example.org 1; none": ("example.org", []),
    b" example.com;\r\n\tspf=pass smtp.mailfrom=example.net": (
        "example.com",
        [result("spf", "pass", ("smtp", "mailfrom", "example.net"))],
    ),
    b' example.com; dkim=pass reason="good signature"\r\n header.i=@mail-router.example.net;\r\n dkim=fail reason="bad signature"\r\n header.i=@newyork.example.com': (
        "example.com",
        [
            result("dkim", "pass", ("header", "i", "@mail-router.example.net"), reason="good signature"),
            result("dkim", "fail", ("header", "i", "@newyork.example.com"), reason="bad signature"),
        ],
    ),
    b" example.com;\r\n auth=pass (cram-md5) smtp.auth=sender@example.net; spf=pass smtp.mailfrom=example.net": (
        "example.com",
        [
            result("auth", "pass", ("smtp", "auth", "sender@example.net"), comment="cram-md5"),
            result("spf", "pass", ("smtp", "mailfrom", "example.net")),
        ],
    ),
    b" foo.example.net (foobar) 1 (baz);\r\n dkim (Because I like it) / 1 (One yay) = (wait for it) fail\r\n policy (A dot can go here) . (like that) expired\r\n (this surprised me) = (as I wasn't expecting it) 1362471462": (
        "foo.example.net",
        [result("dkim", "fail", ("policy", "expired", "1362471462"), comment="Because I like it")],
    ),
    b" mx; dkim=pass header.b=a/b=; ; x=y smtp.auth=\"a b\"@example.com": (
        "mx",
        [result("dkim", "pass", ("header", "b", "a/b=")), result("x", "y", ("smtp", "auth", "a b@example.com"))],
    ),
    b" mx.microsoft.com 1; spf=pass smtp.mailfrom=example.net; dmarc=pass action=none header.from=example.net": (
        "mx.microsoft.com",
        [
            result("spf", "pass", ("smtp", "mailfrom", "example.net")),
            result("dmarc", "pass", ("header", "from", "example.net")),
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("value", EXAMPLES)
def test_an_example_of_rfc_8601_is_read(value):
    authserv_id, results = EXAMPLES[value]
    field = parse(value)
    assert (field.authserv_id, list(field.results)) == (authserv_id, results)
    assert parse(write(field.authserv_id, field.results).encode()) == field


@pytest.mark.parametrize(
    "value",
    [b"", b" ", b"mx", b"mx 2; none", b"; none", b"mx; spf", b"mx; spf=", b"mx; =pass", b"mx; spf=pass smtp.=x", b'mx; spf="pass',
     b"mx; (spf=pass", b"mx; spf=pass x", b"mx; spf=p\xc3\xa4ss", b"mx" + b"; a=b" * 300, b"x" * 70_000],
)  # fmt: skip
def test_what_is_none_is_refused(value):
    with pytest.raises(InvalidInput):
        parse(value)


def test_ours_is_folded_and_says_none_where_nothing_was_checked():
    assert write("mx.example", []) == " mx.example;\r\n\tnone"
    text = write("mx.example", [result("dkim", "pass", ("header", "d", "a" * 60), ("header", "s", "b" * 60))])
    assert max(map(len, text.split("\r\n"))) < 80
    assert parse(text.encode()).results[0].properties[1].value == "b" * 60


HOSTILE = st.text('ab=;()"\\ \r\n\t./@ä\0\x7f\u2028', max_size=30)


@given(value=HOSTILE, reason=HOSTILE, comment=HOSTILE)
def test_a_stranger_cannot_add_a_result_through_a_value(value, reason, comment):
    text = write("mx.example", [result("spf", "fail", ("smtp", "mailfrom", value), reason=reason, comment=comment)])
    assert all(line.startswith("\t") for line in text.split("\r\n")[1:])
    assert "\n" not in text.replace("\r\n", "")
    field = parse(text.encode())
    assert field.authserv_id == "mx.example"
    [found] = field.results
    assert (found.method, found.result, len(found.properties)) == ("spf", "fail", 1)


OURS = ["mx.smailor.example"]


@pytest.mark.parametrize(
    "value",
    [b" mx.smailor.example; spf=pass", b"MX.Smailor.Example;none", b' "mx.smailor.example"; dkim=pass', rb' "mx\.sm\ailor.example"; spf=pass', b"(x) mx.smailor.example (y) 1; a=b",
     b" mx.smailor.example.; spf=pass", b" a.mx.smailor.example; spf=pass", b" mx.smailor.example", b" mx.smailor.example 2; spf=pass",
     b" (mx.smailor.example; spf=pass", b"\r\n\tmx.smailor.example;\r\n\tspf=pass", b" x y mx.smailor.example; dmarc=pass"],
)  # fmt: skip
def test_a_field_that_claims_to_be_ours_is_forged(value):
    assert forged([value], OURS) == (1,)


@pytest.mark.parametrize(
    "value", [b" mx.other.example; spf=pass", b" notmx.smailor.example; spf=pass", b"", b" smailor.example; none"]
)
def test_a_field_of_others_is_not(value):
    assert forged([value], OURS) == ()


def test_forged_fields_are_told_by_their_position_among_all():
    assert forged([b" other; none", b" mx.smailor.example; none", b" x; none", b" mx.smailor.example; none"], OURS) == (
        2,
        4,
    )


def test_results_of_several_fields_are_merged():
    values = [b" mx; spf=pass", b" other; dkim=pass", b" broken", b" MX; dkim=fail; dmarc=fail"]
    assert [found.method for found in merged(values, "mx")] == ["spf", "dkim", "dmarc"]
