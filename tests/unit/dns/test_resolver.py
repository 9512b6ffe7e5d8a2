"""The resolver against answers made by hand: what each kind of response on the wire becomes."""

import socket
import threading
from collections.abc import Callable, Iterator

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from smailor.dns.answer import Outcome
from smailor.dns.resolver import Resolver
from smailor.errors import TemporaryFailure

Respond = Callable[[dns.message.Message], dns.message.Message | None]


class Server:
    """A DNS server on loopback that answers with whatever `respond` makes of a question."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = "{}:{}".format(*self.socket.getsockname())
        self.respond: Respond = dns.message.make_response
        self.questions: list[dns.message.Message] = []
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            data, peer = self.socket.recvfrom(4096)
            if data == b"stop":
                return
            question = dns.message.from_wire(data)
            self.questions.append(question)
            response = self.respond(question)
            if response is not None:
                self.socket.sendto(response.to_wire(), peer)

    def stop(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"stop", self.socket.getsockname())
        self.thread.join()
        self.socket.close()


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.stop()


def answering(
    *records: str, rcode: dns.rcode.Rcode = dns.rcode.NOERROR, authority: str = "", flags: int = 0
) -> Respond:
    """A response with these records, each `name ttl kind data`."""

    def respond(question: dns.message.Message) -> dns.message.Message:
        response = dns.message.make_response(question)
        response.set_rcode(rcode)
        response.flags |= dns.flags.RA | flags
        for section, texts in ((response.answer, records), (response.authority, [authority] if authority else [])):
            for text in texts:
                name, ttl, kind, data = text.split(" ", 3)
                section.append(dns.rrset.from_text(name, int(ttl), "IN", kind, data))
        return response

    return respond


SOA = "example.test. 300 SOA ns.example.test. root.example.test. 1 2 3 4 30"


def test_records_come_as_plain_text_and_are_asked_for_once(server: Server) -> None:
    server.respond = answering("example.test. 60 MX 10 MX.Example.Test.")
    resolver = Resolver([server.address])
    answer = resolver.query("Example.test", "MX")
    assert (answer.outcome, answer.records, answer.ttl) == (Outcome.OK, ("10 mx.example.test",), 60)
    assert resolver.query("example.test.", "mx").records == answer.records
    assert len(server.questions) == 1


def test_the_strings_of_a_txt_record_are_joined_byte_for_byte(server: Server) -> None:
    server.respond = answering(r'k.example.test. 60 TXT "v=DKIM1; " "p=\255\000\"x"')
    assert Resolver([server.address]).query("k.example.test", "TXT").texts == (b'v=DKIM1; p=\xff\x00"x',)


def test_an_alias_is_followed_and_the_least_ttl_counts(server: Server) -> None:
    server.respond = answering("www.example.test. 7 CNAME a.example.test.", "a.example.test. 60 A 192.0.2.1")
    answer = Resolver([server.address]).query("www.example.test", "A")
    assert (answer.records, answer.ttl) == (("192.0.2.1",), 7)


@pytest.mark.parametrize(
    ("rcode", "outcome"), [(dns.rcode.NOERROR, Outcome.NO_DATA), (dns.rcode.NXDOMAIN, Outcome.NO_SUCH_NAME)]
)
def test_negative_answers_are_kept_as_long_as_the_soa_says(
    server: Server, rcode: dns.rcode.Rcode, outcome: Outcome
) -> None:
    server.respond = answering(rcode=rcode, authority=SOA)
    now = [1000.0]
    resolver = Resolver([server.address], clock=lambda: now[0])
    answer = resolver.query("nothing.example.test", "A")
    assert (answer.outcome, answer.records, answer.ttl) == (outcome, (), 30)
    now[0] += 29
    assert resolver.query("nothing.example.test", "A").outcome is outcome
    assert len(server.questions) == 1
    now[0] += 1
    resolver.query("nothing.example.test", "A")
    assert len(server.questions) == 2


def test_a_negative_answer_without_soa_is_not_kept(server: Server) -> None:
    server.respond = answering(rcode=dns.rcode.NXDOMAIN)
    resolver = Resolver([server.address])
    assert resolver.query("new.test", "A").outcome is Outcome.NO_SUCH_NAME
    server.respond = answering("new.test. 60 A 192.0.2.1")
    assert resolver.query("new.test", "A").outcome is Outcome.OK


def test_an_alias_to_a_name_that_does_not_exist_does_not_exist(server: Server) -> None:
    server.respond = answering("www.example.test. 7 CNAME gone.example.test.", rcode=dns.rcode.NXDOMAIN, authority=SOA)
    assert Resolver([server.address]).query("www.example.test", "A").outcome is Outcome.NO_SUCH_NAME


def test_the_authenticated_flag_is_asked_for_and_reported(server: Server) -> None:
    server.respond = answering("example.test. 60 A 192.0.2.1", flags=dns.flags.AD)
    assert Resolver([server.address]).query("example.test", "A").authenticated
    assert server.questions[0].flags & dns.flags.AD


@pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.REFUSED])
def test_a_server_that_cannot_answer_is_a_temporary_failure_and_not_kept(
    server: Server, rcode: dns.rcode.Rcode
) -> None:
    server.respond = answering(rcode=rcode)
    resolver = Resolver([server.address], 2.0)
    with pytest.raises(TemporaryFailure, match=r"example\.test A"):
        resolver.query("example.test", "A")
    server.respond = answering("example.test. 60 A 192.0.2.1")
    assert resolver.query("example.test", "A").outcome is Outcome.OK


def test_silence_ends_at_the_timeout(server: Server) -> None:
    server.respond = lambda question: None
    with pytest.raises(TemporaryFailure):
        Resolver([server.address], 0.3).query("example.test", "A")
    assert len(server.questions) >= 2, "one lost datagram is not an outage"


def test_the_next_server_is_asked_when_the_first_fails(server: Server) -> None:
    broken = Server()
    try:
        broken.respond = answering(rcode=dns.rcode.SERVFAIL)
        server.respond = answering("example.test. 60 A 192.0.2.1")
        assert Resolver([broken.address, server.address]).query("example.test", "A").records == ("192.0.2.1",)
    finally:
        broken.stop()


@pytest.mark.parametrize("name", ["", "a..test", f"{'x' * 64}.test", ".".join(["x" * 60] * 5), "\udc80.test"])
def test_a_name_the_dns_cannot_hold_does_not_exist(server: Server, name: str) -> None:
    server.respond = answering(rcode=dns.rcode.NXDOMAIN, authority=SOA)
    assert Resolver([server.address]).query(name, "TXT").outcome is Outcome.NO_SUCH_NAME


def test_threads_share_one_resolver(server: Server) -> None:
    server.respond = answering("example.test. 60 A 192.0.2.1")
    resolver = Resolver([server.address])
    seen: list[tuple[str, ...]] = []
    threads = [
        threading.Thread(target=lambda: seen.append(resolver.query("example.test", "A").records)) for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [("192.0.2.1",)] * 16


def test_counts_what_was_asked(server: Server) -> None:
    server.respond = answering("example.org. 300 TXT hello")
    resolver = Resolver([server.address])
    assert resolver.cached("example.org", "TXT") is None
    resolver.query("example.org", "TXT")
    resolver.query("EXAMPLE.org.", "txt")
    assert resolver.cached("example.org", "TXT") is not None
    counts = resolver.counts
    assert (counts.cached, counts.answered, counts.failed) == (2, 1, 0)
    assert counts.seconds > 0
