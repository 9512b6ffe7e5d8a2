"""`smailor jobs …`: work that timers start. Each job is idempotent and catches up with what it missed."""

from collections.abc import Callable, Mapping

import click

from smailor import clock
from smailor.accounts import app_passwords, service
from smailor.cli.context import Context
from smailor.cli.output import json_option, show


def prune_tokens(context: Context) -> dict[str, int]:
    """Delete web sessions and web tokens that have run out."""
    now = clock.now()
    return {
        "web_sessions": service.prune_sessions(context.database, now=now),
        "web_tokens": app_passwords.prune_expired(context.database, now=now),
    }


JOBS: Mapping[str, Callable[[Context], dict[str, int]]] = {"prune-tokens": prune_tokens}


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
