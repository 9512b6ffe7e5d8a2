"""Reading terms from the database: one question for any number of accounts, one for any number of recipients.

Written in plain SQL for the policy daemon, which does without SQLAlchemy (`smailor.database.plain`). What belongs to
other rooms is read through views (`sending_domains`), as Postfix and Dovecot do.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, LiteralString

from smailor.address import Address, DomainName
from smailor.database.plain import Plain, marks
from smailor.errors import InvalidInput
from smailor.sending import decision, plans, warmup
from smailor.sending.decision import Decision
from smailor.sending.limits import RECIPIENTS, TODAY, Limit
from smailor.sending.plans import PER_MESSAGE, UNIQUE, WINDOWS, Plans
from smailor.sending.subject import Scope, Subject
from smailor.sending.terms import Applied, Terms, account_key, domain_key, workspace_key
from smailor.sending.warmup import Schedule, Standing, State

_NOW: dict[str, LiteralString] = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f', 'now')",
    "postgresql": "now()",
}
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class _Home:
    """What is known of a verified domain."""

    workspace: str
    plan: str
    standing: Standing


@dataclass(slots=True)
class _Found:
    """What is said about subjects by name: addresses, domains and slugs cannot be mistaken for one another."""

    homes: dict[str, _Home] = field(default_factory=dict)
    overrides: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    suspended: set[Subject] = field(default_factory=set)
    paused: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DatabaseTerms:
    """The terms as the database has them; a `TermsReader`.

    Attributes:
        plans: of the configuration.
        schedule: of warm-up.
        contact: whom a suspended person writes to.
        public_url: of the web interface, where a pause is confirmed.
    """

    plans: Plans
    schedule: Schedule
    contact: str
    public_url: str

    def read(self, connection: Plain, wanted: Sequence[tuple[Address, DomainName]]) -> list[Terms]:
        """See `TermsReader`."""
        names = {name.name for account, domain in wanted for name in (account.domain, domain)}
        found = _Found()
        for part in _parts(names | {str(account) for account, _ in wanted}):
            _look_up(connection, part, found)
        return [self._terms(account, domain, found.homes, found) for account, domain in wanted]

    def suppressed(self, connection: Plain, wanted: Sequence[tuple[str, str]]) -> list[Decision | None]:
        """See `TermsReader`."""
        normal = [(workspace, _normal(recipient)) for workspace, recipient in wanted]
        found: dict[tuple[str, str], tuple[datetime, str]] = {}
        for part in _parts({address for _, address in normal}):
            for workspace, address, since, reason in connection.rows(
                "SELECT sending_workspaces.workspace, suppressions.address, suppressions.since, suppressions.reason"  # noqa: S608
                " FROM suppressions JOIN sending_workspaces ON sending_workspaces.id = suppressions.workspace_id"
                " WHERE suppressions.address IN (" + marks(len(part)) + ")",
                part,
            ):
                found[workspace, address] = (_moment(since), reason)
        return [
            decision.suppressed(recipient, *found[key]) if key in found else None
            for key, (_, recipient) in zip(normal, wanted, strict=True)
        ]

    def _terms(self, account: Address, domain: DomainName, homes: dict[str, _Home], found: _Found) -> Terms:
        home, sender = homes.get(account.domain.name), homes.get(domain.name)
        limits = self.plans.limits(home.plan if home else None)
        of_domain = self.plans.limits(sender.plan if sender else None)
        own = limits.of(Scope.ACCOUNT, found.overrides[str(account)])
        applied = [
            *_slide(account_key(account), str(account), own),
            *_slide(domain_key(domain), domain.name, of_domain.of(Scope.DOMAIN, found.overrides[domain.name])),
        ]
        if home is not None:
            slug = home.workspace
            maxima = limits.of(Scope.WORKSPACE, found.overrides[slug])
            applied += _slide(workspace_key(slug), f"workspace {slug}", maxima)
        cap = warmup.cap(sender.standing, self.schedule) if sender is not None else None
        if cap is not None:
            # First, since it is what a person with a young domain meets and can understand.
            applied.insert(0, Applied(domain_key(domain), Limit(RECIPIENTS, TODAY, cap), domain.name, warm_up=True))
        return Terms(
            account=account,
            domain=domain,
            workspace=home.workspace if home else None,
            limits=tuple(applied),
            max_recipients=own[PER_MESSAGE],
            refusal=self._refusal(account, domain, homes, found),
            unique_recipients=plans.limit(UNIQUE, own[UNIQUE]),
        )

    def _refusal(self, account: Address, domain: DomainName, homes: dict[str, _Home], found: _Found) -> Decision | None:
        names = (account.domain.name, domain.name)
        about = [
            *(Subject(Scope.WORKSPACE, homes[name].workspace) for name in names if name in homes),
            *(Subject(Scope.DOMAIN, name) for name in names),
            Subject(Scope.ACCOUNT, str(account)),
        ]
        for subject in about:
            if subject in found.suspended:
                return decision.suspended(subject.scope.value, self.contact)
        if (reason := found.paused.get(str(account))) is not None:
            return decision.paused(reason, f"{self.public_url}/settings/{account}/sending")
        return None


def _slide(key: str, of: str, maxima: dict[str, int]) -> list[Applied]:
    return [Applied(key, plans.limit(measure, maxima[measure]), of) for measure in WINDOWS]


def _look_up(connection: Plain, names: Sequence[str], found: _Found) -> None:
    """Ask all in one question: each costs more on its way than in the database."""
    those = "(" + marks(len(names)) + ")"
    valid = " AND (expires_at IS NULL OR expires_at > " + _NOW[connection.dialect] + ")"
    limits = (
        " UNION ALL SELECT 'limit', scope, subject, measure, NULL, maximum, NULL FROM limit_overrides WHERE subject IN "
    )
    suspended = " UNION ALL SELECT 'suspended', scope, subject, '', NULL, 0, NULL FROM suspensions WHERE subject IN "
    in_force = " AND lifted_at IS NULL AND (stops_sending OR stops_login)"
    workspaces = "(SELECT workspace FROM homes)"
    rows: list[tuple[Any, ...]] = connection.rows(
        "WITH homes AS (SELECT sending_domains.domain, sending_domains.workspace, sending_domains.plan,"  # noqa: S608
        " warmups.state, warmups.day, warmups.cap"
        " FROM sending_domains LEFT JOIN warmups ON warmups.domain = sending_domains.domain"
        " WHERE sending_domains.domain IN " + those + ")"
        " SELECT 'home', domain, workspace, plan, state, day, cap FROM homes"
        + limits + those + valid + limits + workspaces + valid
        + suspended + those + in_force + suspended + workspaces + in_force
        + " UNION ALL SELECT 'paused', 'account', account, reason, NULL, 0, NULL FROM account_pauses"
        " WHERE account IN " + those + " AND confirmed_at IS NULL",
        [*names, *names, *names, *names],
    )  # fmt: skip
    for kind, scope, name, word, state, number, cap in rows:
        if kind == "home":
            standing = Standing(State(state or State.WARMING), number or 0, cap=cap)
            found.homes[scope] = _Home(workspace=name, plan=word, standing=standing)
        elif kind == "limit":
            found.overrides[name][word] = number
        elif kind == "suspended":
            found.suspended.add(Subject(Scope(scope), name))
        else:
            found.paused[name] = word


def _parts(names: Iterable[str]) -> list[list[str]]:
    ordered = sorted(names)
    return [ordered[start : start + _AT_ONCE] for start in range(0, len(ordered), _AT_ONCE)]


def _normal(recipient: str) -> str:
    try:
        return str(Address.parse(recipient))
    except InvalidInput:
        return recipient.strip().lower()


def _moment(value: datetime | str) -> datetime:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
