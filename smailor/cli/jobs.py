"""`smailor jobs …`: work that timers start. Each job is idempotent and catches up with what it missed."""

from collections.abc import Callable, Mapping

import click

from smailor import clock
from smailor.accounts import app_passwords, service
from smailor.authentication import record_service, report_service
from smailor.authentication.reports import Reporter
from smailor.cli import probe
from smailor.cli.context import Context
from smailor.cli.output import json_option, show
from smailor.cli.submission import hand_over


def prune_tokens(context: Context) -> dict[str, int]:
    """Delete web sessions and web tokens that have run out."""
    now = clock.now()
    return {
        "web_sessions": service.prune_sessions(context.database, now=now),
        "web_tokens": app_passwords.prune_expired(context.database, now=now),
    }


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


def probe_mail(context: Context) -> dict[str, int]:
    """Send a message from the probe's inbox to itself, where there is one; fails when it does not come."""
    inbox = context.settings.probe.inbox
    if not inbox:
        return {"enabled": 0}
    return {"enabled": 1, "milliseconds": probe.run(context.database, context.settings.web, inbox, now=clock.now())}


JOBS: Mapping[str, Callable[[Context], dict[str, int]]] = {
    "dmarc-reports": dmarc_reports,
    "probe": probe_mail,
    "prune-tokens": prune_tokens,
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
