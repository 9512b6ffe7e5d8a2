"""`smailor jobs …`: work that timers start. Each job is idempotent and catches up with what it missed."""

import importlib
from collections.abc import Mapping

import click

from smailor.cli.context import Context
from smailor.cli.output import json_option, show

JOBS: Mapping[str, str] = {
    "audit-head": "accounts",
    "delete-workspaces": "accounts",
    "dmarc-reports": "mail",
    "notices": "accounts",
    "probe": "mail",
    "prune-sending": "sending",
    "prune-tokens": "accounts",
    "warmup": "sending",
    "watch-sending": "sending",
    "write-queue": "queue",
}
"""Each job and its file: only the one that runs is loaded, since some run every minute."""


@click.group()
def jobs() -> None:
    """Work that timers start."""


@jobs.command("run")
@click.argument("name", type=click.Choice(list(JOBS)))
@json_option
@click.pass_obj
def jobs_run(context: Context, name: str, as_json: bool) -> None:
    """Run one job now."""
    job = getattr(importlib.import_module(f"smailor.cli.jobs.{JOBS[name]}"), name.replace("-", "_"))
    show(job(context), as_json=as_json)
