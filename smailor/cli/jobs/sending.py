"""Jobs for what tenants send: warm-up, watching, clearing."""

from dataclasses import asdict
from datetime import datetime

from smailor import clock
from smailor.cli.context import Context
from smailor.cli.notice import put_into_inbox
from smailor.sending import anomalies, limit_service, notices, plans, warmup_service, watch_service
from smailor.sending.warmup import Thresholds


def prune_sending(context: Context) -> dict[str, int]:
    """Delete limits that have run out and days' records that nobody asks about any more."""
    now = clock.now()
    return {
        "limits": limit_service.prune_expired(context.database, now=now),
        "habits": watch_service.prune(context.database, now=now),
        "days": warmup_service.prune_days(context.database, now=now),
    }


def warmup(context: Context) -> dict[str, int]:
    """Take each young domain a step on, or back, by what became of its mail of the days that are over."""
    run = warmup_service.run_steps(
        context.database, schedule=plans.schedule_of(context.settings), thresholds=Thresholds(), now=clock.now()
    )
    return asdict(run)


def watch_sending(context: Context) -> dict[str, int]:
    """Pause accounts that send unlike themselves, until their owners confirm that it was meant. For every minute."""
    lines = context.settings.anomalies
    if not lines.enabled:
        return {"watched": 0, "paused": 0, "told": 0}
    thresholds = anomalies.Thresholds(
        times_usual=lines.times_usual,
        recipients_at_least=lines.recipients_at_least,
        new_share=lines.new_share,
        new_at_least=lines.new_at_least,
        networks=lines.networks,
    )
    now = clock.now()
    run = watch_service.watch(context.database, thresholds=thresholds, now=now)
    told = sum(_tell_paused(context, account, anomaly.words, now) for account, anomaly in run.paused)
    return {"watched": run.watched, "paused": len(run.paused), "told": told}


def _tell_paused(context: Context, account: str, reason: str, now: datetime) -> bool:
    settings = context.settings
    letter = notices.paused(
        account=account,
        reason=reason,
        service=settings.service.name,
        contact=settings.service.contact,
        confirm_at=f"{settings.web.public_url}/settings/{account}/sending",
        now=now,
    )
    return put_into_inbox(context.database, settings.web, login=account, message=letter, now=now)
