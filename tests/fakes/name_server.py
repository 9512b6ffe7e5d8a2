"""A small DNS server on loopback that answers from a table, to be asked by real programs: UDP only, one thread."""

import socket
import threading
from collections.abc import Iterable, Mapping
from typing import Self

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from smailor.dns.answer import Outcome
from smailor.dns.fake import FakeResolver
from smailor.errors import TemporaryFailure


class NameServer:
    """Answers while it is open.

    Args:
        records: as `FakeResolver` takes them.
        silent: names about which it never says anything.
        ttl: seconds, of every answer.
    """

    def __init__(
        self, records: Mapping[tuple[str, str], Iterable[str]], *, silent: Iterable[str] = (), ttl: int = 300
    ) -> None:
        self.table = FakeResolver(records, ttl=ttl)
        self.silent = set(silent)
        self._ttl = ttl
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address = "{}:{}".format(*self._socket.getsockname())
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"stop", self._socket.getsockname())
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while (received := self._socket.recvfrom(4096))[0] != b"stop":
            data, peer = received
            response = self._answer(dns.message.from_wire(data))
            if response is not None:
                self._socket.sendto(response.to_wire(), peer)

    def _answer(self, asked: dns.message.Message) -> dns.message.Message | None:
        [question] = asked.question
        name, kind = question.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(question.rdtype)
        if name in self.silent:
            return None
        response = dns.message.make_response(asked)
        response.flags |= dns.flags.RA
        try:
            found = self.table.query(name, kind)
        except TemporaryFailure:
            response.set_rcode(dns.rcode.SERVFAIL)
            return response
        if found.outcome is Outcome.NO_SUCH_NAME:
            response.set_rcode(dns.rcode.NXDOMAIN)
        if found.records:
            data = [_quoted(record) if kind == "TXT" else record for record in found.records]
            response.answer.append(dns.rrset.from_text_list(question.name, self._ttl, "IN", kind, data))
        else:
            soa = f". . 1 3600 600 86400 {self._ttl}"
            response.authority.append(dns.rrset.from_text(question.name, self._ttl, "IN", "SOA", soa))
        return response


def _quoted(text: str) -> str:
    """Cut into strings of 255 octets at most, as a TXT record has them."""
    return " ".join(f'"{text[at : at + 255]}"' for at in range(0, len(text), 255))
