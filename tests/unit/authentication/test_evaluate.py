"""All checks of a message together: from its octets to the verdicts, the field that tells them, and the time it takes."""

import base64
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from smailor.authentication import AuthenticationResult, arc, authenticate
from smailor.authentication.arc import ArcStatus
from smailor.authentication.authentication_results import MethodResult, parse
from smailor.authentication.dkim import sign
from smailor.authentication.dmarc_record import Policy
from smailor.authentication.evaluate import Envelope, Evaluation
from smailor.authentication.results import DmarcStatus, SpfStatus
from smailor.authentication.verify import DkimStatus, split_message
from smailor.dns.answer import Answer, DnsClient, Outcome
from smailor.dns.fake import FakeResolver

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = ed25519.Ed25519PrivateKey.generate()
MESSAGE = b"From: Ada <ada@example.org>\r\nTo: bob@example.net\r\nSubject: Hello\r\n\r\nHello, Bob.\r\n"


def public(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> str:
    form, encoding = serialization.PublicFormat.SubjectPublicKeyInfo, serialization.Encoding.DER
    if isinstance(key, ed25519.Ed25519PrivateKey):
        form, encoding = serialization.PublicFormat.Raw, serialization.Encoding.Raw
    return base64.b64encode(key.public_key().public_bytes(encoding, form)).decode()


RECORDS = {
    ("example.org", "TXT"): ["v=spf1 include:_spf.example.org -all"],
    ("_spf.example.org", "TXT"): ["v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all"],
    ("_dmarc.example.org", "TXT"): ["v=DMARC1; p=reject; rua=mailto:dmarc@example.org"],
    ("one._domainkey.example.org", "TXT"): [f"v=DKIM1; k=rsa; p={public(KEY)}"],
    ("two._domainkey.example.org", "TXT"): [f"v=DKIM1; k=ed25519; p={public(OTHER)}"],
}


def signed(message: bytes = MESSAGE) -> bytes:
    for selector, key in (("one", KEY), ("two", OTHER)):
        message = sign(message, domain="example.org", selector=selector, key=key, now=NOW) + message
    return message


def check(
    message: bytes,
    *,
    client_ip: str = "192.0.2.1",
    mail_from: str = "ada@example.org",
    resolver: DnsClient | None = None,
    seconds: float = 5.0,
) -> AuthenticationResult:
    return authenticate(
        message,
        client_ip=client_ip,
        helo="mx.example.org",
        mail_from=mail_from,
        resolver=resolver or FakeResolver(RECORDS),
        now=NOW,
        seconds=seconds,
    )


def test_an_honest_message_passes_everything() -> None:
    result = check(signed())
    assert result.spf.status is SpfStatus.PASS
    assert [found.status for found in result.dkim] == [DkimStatus.PASS, DkimStatus.PASS]
    assert (result.dmarc.status, result.dmarc.aligned_by) == (DmarcStatus.PASS, ("dkim", "spf"))


def test_a_forwarded_message_passes_by_its_signatures() -> None:
    result = check(signed(), client_ip="203.0.113.1")
    assert result.spf.status is SpfStatus.FAIL
    assert result.dmarc.aligned_by == ("dkim",)


def test_a_forged_message_is_refused() -> None:
    result = check(MESSAGE, client_ip="203.0.113.1", mail_from="eve@evil.example")
    assert (result.dmarc.status, result.dmarc.disposition) == (DmarcStatus.FAIL, Policy.REJECT)
    assert "example.org" in result.dmarc.reason


def test_line_feeds_alone_are_line_ends() -> None:
    assert check(signed().replace(b"\r\n", b"\n")).dmarc.aligned_by == ("dkim", "spf")


def test_the_field_tells_all_results() -> None:
    text = check(signed()).header("mx.example.net")
    name, _, value = text.partition(":")
    assert name == "Authentication-Results"
    assert text.endswith("\r\n")
    field = parse(value.encode())
    assert field.authserv_id == "mx.example.net"
    assert [(found.method, found.result) for found in field.results] == [
        ("spf", "pass"),
        ("dkim", "pass"),
        ("dkim", "pass"),
        ("arc", "none"),
        ("dmarc", "pass"),
    ]
    assert {(item.ptype, item.name, item.value) for item in field.results[-1].properties} == {
        ("header", "from", "example.org")
    }
    assert ("smtp", "mailfrom", "ada@example.org") in {
        (item.ptype, item.name, item.value) for item in field.results[0].properties
    }


def test_a_bounce_is_judged_by_its_helo_name() -> None:
    records = RECORDS | {("mx.example.org", "TXT"): ["v=spf1 a -all"], ("mx.example.org", "A"): ["192.0.2.1"]}
    result = check(MESSAGE, mail_from="<>", resolver=FakeResolver(records))
    assert (result.spf.domain, result.spf.status) == ("mx.example.org", SpfStatus.PASS)
    assert result.dmarc.aligned_by == ("spf",)


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_the_same_result_for_any_chunks_of_the_body(size: int) -> None:
    fields, body = split_message(signed())
    envelope = Envelope("192.0.2.1", "mx.example.org", "ada@example.org")
    evaluation = Evaluation(envelope, fields, resolver=FakeResolver(RECORDS), now=NOW)
    for at in range(0, len(body), size):
        evaluation.feed(body[at : at + size])
    assert evaluation.result() == check(signed())


class Slow:
    """A DNS client that is slow, or silent, and notes how many questions wait at the same time."""

    def __init__(self, inner: DnsClient, names: Sequence[str] = (), seconds: float = 0.0) -> None:
        self.inner = inner
        self.names = names
        self.seconds = seconds
        self.released = threading.Event()
        self.lock = threading.Lock()
        self.waiting = self.most = 0

    def query(self, name: str, kind: str) -> Answer:
        with self.lock:
            self.waiting += 1
            self.most = max(self.most, self.waiting)
        try:
            if name in self.names:
                self.released.wait(30)
            else:
                self.released.wait(self.seconds)
            return self.inner.query(name, kind)
        finally:
            with self.lock:
                self.waiting -= 1


def test_questions_go_out_side_by_side() -> None:
    """SPF's chain has two steps; everything else is asked meanwhile."""
    slow = Slow(FakeResolver(RECORDS), seconds=0.1)
    started = time.monotonic()
    result = check(signed(), resolver=slow)
    took = time.monotonic() - started
    assert result.dmarc.aligned_by == ("dkim", "spf")
    assert slow.most >= 5
    assert took < 0.5


def test_a_silent_dns_is_waited_for_only_so_long() -> None:
    slow = Slow(FakeResolver(RECORDS), seconds=30)
    started = time.monotonic()
    try:
        result = check(signed(), resolver=slow, seconds=0.2)
    finally:
        slow.released.set()
    assert time.monotonic() - started < 2
    assert result.spf.status is SpfStatus.TEMPERROR
    assert {found.status for found in result.dkim} == {DkimStatus.TEMPERROR}
    assert (result.dmarc.status, result.dmarc.retry) == (DmarcStatus.TEMPERROR, True)


def test_one_silent_domain_spoils_nothing_else() -> None:
    slow = Slow(FakeResolver(RECORDS), names=["_spf.example.org"])
    try:
        result = check(signed(), resolver=slow, seconds=0.2)
    finally:
        slow.released.set()
    assert result.spf.status is SpfStatus.TEMPERROR
    assert result.dmarc.aligned_by == ("dkim",)


def test_a_chain_whose_key_cannot_be_had_is_told_as_a_failure() -> None:
    """Others know no temporary failure of ARC (RFC 8617 section 5.2.1); the reason tells."""
    identity = {"domain": "list.example", "selector": "s", "authserv_id": "mx.list.example"}
    sealed = arc.seal(MESSAGE, key=KEY, results=[MethodResult("dmarc", "pass")], now=NOW, **identity) + MESSAGE
    result = check(sealed, resolver=FakeResolver(RECORDS, failing=["s._domainkey.list.example"]))
    assert result.arc.status is ArcStatus.TEMPERROR
    [told] = [found for found in parse(result.header("mx").partition(":")[2].encode()).results if found.method == "arc"]
    assert told.result == "fail"
    assert "arc=fail (ARC-Message-Signature 1: the key could not be fetched" in " ".join(result.header("mx").split())


@pytest.mark.parametrize(
    "head",
    [
        b"".join(b"X-%d: y\r\n" % number for number in range(10_000)),
        b"X: " + b"y" * 1_000_000 + b"\r\n",
        b"From: " + b"(" * 1_000_000 + b"\r\n",
        b"From: ada@example.org\r\n" * 10_000,
        b"DKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=one; h=from; bh=AA==; b=AA==\r\n" * 10_000,
        b"ARC-Seal: i=1; cv=none\r\n" * 10_000,
        b"DKIM-Signature: " + b";" * 1_000_000 + b"\r\n",
    ],
)
def test_large_headers_take_no_long_time(head: bytes) -> None:
    started = time.process_time()
    result = check(head + b"From: ada@example.org\r\n\r\nbody\r\n")
    assert time.process_time() - started < 3
    assert result.dmarc.reason


def test_a_message_of_nothing_has_a_verdict() -> None:
    for message in (b"", b"\r\n", b"\r\n\r\n", b"\x00" * 1000, b"no header"):
        assert check(message).dmarc.disposition is Policy.REJECT


def test_questions_of_a_hostile_message_are_bounded() -> None:
    client = FakeResolver({("evil.example", "TXT"): ["v=spf1 " + " ".join(f"mx:m{n}.evil.example" for n in range(60))]})
    for number in range(60):
        client.set(f"m{number}.evil.example", "MX", [f"{at} h{at}.m{number}.evil.example" for at in range(10)])
    head = b"".join(
        b"DKIM-Signature: v=1; a=rsa-sha256; d=d%d.evil.example; s=s; h=from; bh=AA==; b=AA==\r\n" % number
        for number in range(100)
    )
    from_field = b"From: " + b", ".join(b"a@a.b.c.d.e.f.g.h.i%d.example" % number for number in range(4)) + b"\r\n"
    check(head + from_field + b"\r\n", mail_from="x@evil.example", resolver=client)
    assert len(client.asked) < 200


class Unanswered:
    """A DNS that knows nothing."""

    def query(self, name: str, kind: str) -> Answer:
        return Answer(name, kind, Outcome.NO_SUCH_NAME)

    def cached(self, name: str, kind: str) -> Answer | None:
        return self.query(name, kind)


@given(st.binary(max_size=300), st.text(max_size=40), st.text(max_size=40))
def test_nothing_makes_it_raise(message: bytes, helo: str, mail_from: str) -> None:
    result = authenticate(
        b"From: a@b.example\r\n" + message,
        client_ip="192.0.2.1",
        helo=helo,
        mail_from=mail_from,
        resolver=Unanswered(),
        now=NOW,
    )
    parse(result.header("mx.example.net").partition(":")[2].encode())
