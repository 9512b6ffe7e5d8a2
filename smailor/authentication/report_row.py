"""What a domain owner is told about a message: one row of an aggregate report (RFC 9990 section 3.1.1), without times.

Equal messages make equal rows, which are then only counted. Texts that strangers chose are bounded and made fit for
XML here. Pure: no database, no XML.
"""

import enum
import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from smailor.authentication.dmarc_record import Policy
from smailor.authentication.evaluate import AuthenticationResult
from smailor.authentication.results import DmarcStatus
from smailor.authentication.signature import DkimStatus
from smailor.authentication.verify import DkimResult

MAX_TEXT = 253
"""Characters of a text that comes from a stranger: a domain name's length."""
MAX_SIGNATURES = 10
"""Of one message; section 3.1.3 asks for no more than 100."""

_UNFIT = re.compile(r"[^\x20-\x7e]")


class Disposition(enum.Enum):
    """What was done with a message (section 3.1.1.8)."""

    NONE = "none"
    """Nothing was done."""
    PASS = "pass"  # noqa: S105 - a verdict, no password
    """It passed a policy that would have quarantined or refused it."""
    QUARANTINE = "quarantine"
    REJECT = "reject"


class OverrideType(enum.Enum):
    """Why something else was done than the policy wants (section 3.1.6)."""

    LOCAL_POLICY = "local_policy"
    MAILING_LIST = "mailing_list"
    OTHER = "other"
    POLICY_TEST_MODE = "policy_test_mode"
    TRUSTED_FORWARDER = "trusted_forwarder"


@dataclass(frozen=True, slots=True)
class Override:
    """The reason why something else was done than the policy wants.

    Attributes:
        type: of which kind.
        comment: in words; few different ones, since each makes a row of its own.
    """

    type: OverrideType
    comment: str = ""


@dataclass(frozen=True, slots=True)
class DkimFact:
    """What a signature was worth."""

    domain: str
    selector: str
    result: str


@dataclass(frozen=True, slots=True)
class SpfFact:
    """What SPF said about the domain of the envelope's sender."""

    domain: str
    result: str


@dataclass(frozen=True, slots=True)
class ReportRow:
    """All that a report says about a message.

    Attributes:
        policy_domain: where the policy was found: whose report this goes into.
        source_ip: the SMTP client, in its short form.
        disposition: what was done.
        dkim_aligned: DKIM vouches for the author's domain.
        spf_aligned: SPF does.
        override: why something else was done than the policy wants.
        header_from: the author's domain.
        envelope_from: the domain of the envelope's sender, empty for a bounce.
        dkim: every signature, the most telling first.
        spf: None where there was no domain to ask.
    """

    policy_domain: str
    source_ip: str
    disposition: Disposition
    dkim_aligned: bool
    spf_aligned: bool
    override: Override | None
    header_from: str
    envelope_from: str
    dkim: tuple[DkimFact, ...]
    spf: SpfFact | None


@dataclass(frozen=True, slots=True)
class Counted:
    """What messages are counted under.

    Attributes:
        day: in UTC.
        row: what was found.
        policy: the text of the policy record.
    """

    day: date
    row: ReportRow
    policy: str


def report_row(
    result: AuthenticationResult,
    *,
    source_ip: str,
    mail_from: str,
    applied: Policy,
    override: Override | None = None,
) -> ReportRow | None:
    """Return the row that a message belongs to.

    Args:
        result: what was found about the message.
        source_ip: the SMTP client's address.
        mail_from: the reverse path, with or without angle brackets.
        applied: what was done with the message for DMARC's sake.
        override: why, where that is not what the policy wants; None: test mode is seen here, else local policy.

    Returns:
        The row; None where no policy applies, since then nobody asks.
    """
    verdict = result.dmarc
    if verdict.record is None or verdict.policy is None or not verdict.policy_domain:
        return None
    passed = verdict.status is DmarcStatus.PASS
    disposition = Disposition(applied.value)
    if passed and applied is Policy.NONE and verdict.policy is not Policy.NONE:
        disposition = Disposition.PASS
    if passed or applied is verdict.policy:
        override = None
    elif override is None:
        override = _override(applied, verdict.policy, testing=verdict.record.testing)
    envelope_domain = mail_from.strip("<>").rpartition("@")[2].lower()
    return ReportRow(
        policy_domain=verdict.policy_domain,
        source_ip=short_address(source_ip),
        disposition=disposition,
        dkim_aligned="dkim" in verdict.aligned_by,
        spf_aligned="spf" in verdict.aligned_by,
        override=override and Override(override.type, fit(override.comment)),
        header_from=fit(verdict.domain),
        envelope_from=fit(envelope_domain),
        dkim=_signatures(result.dkim, verdict.domain, verdict.organizational_domain),
        spf=_spf(result),
    )


def short_address(text: str) -> str:
    """Return an IP address as RFC 5952 writes it; an IPv4 address inside an IPv6 address as the former.

    Raises:
        ValueError: it is none.
    """
    address = ipaddress.ip_address(text.removeprefix("IPv6:"))
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def fit(text: str) -> str:
    """Return a text as it may stand in a report: printable ASCII, bounded."""
    return _UNFIT.sub("?", text)[:MAX_TEXT]


def _override(applied: Policy, wanted: Policy, *, testing: bool) -> Override:
    if testing and applied is wanted.in_test():
        return Override(OverrideType.POLICY_TEST_MODE)
    return Override(OverrideType.LOCAL_POLICY)


def _spf(result: AuthenticationResult) -> SpfFact | None:
    # "Only the MAIL FROM identity is used in DMARC" (3.1.1.12); a bounce's is postmaster at the HELO name.
    if not result.spf.domain:
        return None
    return SpfFact(fit(result.spf.domain), result.spf.status.value)


def _signatures(results: Sequence[DkimResult], author: str, organization: str) -> tuple[DkimFact, ...]:
    """Return the signatures in the order of section 3.1.3; those that name no domain are nobody's."""

    def rank(one: DkimResult) -> int:
        if one.status is not DkimStatus.PASS:
            return 3
        if one.domain == author:
            return 0
        return 1 if organization and f".{one.domain}".endswith(f".{organization}") else 2

    named = [one for one in results if one.domain]
    return tuple(
        DkimFact(fit(one.domain), fit(one.selector), one.status.value)
        for one in sorted(named, key=rank)[:MAX_SIGNATURES]
    )
