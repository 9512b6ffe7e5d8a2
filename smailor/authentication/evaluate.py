"""All checks of a received message together: SPF, DKIM, ARC, and DMARC over them.

The one place that joins the rules, and where their DNS questions go out side by side: what header and envelope already
tell is asked before the body comes. `Evaluation` takes a message as a milter sees it; `authenticate` a whole one.
"""

from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime

from smailor.authentication import dmarc, spf
from smailor.authentication.arc import ArcResult, ChainVerifier
from smailor.authentication.authentication_results import MethodResult, Property, write
from smailor.authentication.body_hashes import BodyHashes
from smailor.authentication.from_field import author_domains
from smailor.authentication.header import Header
from smailor.authentication.results import DmarcResult, SpfIdentity, SpfResult
from smailor.authentication.verify import DkimResult, DkimStatus, Verifier, split_message
from smailor.dns.answer import DnsClient
from smailor.dns.lookups import SECONDS, MessageLookups

MAX_SEALS_FORESEEN = 10
"""Keys of an ARC chain that are asked for ahead: of a long chain only the last hops, which are looked at first."""


@dataclass(frozen=True, slots=True)
class AuthenticationResult:
    """What was found about a message.

    Attributes:
        spf: may the client send for the envelope's sender?
        dkim: a verdict per signature, in their order; none where there is no signature.
        arc: is the chain of those who handed it on intact?
        dmarc: does it come from the domain that its From field names?
    """

    spf: SpfResult
    dkim: tuple[DkimResult, ...]
    arc: ArcResult
    dmarc: DmarcResult

    def methods(self) -> tuple[MethodResult, ...]:
        """Return the results as RFC 8601 lists them."""
        return (_spf(self.spf), *_dkim(self.dkim), _arc(self.arc), _dmarc(self.dmarc))

    def header(self, authserv_id: str) -> str:
        """Return the Authentication-Results field with its name, folded, final CRLF included.

        Args:
            authserv_id: who says so: our host name (RFC 8601 section 2.5).
        """
        return f"Authentication-Results:{write(authserv_id, self.methods())}\r\n"


@dataclass(frozen=True, slots=True)
class Envelope:
    """How a message came.

    Attributes:
        client_ip: address of the SMTP client.
        helo: what it said in HELO or EHLO.
        mail_from: the reverse path, with or without angle brackets; empty for a bounce.
    """

    client_ip: str
    helo: str
    mail_from: str


class Evaluation:
    """One message on its way in: made of its envelope and header, fed its body, asked for the result."""

    def __init__(
        self,
        envelope: Envelope,
        fields: Iterable[tuple[str, bytes]],
        *,
        resolver: DnsClient,
        now: datetime,
        executor: Executor | None = None,
        seconds: float = SECONDS,
        receiver: str = "unknown",
    ) -> None:
        """Begin; the questions that can be foreseen go out now.

        Args:
            envelope: how it comes.
            fields: name and value of every header field in order, values with their folds.
            resolver: answers DNS questions; has to bear several threads.
            now: when the message arrives.
            executor: threads to ask the DNS in; None: own ones, made when first needed.
            seconds: how long to wait for the DNS in all.
            receiver: our host name, for explanations by SPF.

        Raises:
            ValueError: the client's address is none.
        """
        header = Header(fields)
        self._bodies = BodyHashes()
        self._dkim = Verifier(header, now=now, bodies=self._bodies)
        self._arc = ChainVerifier(header, now=now, bodies=self._bodies)
        self._author = author_domains([field.value for field in header.named("from")])
        self._lookups = MessageLookups(resolver, executor=executor, seconds=seconds)
        self._spf = spf.Check(
            envelope.client_ip, helo=envelope.helo, mail_from=envelope.mail_from, now=now, receiver=receiver
        )
        self._lookups.announce(self._foreseen())

    def feed(self, chunk: bytes) -> None:
        """Take the next octets of the body, CRLF line ends, cut anywhere."""
        self._bodies.feed(chunk)

    def result(self) -> AuthenticationResult:
        """End the body and return what was found; the DNS is waited for here."""
        lookups = self._lookups
        try:
            # SPF asks in steps, the others only what is already on its way.
            envelope = self._spf.result(lookups, announce=lookups.announce)
            signatures = self._dkim.finish(lookups)
            chain = self._arc.finish(lookups)
            verdict = dmarc.evaluate(self._author, spf=envelope, dkim=signatures, resolver=lookups)
        finally:
            lookups.close()
        return AuthenticationResult(envelope, signatures, chain, verdict)

    def close(self) -> None:
        """Give the message up."""
        self._lookups.close()

    def _foreseen(self) -> Iterable[tuple[str, str]]:
        yield from self._spf.questions()
        for name in (*self._dkim.key_names, *self._arc.key_names[:MAX_SEALS_FORESEEN]):
            yield name, "TXT"
        if len(self._author.domains) <= dmarc.MAX_AUTHOR_DOMAINS:
            for domain in self._author.domains:
                yield from dmarc.walk_questions(domain)


def authenticate(
    message: bytes,
    *,
    client_ip: str,
    helo: str,
    mail_from: str,
    resolver: DnsClient,
    now: datetime,
    executor: Executor | None = None,
    seconds: float = SECONDS,
) -> AuthenticationResult:
    """Check a whole message.

    Args:
        message: header and body; a line feed alone is taken for the CRLF that SMTP makes of it.
        client_ip: address of the SMTP client.
        helo: what it said in HELO or EHLO.
        mail_from: the reverse path, with or without angle brackets; empty for a bounce.
        resolver: answers DNS questions; has to bear several threads.
        now: when the message arrived.
        executor: threads to ask the DNS in; None: own ones, made when first needed.
        seconds: how long to wait for the DNS in all.

    Returns:
        The verdicts; no message makes it raise.

    Raises:
        ValueError: `client_ip` is no address.
    """
    fields, body = split_message(message)
    envelope = Envelope(client_ip, helo, mail_from)
    evaluation = Evaluation(envelope, fields, resolver=resolver, now=now, executor=executor, seconds=seconds)
    evaluation.feed(body)
    return evaluation.result()


def _spf(result: SpfResult) -> MethodResult:
    who = result.domain if result.identity is SpfIdentity.HELO else result.sender
    return MethodResult("spf", result.status.value, (Property("smtp", result.identity.value, who),), "", result.reason)


def _dkim(results: tuple[DkimResult, ...]) -> tuple[MethodResult, ...]:
    if not results:
        return (MethodResult("dkim", DkimStatus.NONE.value),)
    return tuple(
        MethodResult(
            "dkim",
            result.status.value,
            tuple(
                Property("header", name, value)
                for name, value in (
                    ("d", result.domain),
                    ("i", result.identity),
                    ("s", result.selector),
                    ("a", result.algorithm),
                    ("b", result.signature),
                )
                if value
            ),
            "",
            result.reason,
        )
        for result in results
    )


def _arc(result: ArcResult) -> MethodResult:
    return MethodResult("arc", result.status.word, (), "", result.reason)


def _dmarc(result: DmarcResult) -> MethodResult:
    comment = result.reason
    if result.policy is not None:
        comment = f"p={result.policy.value} dis={result.disposition.value}; {comment}"
    properties = (Property("header", "from", result.domain),) if result.domain else ()
    return MethodResult("dmarc", result.status.value, properties, "", comment)
