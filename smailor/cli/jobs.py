"""`smailor jobs …`: work that timers start. Each job is idempotent and catches up with what it missed."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import click

from smailor import clock, log
from smailor.accounts import api_calls, app_passwords, audit_verify, one_time, sessions, signup
from smailor.accounts import notices as account_letters
from smailor.accounts.desk import letterhead
from smailor.accounts.posting import Post
from smailor.authentication import record_service, report_service
from smailor.authentication.reports import Reporter
from smailor.cli import probe, queue_file
from smailor.cli.context import Context
from smailor.cli.notice import put_into_inbox
from smailor.cli.output import json_option, show
from smailor.mailboxes.dovecot import delete_mail, end_connections
from smailor.mailboxes.submission import hand_over, letter_carrier
from smailor.sending import anomalies, closing, limit_service, notices, plans, warmup_service, watch_service
from smailor.sending.warmup import Thresholds

logger = logging.getLogger(__name__)


def prune_tokens(context: Context) -> dict[str, int]:
    """Delete web sessions, web tokens and links that have run out, and sign-ups that came to nothing."""
    now = clock.now()
    return {
        "links": one_time.prune(context.database, now=now),
        "sign_ups": signup.prune(context.database, now=now),
        "web_sessions": sessions.prune(context.database, now=now),
        "api_calls": api_calls.prune(context.database, now=now),
        "web_tokens": app_passwords.prune_expired(context.database, now=now),
    }


def send_notices(context: Context) -> dict[str, int]:
    """Send the letters about accounts that wait. For every minute: the web sends them at once, this catches up."""
    deliver = letter_carrier(context.database, context.settings)
    if deliver is None:
        return {"enabled": 0}
    run = account_letters.send_due(context.database, context.sealer, deliver=deliver, now=clock.now())
    return {"enabled": 1, **asdict(run)}


def dmarc_reports(context: Context) -> dict[str, int]:
    """Send the DMARC reports of the days that are over, where the operator wants that; delete old counts."""
    settings, now = context.settings, clock.now()
    wanted, sender = settings.authentication.dmarc_reports, settings.authentication.dmarc_reports_from
    run = report_service.Run()
    if wanted:
        run = report_service.send_reports(
            context.database,
            reporter=Reporter(settings.service.domain, sender),
            resolver=context.resolver,
            deliver=lambda recipient, message: hand_over(context.database, settings.web, sender, recipient, message),
            now=now,
        )
    return {
        "enabled": int(wanted),
        "policies": run.reports,
        "sent": run.sent,
        "refused": run.refused,
        "waiting": run.waiting,
        "pruned": record_service.prune(context.database, now=now),
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


def prune_sending(context: Context) -> dict[str, int]:
    """Delete limits that have run out and days' records that nobody asks about any more."""
    now = clock.now()
    return {
        "limits": limit_service.prune_expired(context.database, now=now),
        "habits": watch_service.prune(context.database, now=now),
        "days": warmup_service.prune_days(context.database, now=now),
    }


def probe_mail(context: Context) -> dict[str, int]:
    """Send a message from the probe's inbox to itself, where there is one; fails when it does not come."""
    inbox = context.settings.probe.inbox
    if not inbox:
        return {"enabled": 0}
    return {"enabled": 1, "milliseconds": probe.run(context.database, context.settings.web, inbox, now=clock.now())}


def delete_workspaces(context: Context) -> dict[str, int]:
    """Delete workspaces whose grace period is over, with their domains, inboxes and mail."""
    settings = context.settings
    run = closing.delete_due(
        context.database,
        delete_mail=lambda login: delete_mail(settings.dovecot, login=login),
        post=Post(letterhead(settings), context.sealer),
        now=clock.now(),
    )
    for login in run.inboxes:
        end_connections(settings.dovecot, login=login)
    return {"deleted": run.deleted, "kept": run.kept, "waiting": run.waiting, "inboxes": len(run.inboxes)}


def audit_head(context: Context) -> dict[str, str]:
    """Say in the log where the audit trail ends, so that a log kept elsewhere tells later whether it was cut."""
    head = audit_verify.head(context.database)
    log.event(logger, logging.INFO, None, "audit-head", head=head)
    return {"head": str(head)}


def write_queue(context: Context) -> dict[str, int]:
    """Write Postfix's queue into `web.queue_file` for the operator console. Needs the group postdrop."""
    file = context.settings.web.queue_file
    return {"enabled": 0} if not file else {"enabled": 1, "bytes": queue_file.write(Path(file))}


JOBS: Mapping[str, Callable[[Context], Mapping[str, object]]] = {
    "audit-head": audit_head,
    "delete-workspaces": delete_workspaces,
    "dmarc-reports": dmarc_reports,
    "notices": send_notices,
    "probe": probe_mail,
    "prune-sending": prune_sending,
    "prune-tokens": prune_tokens,
    "warmup": warmup,
    "watch-sending": watch_sending,
    "write-queue": write_queue,
}


@click.group()
def jobs() -> None:
    """Work that timers start."""


@jobs.command("run")
@click.argument("name", type=click.Choice(list(JOBS)))
@json_option
@click.pass_obj
def jobs_run(context: Context, name: str, as_json: bool) -> None:
    """Run one job now."""
    show(JOBS[name](context), as_json=as_json)
