"""What a workspace may send, has sent, and what is in its way: all that its page shows, read in one transaction.

The number of statements is fixed, however many domains and inboxes there are.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from smailor.database.engine import Database
from smailor.mailboxes import service as mailboxes
from smailor.sending import limit_service, subjects, suspension_service, warmup_service
from smailor.sending.limit_service import LimitView
from smailor.sending.plans import Plans
from smailor.sending.subject import Scope, Subject
from smailor.sending.suspension import Suspension
from smailor.sending.usage import used_in
from smailor.sending.warmup import Schedule
from smailor.sending.warmup_service import WarmupView

BUSIEST = 50
"""Accounts that are shown, at most."""


@dataclass(frozen=True, slots=True)
class AccountUse:
    """What an account has used of the limits that people meet first."""

    account: str
    messages_hour: int
    messages_hour_maximum: int
    recipients_day: int
    recipients_day_maximum: int


@dataclass(frozen=True, slots=True)
class Overview:
    """A workspace at a moment.

    Attributes:
        limits: of the workspace as a whole.
        domains: the verified ones with their limits, by name.
        accounts: those first that have sent the most today.
        suspensions: in force, oldest first.
    """

    limits: tuple[LimitView, ...]
    domains: tuple[tuple[WarmupView, tuple[LimitView, ...]], ...]
    accounts: tuple[AccountUse, ...]
    suspensions: tuple[Suspension, ...]


def overview(
    database: Database,
    *,
    workspace: str,
    plans: Plans,
    schedule: Schedule,
    sees: Callable[[str], bool],
    now: datetime,
) -> Overview:
    """Return what a workspace may send, has sent, and what is in its way; six statements.

    Args:
        database: where to look.
        workspace: the workspace's slug.
        plans: of the configuration.
        schedule: of the warm-up, of the configuration.
        sees: whether a domain, with its accounts, is the business of whoever asks.
        now: the present moment.

    Raises:
        NotFound: no such workspace.
    """
    with database.reading() as session:
        plan, known = subjects.plan_and_domains_in(session, workspace)
        names = [name for name in known if sees(name)]
        whole, *domains = Subject(Scope.WORKSPACE, workspace), *(Subject(Scope.DOMAIN, name) for name in names)
        accounts = [Subject(Scope.ACCOUNT, address) for address in mailboxes.addresses_in(session, names)]
        used = used_in(session, [str(subject) for subject in (whole, *domains, *accounts)], now)
        busiest = sorted(accounts, key=lambda account: (-used[str(account)]["recipients/day"], account.name))[:BUSIEST]
        limits = limit_service.limits_in(
            session, [whole, *domains, *busiest], limits=plans.limits(plan), used=used, now=now
        )
        warmups = warmup_service.warmups_in(session, names, schedule=schedule, used=used)
        suspensions = suspension_service.suspensions_in(session, workspace=workspace, domains=names)
    return Overview(
        limits=limits[whole],
        domains=tuple(zip(warmups, (limits[domain] for domain in domains), strict=True)),
        accounts=tuple(_use(account.name, used[str(account)], limits[account]) for account in busiest),
        suspensions=suspensions,
    )


def _use(account: str, used: Mapping[str, int], limits: tuple[LimitView, ...]) -> AccountUse:
    maxima = {view.measure: view.maximum for view in limits}
    return AccountUse(
        account=account,
        messages_hour=used["messages/hour"],
        messages_hour_maximum=maxima["messages/hour"],
        recipients_day=used["recipients/day"],
        recipients_day_maximum=maxima["recipients/day"],
    )
