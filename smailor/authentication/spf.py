"""SPF (RFC 7208): may this client send mail for this domain?

The rules only: the client's address, the names it gave and a DNS client come in, a verdict comes out. Answers that the
DNS owes make a temperror; how long to wait for them is the DNS client's matter.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address

from smailor.authentication.results import SpfResult, SpfStatus
from smailor.authentication.spf_facts import Facts, is_below, is_host_name, preferred_name
from smailor.authentication.spf_macro import (
    EXPLANATION_LETTERS,
    SpfSyntaxError,
    Template,
    expand,
    parse_macros,
)
from smailor.authentication.spf_record import Directive, SpfRecord, parse_record, spf_records
from smailor.dns.answer import Answer, DnsClient, Outcome
from smailor.errors import TemporaryFailure

MAX_LOOKUPS = 10
"""Terms that ask the DNS, in all records together (section 4.6.4)."""
MAX_VOID_LOOKUPS = 2
"""Of these, how many may find nothing (section 4.6.4)."""
MAX_HOSTS = 10
"""Names behind one `mx` term, and names of the client that `ptr` and `%{p}` look at (section 4.6.4)."""
MAX_EXPLANATION = 250
"""Characters of a domain's own words that are kept."""

Announce = Callable[[Iterable[tuple[str, str]]], None]
"""Takes questions (name, kind) that are likely to come, so that the DNS client can ask them all at once."""

_STATUS = {"+": SpfStatus.PASS, "-": SpfStatus.FAIL, "~": SpfStatus.SOFTFAIL, "?": SpfStatus.NEUTRAL}
_ASKING = {"include": "TXT", "a": "", "mx": "MX", "exists": "A"}


def check(
    client_ip: str,
    *,
    helo: str,
    mail_from: str,
    resolver: DnsClient,
    now: datetime,
    receiver: str = "unknown",
    announce: Announce | None = None,
) -> SpfResult:
    """Check the envelope's sender; for an empty one, `postmaster` at the HELO name (section 2.4).

    Args:
        client_ip: IPv4 or IPv6 address of the SMTP client.
        helo: what it said in HELO or EHLO.
        mail_from: the reverse path, with or without angle brackets.
        resolver: answers DNS questions.
        now: for the `%{t}` of an explanation.
        receiver: our host name, for the `%{r}` of an explanation.
        announce: is told which questions are likely to come.

    Returns:
        The verdict; no input makes it raise, except a `client_ip` that is no address (ValueError).

    Source: RFC 7208; RFC 8616 section 4 for addresses beyond ASCII.
    """
    asked = Check(client_ip, helo=helo, mail_from=mail_from, now=now, receiver=receiver)
    return asked.result(resolver, announce=announce)


class Check:
    """A check about to be made: what `check` does, in two steps, so that the first question can be asked ahead."""

    def __init__(self, client_ip: str, *, helo: str, mail_from: str, now: datetime, receiver: str = "unknown") -> None:
        """Take the facts; arguments and errors as for `check`."""
        self._facts = Facts.of(client_ip, helo=helo, mail_from=mail_from, receiver=receiver, now=now)

    def questions(self) -> tuple[tuple[str, str], ...]:
        """Return the question (name, kind) that comes first, if any."""
        return ((self._facts.domain, "TXT"),) if is_host_name(self._facts.domain) else ()

    def result(self, resolver: DnsClient, *, announce: Announce | None = None) -> SpfResult:
        """Make the check; arguments and result as for `check`."""
        return _Run(self._facts, resolver, announce).result()


@dataclass(frozen=True, slots=True)
class _Match:
    """What a record says.

    Attributes:
        status: its result.
        domain: whose record decided in the end.
        mechanism: the term that matched; empty: none did.
        explanation: of the record that decided.
    """

    status: SpfStatus
    domain: str
    mechanism: str = ""
    explanation: Template | None = None


class _PermanentError(Exception):
    """The check ends in permerror."""


class _Run:
    """One check_host() with the records it leads to; counts what section 4.6.4 limits."""

    def __init__(self, facts: Facts, resolver: DnsClient, announce: Announce | None) -> None:
        self._facts = facts
        self._resolver = resolver
        self._announce = announce
        self._bits = facts.address.max_prefixlen
        self._number = int(facts.address)
        self._kind = facts.kind
        self._lookups = 0
        self._voids = 0
        self._validated: tuple[str, ...] | None = None

    def result(self) -> SpfResult:
        domain = self._facts.domain
        try:
            match = self._host(domain)
        except _PermanentError as error:
            return self._verdict(SpfStatus.PERMERROR, f"the SPF policy of {_shown(domain)} is broken: {error}")
        except TemporaryFailure as error:
            return self._verdict(SpfStatus.TEMPERROR, str(error))
        if match is None:
            return self._verdict(SpfStatus.NONE, f"{_shown(domain)} publishes no SPF policy")
        explanation = self._explanation(match) if match.status is SpfStatus.FAIL else ""
        return self._verdict(match.status, self._reason(match), match.mechanism, explanation)

    def _verdict(self, status: SpfStatus, reason: str, mechanism: str = "", explanation: str = "") -> SpfResult:
        facts = self._facts
        return SpfResult(
            status, facts.domain, facts.identity, facts.sender, reason, mechanism, explanation, self._lookups
        )

    def _reason(self, match: _Match) -> str:
        domain, address = _shown(self._facts.domain), self._facts.address
        if not match.mechanism:
            return f"the SPF policy of {domain} says nothing about {address}"
        where = f": {match.mechanism[:100]}"
        if match.status is SpfStatus.PASS:
            return f"{domain} allows {address} to send{where}"
        if match.status is SpfStatus.NEUTRAL:
            return f"{domain} does not say whether {address} may send{where}"
        probably = "probably " if match.status is SpfStatus.SOFTFAIL else ""
        return f"{domain} {probably}does not allow {address} to send{where}"

    def _host(self, domain: str) -> _Match | None:
        """Evaluate a domain's record; None where it has none (section 4.3 to 4.7)."""
        record = self._record(domain) if is_host_name(domain) else None
        if record is None:
            return None
        self._foretell(record, domain)
        for directive in record.directives:
            if self._matches(directive, domain):
                return _Match(_STATUS[directive.qualifier], domain, directive.text, record.explanation)
        if record.redirect is None:
            return _Match(SpfStatus.NEUTRAL, domain)
        self._count_lookup()
        target = self._target(record.redirect, domain)
        match = self._host(target) if target is not None else None
        if match is None:
            raise _PermanentError(f"{_shown(target or record.redirect.text)}, its redirect, has no SPF policy")
        return match

    def _record(self, domain: str) -> SpfRecord | None:
        records = spf_records(self._resolver.query(domain, "TXT").texts)
        if not records:
            return None
        if len(records) > 1:
            raise _PermanentError(f"{_shown(domain)} has more than one SPF record")
        try:
            return parse_record(records[0])
        except SpfSyntaxError as error:
            raise _PermanentError(f"{error} (record of {_shown(domain)})") from error

    def _foretell(self, record: SpfRecord, domain: str) -> None:
        """Announce what this record will ask, as far as it can be told without asking."""
        if self._announce is None:
            return
        questions: list[tuple[str, str]] = []
        for directive in record.directives:
            kind = _ASKING.get(directive.mechanism)
            if directive.mechanism == "all" or len(questions) >= MAX_LOOKUPS - self._lookups:
                break
            if kind is None or (directive.target is not None and "p" in directive.target.letters):
                continue
            name = self._target(directive.target, domain) if directive.target is not None else domain
            if name is not None:
                questions.append((name, kind or self._kind))
        if len(questions) > 1:
            self._announce(questions)

    def _matches(self, directive: Directive, domain: str) -> bool:
        mechanism = directive.mechanism
        if mechanism == "all":
            return True
        if mechanism in {"ip4", "ip6"}:
            return (mechanism == "ip4") is (self._bits == 32) and self._in_network(directive.network, directive)
        self._count_lookup()
        target = self._target(directive.target, domain) if directive.target is not None else domain
        if mechanism == "include":
            return self._included(target, directive)
        if target is None:
            return False
        if mechanism == "a":
            return self._any_in_network(self._ask(target, self._kind), directive)
        if mechanism == "mx":
            return self._mx(target, directive)
        if mechanism == "exists":
            return bool(self._ask(target, "A").records)
        return any(is_below(name, target) for name in self._own_names())

    def _included(self, target: str | None, directive: Directive) -> bool:
        match = self._host(target) if target is not None else None
        if match is None:
            raise _PermanentError(f"{directive.text[:100]} leads to no SPF policy")
        return match.status is SpfStatus.PASS

    def _mx(self, target: str, directive: Directive) -> bool:
        hosts = [host for _, host in self._ask(target, "MX").mail_exchangers if host]
        if len(hosts) > MAX_HOSTS:
            raise _PermanentError(f"{_shown(target)} has more than {MAX_HOSTS} mail hosts")
        if self._announce is not None and len(hosts) > 1:
            self._announce([(host, self._kind) for host in hosts])
        return any(self._any_in_network(self._resolver.query(host, self._kind), directive) for host in hosts)

    def _own_names(self) -> tuple[str, ...]:
        """Return the client's validated names (section 5.5); a DNS failure makes a name one that does not count."""
        if self._validated is None:
            self._validated = tuple(self._validate())
        return self._validated

    def _validate(self) -> Iterable[str]:
        try:
            names = self._ask(self._facts.address.reverse_pointer, "PTR").records[:MAX_HOSTS]
        except TemporaryFailure:
            return
        if self._announce is not None and len(names) > 1:
            self._announce([(name, self._kind) for name in names])
        for name in names:
            try:
                answer = self._resolver.query(name, self._kind)
            except TemporaryFailure:
                continue
            if any(int(ip_address(record)) == self._number for record in answer.records):
                yield name.rstrip(".").lower()

    def _any_in_network(self, answer: Answer, directive: Directive) -> bool:
        return any(self._in_network(int(ip_address(record)), directive) for record in answer.records)

    def _in_network(self, number: int, directive: Directive) -> bool:
        ignored = self._bits - (directive.prefix4 if self._bits == 32 else directive.prefix6)
        return number >> ignored == self._number >> ignored

    def _ask(self, name: str, kind: str) -> Answer:
        """Ask for a term; a term that finds nothing counts as a void lookup."""
        answer = self._resolver.query(name, kind)
        if answer.outcome is not Outcome.OK:
            self._voids += 1
            if self._voids > MAX_VOID_LOOKUPS:
                raise _PermanentError(f"more than {MAX_VOID_LOOKUPS} of its terms lead nowhere")
        return answer

    def _count_lookup(self) -> None:
        self._lookups += 1
        if self._lookups > MAX_LOOKUPS:
            raise _PermanentError(f"it needs more than {MAX_LOOKUPS} DNS lookups")

    def _target(self, template: Template, domain: str) -> str | None:
        """Return the name that a domain-spec stands for; None where no name of the DNS comes out (section 4.8)."""
        name = expand(template, lambda letter: self._value(letter, domain)).removesuffix(".")
        if len(name) > 253:
            _, _, name = name[-254:].partition(".")  # labels on the left go (section 7.3)
        fits = name.isascii() and all(0 < len(label) < 64 for label in name.split("."))
        return name.lower() if fits else None

    def _value(self, letter: str, domain: str) -> str:
        return preferred_name(self._own_names(), domain) if letter == "p" else self._facts.value(letter, domain)

    def _explanation(self, match: _Match) -> str:
        """Return the domain's own words about its fail; none where anything is wrong with them (section 6.2)."""
        if match.explanation is None:
            return ""
        try:
            target = self._target(match.explanation, match.domain)
            texts = self._resolver.query(target, "TXT").texts if target is not None else ()
            if len(texts) != 1 or len(texts[0]) > 10 * MAX_EXPLANATION:
                return ""
            template = parse_macros(texts[0].decode("ascii"), letters=EXPLANATION_LETTERS, spaces=True)
            words = expand(template, lambda letter: self._value(letter, match.domain))
        except (TemporaryFailure, SpfSyntaxError, UnicodeDecodeError, _PermanentError):
            return ""
        return "".join(character for character in words if " " <= character <= "~")[:MAX_EXPLANATION]


def _shown(name: str) -> str:
    """Return a stranger's name fit for a sentence."""
    return name[:253] if name.isascii() and name.isprintable() and name else ascii(name[:253])
