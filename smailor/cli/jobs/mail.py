"""Jobs about mail itself: DMARC reports, the probe."""

from smailor import clock
from smailor.authentication import record_service, report_service
from smailor.authentication.reports import Reporter
from smailor.cli import probe as mail_probe
from smailor.cli.context import Context
from smailor.mailboxes.submission import hand_over


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


def probe(context: Context) -> dict[str, int]:
    """Send a message from the probe's inbox to itself, where there is one; fails when it does not come."""
    inbox = context.settings.probe.inbox
    if not inbox:
        return {"enabled": 0}
    return {
        "enabled": 1,
        "milliseconds": mail_probe.run(context.database, context.settings.web, inbox, now=clock.now()),
    }
