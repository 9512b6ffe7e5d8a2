"""The verdicts of SPF and DMARC as values, each with its reason in words. No rules here: spf.py and dmarc.py make them.

DKIM's and ARC's verdicts stand beside their rules (verify.py, arc.py); evaluate.py joins all four.
"""

import enum
from dataclasses import dataclass

from smailor.authentication.dmarc_record import DmarcRecord, Policy


class SpfStatus(enum.Enum):
    """The results of RFC 7208 section 2.6, in the words of RFC 8601 section 2.7.2."""

    NONE = "none"
    NEUTRAL = "neutral"
    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    SOFTFAIL = "softfail"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


class SpfIdentity(enum.Enum):
    """Whose domain was asked (RFC 7208 section 2.4)."""

    MAIL_FROM = "mailfrom"
    HELO = "helo"
    """The reverse path was empty, as in a bounce: `postmaster` at the HELO name stands for it."""


@dataclass(frozen=True, slots=True)
class SpfResult:
    """May this client send for this domain?

    Attributes:
        status: the result.
        domain: the domain asked, lower-case A-labels as far as it can be written so; empty where there is none.
        identity: where the domain comes from.
        sender: the address that was checked.
        reason: in words, for people.
        mechanism: what decided, as the record writes it (`include:_spf.example.org`, `-all`); empty where nothing did.
        explanation: the domain's own words about a fail (`exp=`): printable ASCII, bounded; empty without.
        lookups: how many terms asked the DNS (RFC 7208 section 4.6.4 allows ten).
    """

    status: SpfStatus
    domain: str
    identity: SpfIdentity
    sender: str
    reason: str
    mechanism: str = ""
    explanation: str = ""
    lookups: int = 0


class DmarcStatus(enum.Enum):
    """The results of RFC 9989 in the words of its section 9.1 (registry "Email Authentication Result Names")."""

    NONE = "none"
    """No DMARC policy applies, or none can."""
    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"
    """The message names no author domain that DMARC could be asked about."""


@dataclass(frozen=True, slots=True)
class DmarcResult:
    """Does the message come from the domain that its From field names, and what does that domain want otherwise?

    Attributes:
        status: the result.
        domain: the author domain, lower-case A-labels; empty where the From field names none.
        disposition: what to do by the domain's policy, test mode (`t=y`) already taken into account. A policy of
            another place (a trusted ARC chain, a known forwarder) may still override it.
        reason: in words, for people.
        policy: the domain's policy that applies, before test mode; None where none was found.
        policy_tag: which tag it was read from: `p`, `sp` or `np`.
        policy_domain: where the record was found.
        organizational_domain: of the author domain (RFC 9989 section 4.10.2).
        aligned_by: `spf`, `dkim` or both: what passed in the name of the author's organisation.
        record: the record that applies.
        retry: the DNS did not answer all, and asking again could turn the verdict into a pass: worth a 451.
        domains: all author domains, where the From field names several.
    """

    status: DmarcStatus
    domain: str
    disposition: Policy
    reason: str
    policy: Policy | None = None
    policy_tag: str = ""
    policy_domain: str = ""
    organizational_domain: str = ""
    aligned_by: tuple[str, ...] = ()
    record: DmarcRecord | None = None
    retry: bool = False
    domains: tuple[str, ...] = ()
