"""The terms on which an account may send from a domain: frozen values, and who reads them. No rule and no I/O here.

Terms are read from the database once, kept in memory, and read anew when `sending_terms.generation` has changed (each
change raises it in its own transaction), and in any case after `MAX_AGE_SECONDS`. A reputation's factor is multiplied
into the limits already, an override has taken the place of its plan's limit: whoever decides sees plain numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from smailor.address import Address, DomainName
from smailor.database.plain import Plain
from smailor.sending.decision import Decision
from smailor.sending.limits import RECIPIENTS, TODAY, Limit

MAX_AGE_SECONDS = 60
"""What changes by the clock alone (an override ends, a domain's next day begins) is seen within this time."""
MAX_MAXIMUM = 2_000_000_000
"""No limit is above this: counts are kept in 32 bits."""


@dataclass(frozen=True, slots=True)
class Applied:
    """One limit with the row that it is counted on.

    All limits under one key are the same for everybody who is counted on that key.

    Attributes:
        key: `account:ada@example.com`, `domain:example.com` or `workspace:acme`.
        limit: how much; a warm-up's cap has the window `TODAY`.
        of: whose, in the words of the answer: `ada@example.com`, `example.com`, `workspace acme`.
        warm_up: whether the answer speaks of a warm-up.
    """

    key: str
    limit: Limit
    of: str
    warm_up: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """All that a decision on an account's message from a domain depends on, less what was used.

    Attributes:
        account: the inbox that logged in.
        domain: of the envelope sender.
        workspace: its slug; None: the account is in none of ours.
        limits: all that hold, in the order in which they are looked at and named.
        max_recipients: of one message.
        refusal: given to everything that is asked (suspended, paused); None: neither.
        unique_recipients: different recipients of the account on one day, UTC; its window is `TODAY`. None: any number.
    """

    account: Address
    domain: DomainName
    workspace: str | None
    limits: tuple[Applied, ...]
    max_recipients: int
    refusal: Decision | None = None
    unique_recipients: Limit | None = None


class TermsReader(Protocol):
    """Reads terms; the connection is in no transaction, and belongs to the caller's thread."""

    def read(self, connection: Plain, wanted: Sequence[tuple[Address, DomainName]]) -> list[Terms]:
        """Return the terms of each account and sender domain, in the order asked, in as few questions as possible.

        Raises:
            TemporaryFailure: the database does not answer.
        """

    def suppressed(self, connection: Plain, wanted: Sequence[tuple[str, str]]) -> list[Decision | None]:
        """Say which recipients are not to be written to.

        Args:
            connection: to the database.
            wanted: workspace and recipient, as given in the envelope.

        Returns:
            For each the refusal, or None.

        Raises:
            TemporaryFailure: the database does not answer.
        """


@dataclass(frozen=True, slots=True)
class FixedTerms:
    """The same limits for every account, domain and workspace, nobody suspended, nothing suppressed.

    Attributes:
        account: limits of each account.
        domain: limits of each sender domain.
        max_recipients: of one message.
        unique_recipients: see `Terms`.
    """

    account: tuple[Limit, ...]
    domain: tuple[Limit, ...] = ()
    max_recipients: int = 1000
    unique_recipients: Limit | None = None

    def read(self, connection: Plain, wanted: Sequence[tuple[Address, DomainName]]) -> list[Terms]:
        """Return the same terms for all."""
        del connection
        return [self._terms(account, domain) for account, domain in wanted]

    def suppressed(self, connection: Plain, wanted: Sequence[tuple[str, str]]) -> list[Decision | None]:
        """Nobody is."""
        del connection
        return [None] * len(wanted)

    def _terms(self, account: Address, domain: DomainName) -> Terms:
        return Terms(
            account=account,
            domain=domain,
            workspace=None,
            limits=(
                *(Applied(account_key(account), limit, str(account)) for limit in self.account),
                *(Applied(domain_key(domain), limit, str(domain)) for limit in self.domain),
            ),
            max_recipients=self.max_recipients,
            unique_recipients=self.unique_recipients,
        )


def account_key(account: Address) -> str:
    """Return the key under which an account's use is counted."""
    return f"account:{account}"


def domain_key(domain: DomainName) -> str:
    """Return the key under which a domain's use is counted."""
    return f"domain:{domain}"


def workspace_key(slug: str) -> str:
    """Return the key under which a workspace's use is counted."""
    return f"workspace:{slug}"


def warm_up_cap(domain: DomainName, recipients: int) -> Applied:
    """Return the cap of a young domain for this day: each recipient receives a message of its own."""
    return Applied(domain_key(domain), Limit(RECIPIENTS, TODAY, recipients), str(domain), warm_up=True)
