"""DMARC (RFC 9989): is the domain in the From field vouched for by SPF or DKIM, and what does it want if not?

The rules only: verdicts of SPF and DKIM and a DNS client come in, a verdict comes out. The Organizational Domain is
found by the DNS tree walk; there is no public suffix list, and `pct` is not known any more.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from smailor.authentication.dmarc_record import DmarcRecord, Policy, PublicSuffix, policy_record
from smailor.authentication.from_field import AuthorDomains
from smailor.authentication.results import DmarcResult, DmarcStatus, SpfResult, SpfStatus
from smailor.authentication.signature import DkimStatus
from smailor.authentication.verify import DkimResult
from smailor.dns.answer import DnsClient, Outcome
from smailor.errors import TemporaryFailure

MAX_QUERIES = 8
"""Of one tree walk (section 4.10)."""
MAX_AUTHOR_DOMAINS = 4
"""From fields with more are refused: "Limiting the number of Author Domains processed will avoid this risk" (11.5)."""


@dataclass(frozen=True, slots=True)
class TreeWalk:
    """What the way from a domain up to the root brought to light.

    Attributes:
        domain: where it started.
        found: names with a policy record, the longest name first.
        failed: names for which the DNS gave no answer.
    """

    domain: str
    found: tuple[tuple[str, DmarcRecord], ...]
    failed: tuple[str, ...] = ()

    @property
    def organizational_domain(self) -> str:
        """The Organizational Domain (section 4.10.2).

        One deviation: a top-level domain that publishes a record without `psd` is taken for the public suffix that it
        is. To the letter it would be the organisation of all domains below it, each of which could then pass as any
        other: what section 11.8 warns of.
        """
        for name, record in self.found:
            if record.public_suffix is PublicSuffix.NO:
                return name
            if name != self.domain and ("." not in name or record.public_suffix is PublicSuffix.YES):
                return ".".join(self.domain.split(".")[-(name.count(".") + 2) :])
        return self.found[-1][0] if self.found else self.domain

    def policy_record(self) -> tuple[str, DmarcRecord] | None:
        """Return name and record that apply: of the domain, else its organisation, else its public suffix (4.10.1)."""
        records = dict(self.found)
        for name in (self.domain, self.organizational_domain):
            if name in records:
                return name, records[name]
        return self.found[-1] if self.found else None


def walk_names(domain: str) -> tuple[str, ...]:
    """Return the names whose records a tree walk looks at, in order: eight at most (section 4.10)."""
    labels = domain.split(".")
    shorter = (".".join(labels[-count:]) for count in range(min(len(labels) - 1, MAX_QUERIES - 1), 0, -1))
    return (domain, *shorter)


def walk_questions(domain: str) -> tuple[tuple[str, str], ...]:
    """Return the questions (name, kind) that a tree walk may ask."""
    return tuple((f"_dmarc.{name}", "TXT") for name in walk_names(domain))


def walk(domain: str, resolver: DnsClient) -> TreeWalk:
    """Walk from a domain up the tree (section 4.10).

    Args:
        domain: lower-case A-labels.
        resolver: answers DNS questions; one that fails is noted in the outcome.
    """
    found: list[tuple[str, DmarcRecord]] = []
    failed: list[str] = []
    for name in walk_names(domain):
        try:
            record = policy_record(resolver.query(f"_dmarc.{name}", "TXT").texts)
        except TemporaryFailure:
            failed.append(name)
            continue
        if record is not None:
            found.append((name, record))
            if record.public_suffix is not PublicSuffix.UNKNOWN:
                break
    return TreeWalk(domain, tuple(found), tuple(failed))


def evaluate(author: AuthorDomains, *, spf: SpfResult, dkim: Sequence[DkimResult], resolver: DnsClient) -> DmarcResult:
    """Judge a message.

    Args:
        author: what its From field names.
        spf: the verdict on its envelope.
        dkim: the verdicts on its signatures.
        resolver: answers DNS questions.

    Returns:
        The verdict. Where the From field names several domains, each is judged and the strictest outcome of those
        that fail counts (section 11.5). A From field that is malformed is to be refused: RFC 9989 leaves such
        messages to RFC 5322, which does not allow them, and asks to "recognize such messages as the threats they
        might be" (sections 4.4 and 11.5). One that is well-formed but names no domain is marked as suspicious.
    """
    if not author.domains:
        disposition = Policy.REJECT if author.malformed else Policy.QUARANTINE
        return DmarcResult(DmarcStatus.PERMERROR, "", disposition, author.problem)
    if len(author.domains) > MAX_AUTHOR_DOMAINS:
        reason = f"its From field names {len(author.domains)} domains; {MAX_AUTHOR_DOMAINS} are looked at"
        return DmarcResult(DmarcStatus.PERMERROR, "", Policy.REJECT, reason, domains=author.domains)
    results = [_Evaluation(domain, spf, dkim, resolver).result() for domain in author.domains]
    if len(results) == 1:
        return results[0]
    worst = max(results, key=_severity)
    return replace(worst, reason=f"one of {len(results)} author domains: {worst.reason}", domains=author.domains)


def _severity(result: DmarcResult) -> tuple[int, bool, int]:
    order = (DmarcStatus.PASS, DmarcStatus.NONE, DmarcStatus.TEMPERROR, DmarcStatus.PERMERROR, DmarcStatus.FAIL)
    return result.disposition.strength, result.retry, order.index(result.status)


class _Evaluation:
    """One author domain."""

    def __init__(self, domain: str, spf: SpfResult, dkim: Sequence[DkimResult], resolver: DnsClient) -> None:
        self._domain = domain
        self._spf = spf
        self._dkim = dkim
        self._resolver = resolver
        self._walk = walk(domain, resolver)
        self._walks: dict[str, TreeWalk] = {domain: self._walk}

    def result(self) -> DmarcResult:
        applicable = self._walk.policy_record()
        if self._walk.failed and (applicable is None or applicable[0] != self._domain):
            return self._without_policy()
        if applicable is None:
            reason = f"{self._domain} publishes no DMARC policy"
            return DmarcResult(DmarcStatus.NONE, self._domain, Policy.NONE, reason, domains=(self._domain,))
        place, record = applicable
        if not record.applies:
            reason = f"the DMARC policy of {place} is not valid and asks for no reports, so it does not apply"
            return replace(self._known(place, record), status=DmarcStatus.NONE, reason=reason)
        return self._judged(place, record)

    def _judged(self, place: str, record: DmarcRecord) -> DmarcResult:
        policy, tag = self._policy(place, record)
        wanted = policy.in_test() if record.testing else policy
        base = replace(self._known(place, record), policy=policy, policy_tag=tag)
        passed = self._aligned_by(record, SpfStatus.PASS, DkimStatus.PASS)
        if any(passed.values()):
            by = tuple(sorted(mechanism for mechanism, aligned in passed.items() if aligned))
            reason = f"{' and '.join(map(str.upper, by))} vouch{'es' if len(by) == 1 else ''} for {self._domain}"
            return replace(base, status=DmarcStatus.PASS, aligned_by=by, reason=reason)
        unknown = None in passed.values()
        owed = self._aligned_by(record, SpfStatus.TEMPERROR, DkimStatus.TEMPERROR)
        if unknown or any(aligned is not False for aligned in owed.values()):
            reason = f"the DNS does not say now whether the message comes from {self._domain}"
            # p=none must not change what happens to mail (section 5.4): nothing to wait for.
            return replace(base, status=DmarcStatus.TEMPERROR, reason=reason, retry=wanted is not Policy.NONE)
        return replace(base, status=DmarcStatus.FAIL, disposition=wanted, reason=self._fail_reason(policy, tag, place))

    def _known(self, place: str, record: DmarcRecord) -> DmarcResult:
        """Return a result with what is known once the record is found; the verdict is filled in by the caller."""
        return DmarcResult(
            DmarcStatus.NONE,
            self._domain,
            Policy.NONE,
            "",
            policy_domain=place,
            organizational_domain=self._walk.organizational_domain,
            record=record,
            domains=(self._domain,),
        )

    def _without_policy(self) -> DmarcResult:
        """Judge without knowing the policy: neither pass nor fail (section 5.3.6)."""
        identifiers = set(self._identifiers(SpfStatus.PASS, DkimStatus.PASS))
        waiting = set(self._identifiers(SpfStatus.TEMPERROR, DkimStatus.TEMPERROR))
        certain = any(domain == self._domain for _, domain in identifiers)
        could = any(_may_align(domain, self._domain) for _, domain in identifiers | waiting)
        reason = f"the DNS does not say now what policy {self._domain} has"
        return DmarcResult(
            DmarcStatus.TEMPERROR,
            self._domain,
            Policy.NONE,
            reason,
            retry=could and not certain,
            domains=(self._domain,),
        )

    def _policy(self, place: str, record: DmarcRecord) -> tuple[Policy, str]:
        """Return the policy that applies to the author domain and its tag (sections 4.7 and 4.10.1)."""
        if place == self._domain:
            return record.policy, "p"
        existing = (record.policy, "p") if record.subdomain_policy is None else (record.subdomain_policy, "sp")
        if record.absent_policy is None or record.absent_policy is existing[0]:
            return existing
        absent = (record.absent_policy, "np")
        try:
            answer = self._resolver.query(self._domain, "TXT")
        except TemporaryFailure:
            # Whether the domain exists is unknown: the milder of both is wrong for nobody.
            return min(existing, absent, key=lambda choice: choice[0].strength)
        return absent if answer.outcome is Outcome.NO_SUCH_NAME else existing

    def _aligned_by(self, record: DmarcRecord, spf: SpfStatus, dkim: DkimStatus) -> dict[str, bool | None]:
        """Tell for SPF and DKIM whether an identifier of this status aligns; None: the DNS does not say."""
        outcome: dict[str, bool | None] = {}
        for mechanism, domain in self._identifiers(spf, dkim):
            if outcome.get(mechanism) is True:
                continue
            aligned = self._aligns(domain, strict=record.strict_spf if mechanism == "spf" else record.strict_dkim)
            if aligned is not False or mechanism not in outcome:
                outcome[mechanism] = aligned
        return outcome

    def _identifiers(self, spf: SpfStatus, dkim: DkimStatus) -> Iterator[tuple[str, str]]:
        if self._spf.status is spf and self._spf.domain:
            yield "spf", self._spf.domain
        for result in self._dkim:
            if result.status is dkim and result.domain:
                yield "dkim", result.domain

    def _aligns(self, domain: str, *, strict: bool) -> bool | None:
        """Tell whether a domain is in alignment with the author's (section 4.10.2)."""
        if domain == self._domain:
            return True
        if strict or not _may_align(domain, self._domain):
            return False
        if self._walk.failed:
            return None
        organization = self._walk.organizational_domain
        if domain != organization and not domain.endswith(f".{organization}"):
            return False
        if domain not in self._walks:
            self._walks[domain] = walk(domain, self._resolver)
        other = self._walks[domain]
        return None if other.failed else other.organizational_domain == organization

    def _fail_reason(self, policy: Policy, tag: str, place: str) -> str:
        spf = f"SPF is {self._spf.status.value}" + (f" for {self._spf.domain}" if self._spf.domain else "")
        signed = sorted({result.domain for result in self._dkim if result.status is DkimStatus.PASS})
        if signed:
            dkim = f"the valid signatures are of {', '.join(signed)}"
        else:
            dkim = "no signature is valid" if self._dkim else "there is no signature"
        return f"nothing vouches for {self._domain}: {spf}, {dkim}; its policy is {tag}={policy.value} at {place}"


def _may_align(one: str, other: str) -> bool:
    """Tell whether two domains could belong to one organisation: they are below the same name of two labels."""
    return one.split(".")[-2:] == other.split(".")[-2:]
