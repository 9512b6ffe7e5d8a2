"""The one DNS client of the service: stub questions to our own resolver over dnspython, with a cache.

It is made once where a process is wired up and handed on as an argument; there is no global one, and
/etc/resolv.conf is not read. It does no recursion and no DNSSEC validation of its own: unbound beside it does both.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.nameserver
import dns.rdata
import dns.rdatatype
import dns.rdtypes.ANY.MX
import dns.rdtypes.txtbase
import dns.resolver

from smailor.dns.answer import Answer, Outcome
from smailor.dns.cache import AnswerCache
from smailor.dns.counts import DnsCounter, DnsCounts
from smailor.errors import TemporaryFailure

# The payload size of DNS Flag Day 2020: never fragmented on any usual path.
UDP_PAYLOAD_BYTES = 1232
_NAME_ONLY = frozenset({dns.rdatatype.PTR, dns.rdatatype.CNAME, dns.rdatatype.NS, dns.rdatatype.DNAME})


class Resolver:
    """A DnsClient over the network. Safe to share between threads."""

    def __init__(
        self,
        servers: Sequence[str],
        timeout_seconds: float = 5.0,
        *,
        cache: AnswerCache | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make the client; nothing is asked yet.

        Args:
            servers: `host:port` each (host an IP address; `[::1]:53` for IPv6), asked in this order.
            timeout_seconds: bound on one question, all tries together.
            cache: where answers are kept; None: a new one.
            clock: monotonic seconds.
        """
        self._cache = AnswerCache() if cache is None else cache
        self._clock = clock
        self._counter = DnsCounter()
        self._stub = dns.resolver.Resolver(configure=False)
        self._stub.nameservers = [_server(text) for text in servers]
        self._stub.lifetime = timeout_seconds
        # At least two tries in the time given: one lost datagram is not an outage.
        self._stub.timeout = min(2.0, timeout_seconds / 2.5)
        self._stub.use_edns(0, 0, UDP_PAYLOAD_BYTES)
        # AD in a question asks for AD in the answer (RFC 6840 §5.7).
        self._stub.flags = dns.flags.RD | dns.flags.AD

    def query(self, name: str, kind: str) -> Answer:
        """Answer one question; see DnsClient.query."""
        kept = self.cached(name, kind)
        if kept is not None:
            return kept
        plain, kind = question = _question(name, kind)
        rdtype = dns.rdatatype.from_text(kind)
        asked = _absolute_name(name)
        if asked is None:
            return Answer(plain, kind, Outcome.NO_SUCH_NAME)
        started = self._clock()
        try:
            answer = self._ask(asked, rdtype, plain)
        except TemporaryFailure:
            self._counter.asked(self._clock() - started, answered=False)
            raise
        now = self._clock()
        self._counter.asked(now - started, answered=True)
        self._cache.put(question, answer, now)
        return answer

    def cached(self, name: str, kind: str) -> Answer | None:
        """Return the answer kept for a question, its TTL counted down; None where a server would have to be asked."""
        kept = self._cache.get(_question(name, kind), self._clock())
        if kept is not None:
            self._counter.cached()
        return kept

    @property
    def counts(self) -> DnsCounts:
        """What was asked so far, for metrics."""
        return self._counter.counts

    def _ask(self, asked: dns.name.Name, rdtype: dns.rdatatype.RdataType, plain: str) -> Answer:
        kind = dns.rdatatype.to_text(rdtype)
        try:
            found = self._stub.resolve(asked, rdtype, raise_on_no_answer=False, search=False)
        except dns.resolver.NXDOMAIN as error:
            response = cast("dns.message.QueryMessage", error.response(asked))  # type: ignore[no-untyped-call]
            return Answer(plain, kind, Outcome.NO_SUCH_NAME, (), _ttl(response), _authenticated(response))
        except dns.resolver.YXDOMAIN:
            # A DNAME made the name too long: it cannot exist.
            return Answer(plain, kind, Outcome.NO_SUCH_NAME)
        except (dns.exception.DNSException, OSError) as error:
            # Timeout, SERVFAIL or REFUSED from every server, nonsense on the wire.
            raise TemporaryFailure(f"DNS gave no answer for {plain} {kind}: {_reason(error)}") from error
        response = found.response
        records = () if found.rrset is None else tuple(_text(record) for record in found.rrset)
        outcome = Outcome.OK if records else Outcome.NO_DATA
        return Answer(plain, kind, outcome, records, _ttl(response), _authenticated(response))


def _question(name: str, kind: str) -> tuple[str, str]:
    """Return what an answer is kept under: text is compared, so that a cached answer costs no parsing of names."""
    return name.rstrip(".").lower(), kind.upper()


def _server(text: str) -> dns.nameserver.Nameserver:
    host, _, port = text.rpartition(":")
    return dns.nameserver.Do53Nameserver(host.strip("[]"), int(port))


def _absolute_name(name: str) -> dns.name.Name | None:
    """None for a name that the DNS cannot hold."""
    try:
        return dns.name.from_text(name, idna_codec=dns.name.IDNA_2008_Practical)
    except (dns.exception.DNSException, UnicodeError):
        return None


def _ttl(response: dns.message.QueryMessage) -> int:
    """Seconds to keep it: the least TTL along the aliases, or what the SOA says for a negative answer (RFC 2308 §5).

    A negative answer without SOA is not kept, as that section wants; dnspython would give it five minutes.
    """
    try:
        chain = response.resolve_chaining()
    except dns.exception.DNSException:
        return 0
    if chain.answer is None and not any(rrset.rdtype == dns.rdatatype.SOA for rrset in response.authority):
        return 0
    return chain.minimum_ttl


def _authenticated(response: dns.message.Message) -> bool:
    return bool(response.flags & dns.flags.AD)


def _text(record: dns.rdata.Rdata) -> str:
    if isinstance(record, dns.rdtypes.txtbase.TXTBase):
        return b"".join(record.strings).decode("utf-8", "surrogateescape")
    if isinstance(record, dns.rdtypes.ANY.MX.MX):
        return f"{record.preference} {_plain(record.exchange)}"
    target = getattr(record, "target", None)
    if isinstance(target, dns.name.Name) and record.rdtype in _NAME_ONLY:
        return _plain(target)
    return record.to_text()


def _plain(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
