"""SPF beyond the public suite: bounds, names beyond ASCII, words for people, and records that try to do harm."""

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smailor.authentication import spf
from smailor.authentication.results import SpfIdentity, SpfResult, SpfStatus
from smailor.authentication.spf_macro import SpfSyntaxError, expand, parse_domain_spec, parse_macros
from smailor.authentication.spf_record import SpfRecord, parse_record
from smailor.dns.fake import FakeResolver

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def check(
    record: str | bytes, ip: str = "192.0.2.1", sender: str = "ada@example.org", client: FakeResolver | None = None
) -> SpfResult:
    client = client or FakeResolver()
    client.set("example.org", "TXT", [record])
    return spf.check(ip, helo="mx.example.org", mail_from=sender, resolver=client, now=NOW)


@pytest.mark.parametrize(
    ("record", "status", "words"),
    [
        ("v=spf1 ip4:192.0.2.0/24 -all", "pass", "example.org allows 192.0.2.1 to send: ip4:192.0.2.0/24"),
        ("v=spf1 -all", "fail", "example.org does not allow 192.0.2.1 to send: -all"),
        ("v=spf1 ~all", "softfail", "example.org probably does not allow 192.0.2.1 to send: ~all"),
        ("v=spf1 ?all", "neutral", "example.org does not say whether 192.0.2.1 may send: ?all"),
        ("v=spf1", "neutral", "the SPF policy of example.org says nothing about 192.0.2.1"),
        ("v=spf2 -all", "none", "example.org publishes no SPF policy"),
        (
            "v=spf1 bogus",
            "permerror",
            "the SPF policy of example.org is broken: the term 'bogus' is unknown (record of example.org)",
        ),
    ],
)
def test_the_verdict_in_words(record: str, status: str, words: str) -> None:
    result = check(record)
    assert (result.status.value, result.reason) == (status, words)


@pytest.mark.parametrize(
    "sender", ["<ada@example.org>", "ada@EXAMPLE.org.", "@relay.example:ada@example.org", '"a@b"@example.org']
)
def test_forms_of_the_sender(sender: str) -> None:
    assert check("v=spf1 +all", sender=sender).domain == "example.org"


@pytest.mark.parametrize("sender", ["", "<>"])
def test_an_empty_sender_is_postmaster_at_the_helo_name(sender: str) -> None:
    client = FakeResolver(
        {("mx.example.org", "TXT"): ["v=spf1 exists:%{l}.%{o} -all"], ("postmaster.mx.example.org", "A"): ["127.0.0.2"]}
    )
    result = check("v=spf1 -all", sender=sender, client=client)
    assert (result.status, result.identity, result.domain) == (SpfStatus.PASS, SpfIdentity.HELO, "mx.example.org")


def test_an_ipv4_address_in_ipv6_form_is_ipv4() -> None:
    assert check("v=spf1 ip4:192.0.2.1 -all", ip="::ffff:192.0.2.1").status is SpfStatus.PASS


def test_a_domain_beyond_ascii_is_asked_in_a_labels() -> None:
    client = FakeResolver({("xn--bcher-kva.example", "TXT"): ["v=spf1 +all"]})
    assert check("", sender="ada@bücher.example", client=client).status is SpfStatus.PASS


def test_a_local_part_beyond_ascii_matches_no_macro() -> None:
    """RFC 8616 section 4: "the macro-expansion … with non-ASCII characters … does not match"."""
    assert check("v=spf1 exists:%{l}.example.org -all", sender="ädä@example.org").status is SpfStatus.FAIL


def test_the_dns_owing_an_answer_is_a_temporary_error() -> None:
    result = check("v=spf1 a:slow.example.org -all", client=FakeResolver(failing=["slow.example.org"]))
    assert result.status is SpfStatus.TEMPERROR
    assert "slow.example.org" in result.reason


def test_a_name_of_the_client_that_does_not_answer_is_passed_over() -> None:
    """RFC 7208 section 5.5: "If a DNS error occurs while doing an A RR lookup, then that domain name is skipped"."""
    client = FakeResolver(
        {
            ("1.2.0.192.in-addr.arpa", "PTR"): ["slow.example.org", "mx.example.org"],
            ("mx.example.org", "A"): ["192.0.2.1"],
        },
        failing=["slow.example.org"],
    )
    assert check("v=spf1 ptr -all", client=client).status is SpfStatus.PASS


def test_mail_hosts_without_an_address_of_the_kind_are_no_void_lookups() -> None:
    """RFC 7208 section 4.6.4 limits "the number of terms for which DNS queries return" nothing, not the queries."""
    client = FakeResolver({("example.org", "MX"): [f"10 mx{n}.example.org" for n in range(4)]})
    for number in range(4):
        client.set(f"mx{number}.example.org", "A", ["192.0.2.1"])
    assert check("v=spf1 mx ip6:2001:db8::/32 -all", ip="2001:db8::1", client=client).status is SpfStatus.PASS


@pytest.mark.parametrize("words", ["plain", "a\x1b[31mb", "x" * 5000, "%{c} %{r} %{t}"])
def test_an_explanation_is_bounded_and_printable(words: str) -> None:
    client = FakeResolver({("why.example.org", "TXT"): [words]})
    explanation = check("v=spf1 -all exp=why.example.org", client=client).explanation
    assert len(explanation) <= spf.MAX_EXPLANATION
    assert explanation.isprintable()


def test_each_void_term_counts_once() -> None:
    assert check("v=spf1 a:x.example.org a:y.example.org ?all").status is SpfStatus.NEUTRAL
    assert check("v=spf1 a:x.example.org a:y.example.org a:z.example.org ?all").status is SpfStatus.PERMERROR


def test_a_name_that_the_dns_cannot_hold_is_not_asked() -> None:
    """RFC 7208 section 4.8: such a name does not match; no lookup is made that could be void."""
    client = FakeResolver()
    record = "v=spf1 a:x..example.org exists:y..example.org mx:z..example.org a:" + "x" * 64 + ".org ?all"
    assert check(record, client=client).status is SpfStatus.NEUTRAL
    assert client.asked == [("example.org", "TXT")]


@pytest.mark.parametrize(
    ("template", "text"),
    [
        # RFC 7208 section 7.4.
        ("%{s}", "strong-bad@email.example.com"),
        ("%{o}", "email.example.com"),
        ("%{d4}", "email.example.com"),
        ("%{d1}", "com"),
        ("%{dr}", "com.example.email"),
        ("%{d2r}", "example.email"),
        ("%{l}", "strong-bad"),
        ("%{l-}", "strong.bad"),
        ("%{lr-}", "bad.strong"),
        ("%{l1r-}", "strong"),
        ("%{S}", "strong-bad%40email.example.com"),
        ("%%%_%-", "% %20"),
        ("%{d99999}", "email.example.com"),
    ],
)
def test_macros(template: str, text: str) -> None:
    values = {
        "s": "strong-bad@email.example.com",
        "o": "email.example.com",
        "d": "email.example.com",
        "l": "strong-bad",
    }
    assert expand(parse_macros(template), values.__getitem__) == text


@pytest.mark.parametrize(
    "text", ["", "foo", "a.123", "%", "%{", "%{z}", "%{d0}", "%{d}x", "a b.example", "a.-b", "a.b-", "é.example"]
)
def test_what_is_no_domain(text: str) -> None:
    with pytest.raises(SpfSyntaxError):
        parse_domain_spec(text)


PIECES = st.sampled_from(
    "v=spf1|all|include:|a|a:|mx|mx:|ptr|ptr:|ip4:192.0.2.0|ip6:2001:db8::|exists:|redirect=|exp=|x=|+|-|~|?|/24|//64|/|:|"
    "%{d}|%{ir}|%{p}|%{l1r-}|%%|%_|%|{|}|example.org|sub.example.org|.|1|é|\x00|\n".split("|")
) | st.just(" ")
TEXTS = st.lists(PIECES, max_size=25).map("".join)


@given(st.binary(max_size=100) | TEXTS.map(str.encode))
def test_no_record_makes_the_parser_raise(data: bytes) -> None:
    try:
        record = parse_record(b"v=spf1 " + data)
    except SpfSyntaxError:
        return
    assert isinstance(record, SpfRecord)


@settings(max_examples=300)
@given(
    st.dictionaries(st.sampled_from(["example.org", "sub.example.org", "1.2.0.192.in-addr.arpa"]), TEXTS, max_size=3),
    st.sampled_from(["192.0.2.1", "2001:db8::1"]),
    st.text(max_size=20),
    st.booleans(),
)
def test_any_records_have_a_verdict(records: dict[str, str], ip: str, local_part: str, fails: bool) -> None:
    """Whatever strangers publish: a verdict, at most ten terms, a bounded number of questions."""
    client = FakeResolver(
        {(name, "TXT"): [f"v=spf1 {text}".encode()] for name, text in records.items()},
        failing=["sub.example.org"] if fails else [],
    )
    client.set("example.org", "MX", ["10 sub.example.org", "20 example.org"])
    client.set("1.2.0.192.in-addr.arpa", "PTR", ["sub.example.org", "example.org"])
    result = spf.check(ip, helo=local_part, mail_from=f"{local_part}@example.org", resolver=client, now=NOW)
    assert result.reason
    assert result.lookups <= spf.MAX_LOOKUPS + 1
    assert len(client.asked) <= 150


@pytest.mark.parametrize(
    "piece",
    [
        "a ",
        "a:%{s}.x.org ",
        "%{l}",
        "/",
        "/1",
        "//1",
        "1",
        "x=",
        "include:example.org ",
        "a:" + "%{s}" * 200 + ".org ",
        "-",
        ":",
        "%",
    ],
)
def test_no_record_takes_long(piece: str) -> None:
    sender = "a." * 500 + "@example.org"
    for prefix in ("v=spf1 ", "v=spf1 a:", "v=spf1 exp=", "v=spf1 x="):
        started = time.process_time()
        check((prefix + piece * 16_384)[:16_384], sender=sender)
        assert time.process_time() - started < 1
