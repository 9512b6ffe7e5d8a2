"""`smailor domain warmup …`."""

import click

from smailor import clock
from smailor.cli.acting import actor, reason_option
from smailor.cli.context import Context
from smailor.cli.output import json_option, show
from smailor.domains import service as domains
from smailor.sending import plans, warmup_service
from smailor.sending.warmup_service import Setting


@click.group()
def warmup() -> None:
    """How much a young domain may send each day."""


@warmup.command("show")
@click.argument("name", required=False)
@json_option
@click.pass_obj
def warmup_show(context: Context, name: str | None, as_json: bool) -> None:
    """Show a domain's cap today, its next step and why it is held; without NAME of all domains."""
    names = [name] if name else [d.name for d in domains.list_domains(context.database) if d.verified_at]
    rows = [_row(context, entry) for entry in names]
    show(rows[0] if name else rows, as_json=as_json)


@warmup.command("pause")
@click.argument("name")
@reason_option
@json_option
@click.pass_obj
def warmup_pause(context: Context, name: str, reason: str, as_json: bool) -> None:
    """Let the cap stay as it is."""
    warmup_service.pause(context.database, domain=name, reason=reason, actor=actor(), now=clock.now())
    show(_row(context, name), as_json=as_json)


@warmup.command("resume")
@click.argument("name")
@reason_option
@json_option
@click.pass_obj
def warmup_resume(context: Context, name: str, reason: str, as_json: bool) -> None:
    """Let the steps go on."""
    warmup_service.resume(context.database, domain=name, reason=reason, actor=actor(), now=clock.now())
    show(_row(context, name), as_json=as_json)


@warmup.command("set")
@click.argument("name")
@click.option("--day", type=int, help="The step, 1 first.")
@click.option("--cap", type=int, help="Recipients a day in place of the schedule's.")
@click.option("--clear-cap", is_flag=True, help="The schedule's cap again.")
@click.option("--graduated", is_flag=True, help="The warm-up is over.")
@reason_option
@json_option
@click.pass_obj
def warmup_set(
    context: Context,
    name: str,
    day: int | None,
    cap: int | None,
    clear_cap: bool,
    graduated: bool,
    reason: str,
    as_json: bool,
) -> None:
    """Put a domain's warm-up where it should be."""
    warmup_service.set_warmup(
        context.database,
        domain=name,
        setting=Setting(day, cap, clear_cap, graduated),
        schedule=plans.schedule_of(context.settings),
        reason=reason,
        actor=actor(),
        now=clock.now(),
    )
    show(_row(context, name), as_json=as_json)


def _row(context: Context, name: str) -> dict[str, object]:
    view = warmup_service.show_warmup(
        context.database, domain=name, schedule=plans.schedule_of(context.settings), now=clock.now()
    )
    outlook = view.outlook
    return {
        "domain": view.domain,
        "state": outlook.state,
        "day": outlook.day,
        "of": outlook.of,
        "cap": outlook.cap,
        "used": view.used,
        "next_cap": outlook.next_cap,
        "next_step": outlook.next_step,
        "paused": outlook.paused,
        "held": outlook.held,
        "held_since": outlook.held_since,
        "reason": outlook.reason,
        "operators_reason": view.operators_reason,
    }
