"""The DNS of the laboratory's world: our zones from a table, everything else asked of this machine's own resolver.

Over UDP and TCP, on the world's addresses. A change of the table counts from the next question on; answers live for one second,
so that no server holds on to an older one. No DNSSEC: servers of the laboratory trust this server as they would the roots.
"""

import socket
import socketserver
import struct
import threading
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.zonefile

TTL = 1


class NameServer:
    """Answers while it is open as a context manager.

    Args:
        listen: addresses; the port is 53.
        zones: names below which nothing exists that is not in `records`.
    """

    def __init__(self, listen: Iterable[str], zones: Iterable[str]) -> None:
        self.records: dict[tuple[str, str], list[str]] = {}
        self.zones = [dns.name.from_text(zone) for zone in zones]
        self._upstream = _upstream()
        self._listen = list(listen)
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            for address in self._listen:
                for kind in (_Udp, _Tcp):
                    server = kind((address, 53), self)
                    opening.callback(server.server_close)
                    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
                    thread.start()
                    opening.callback(thread.join)
                    opening.callback(server.shutdown)
            self._open = opening.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._open.close()

    def put(self, name: str, kind: str, *values: str) -> None:
        """Set a name's records of one type, in the zone file's notation; none: take them away."""
        key = (name.lower().rstrip("."), kind)
        if values:
            self.records[key] = list(values)
        else:
            self.records.pop(key, None)

    def put_zone(self, text: str) -> None:
        """Set the records of a zone file in which every name is in full."""
        for found in dns.zonefile.read_rrsets(text, rdclass=None, default_ttl=TTL, relativize=False):
            self.put(found.name.to_text(), dns.rdatatype.to_text(found.rdtype), *(record.to_text() for record in found))

    def answer(self, asked: dns.message.Message) -> dns.message.Message:
        """The answer to one question."""
        [question] = asked.question
        if not any(question.name.is_subdomain(zone) for zone in self.zones):
            try:
                return dns.query.udp_with_fallback(asked, self._upstream, timeout=4)[0]
            except (dns.exception.DNSException, OSError):
                failed = dns.message.make_response(asked)
                failed.set_rcode(dns.rcode.SERVFAIL)
                return failed
        response = dns.message.make_response(asked)
        response.flags |= dns.flags.RA
        name, kind = question.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(question.rdtype)
        values = self.records.get((name, kind), [])
        if values:
            response.answer.append(dns.rrset.from_text_list(question.name, TTL, "IN", kind, values))
            return response
        if not any(known == name or known.endswith(f".{name}") for known, _ in list(self.records)):
            response.set_rcode(dns.rcode.NXDOMAIN)
        zone = next(zone for zone in self.zones if question.name.is_subdomain(zone))
        response.authority.append(dns.rrset.from_text(zone, TTL, "IN", "SOA", f". . 1 3600 600 86400 {TTL}"))
        return response


class _Udp(socketserver.ThreadingUDPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], names: NameServer) -> None:
        self.address_family = _family(address[0])
        self.names = names
        super().__init__(address, _UdpQuestion)


class _Tcp(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], names: NameServer) -> None:
        self.address_family = _family(address[0])
        self.names = names
        super().__init__(address, _TcpQuestion)


class _UdpQuestion(socketserver.BaseRequestHandler):
    server: _Udp

    def handle(self) -> None:
        data, connection = self.request
        asked = dns.message.from_wire(data)
        connection.sendto(
            self.server.names.answer(asked).to_wire(max_size=max(asked.payload, 512)), self.client_address
        )


class _TcpQuestion(socketserver.StreamRequestHandler):
    server: _Tcp

    def handle(self) -> None:
        while len(head := self.rfile.read(2)) == 2:
            asked = dns.message.from_wire(self.rfile.read(*struct.unpack("!H", head)))
            data = self.server.names.answer(asked).to_wire()
            self.wfile.write(struct.pack("!H", len(data)) + data)


def _family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _upstream() -> str:
    for line in Path("/etc/resolv.conf").read_text().splitlines():
        if line.startswith("nameserver "):
            return line.split()[1]
    raise RuntimeError("/etc/resolv.conf names no server")
