"""What the DNS answers, as values, and the one method that every DNS client has.

No dnspython and no socket here, so that pure rules may take an `Answer` or a `DnsClient` as an argument.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol


class Outcome(enum.Enum):
    """How a question ended. A failure to get an answer is not among these: it raises TemporaryFailure."""

    OK = "ok"
    NO_DATA = "no data"
    """The name exists, but has no record of this kind."""
    NO_SUCH_NAME = "no such name"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer.

    Attributes:
        name: the name asked for, lower-case, without the trailing dot.
        kind: the record type's mnemonic, upper-case.
        outcome: whether there are records.
        records: each record in the form of a zone file, without trailing dots on names (`10 mx.example.org`). A TXT
            record is its strings joined, without quotes (RFC 7208 §3.3, RFC 6376 §3.6.2.2); bytes that are no UTF-8
            stand as surrogate escapes, so nothing is lost: see `texts`.
        ttl: seconds for which the answer may still be kept.
        authenticated: the resolver says that DNSSEC proves this answer (AD bit, RFC 4035 §3.2.3). Worth something
            only when the way to the resolver is trusted.
    """

    name: str
    kind: str
    outcome: Outcome
    records: tuple[str, ...] = ()
    ttl: int = 0
    authenticated: bool = False

    @property
    def texts(self) -> tuple[bytes, ...]:
        """The records as the bytes that stood in the DNS: what DKIM and SPF read from a TXT answer."""
        return tuple(record.encode("utf-8", "surrogateescape") for record in self.records)

    @property
    def mail_exchangers(self) -> tuple[tuple[int, str], ...]:
        """(preference, host) of an MX answer, best first. A null MX (RFC 7505) is (0, "")."""
        pairs = (record.partition(" ") for record in self.records)
        return tuple(sorted((int(preference), host.rstrip(".")) for preference, _, host in pairs))


class DnsClient(Protocol):
    """Whatever answers DNS questions: the real `Resolver`, or a `FakeResolver` in tests."""

    def query(self, name: str, kind: str) -> Answer:
        """Answer one question; aliases (CNAME) are followed.

        Args:
            name: an absolute domain name, with or without the trailing dot.
            kind: the record type's mnemonic: `A`, `AAAA`, `MX`, `TXT`, `PTR`, `CNAME`, `NS`, `TLSA`, …

        Returns:
            The answer. A name that the DNS cannot hold (empty label, label of 64 bytes) has the outcome
            NO_SUCH_NAME, because names in mail come from strangers.

        Raises:
            TemporaryFailure: no server gave an answer in time; the truth is unknown, ask again later.
        """
        ...
