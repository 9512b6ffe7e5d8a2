"""`smailor audit …`: the audit trail read, checked and handed out."""

from pathlib import Path

import click

from smailor.accounts import audit as audit_trail
from smailor.accounts import audit_export, audit_search, audit_verify
from smailor.accounts.audit_chain import Head
from smailor.accounts.audit_search import Filter
from smailor.cli.context import Context
from smailor.cli.output import json_option, show
from smailor.errors import InvalidInput


@click.group()
def audit() -> None:
    """Who did what."""


@audit.command("list")
@click.option("--workspace", help="Of this workspace only.")
@click.option("--on", metavar="OBJECT", help="On this object only, such as domain:example.com.")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True)
@json_option
@click.pass_obj
def audit_list(context: Context, workspace: str | None, on: str | None, limit: int, as_json: bool) -> None:
    """List the newest entries of the audit trail, newest first."""
    show(audit_trail.entries(context.database, workspace=workspace, on=on, limit=limit), as_json=as_json)


@audit.command("export")
@click.option("--workspace", help="Of this workspace only.")
@click.option("--format", "kind", type=click.Choice(["csv", "jsonl"]), default="jsonl", show_default=True)
@click.pass_obj
def audit_export_(context: Context, workspace: str | None, kind: str) -> None:
    """Print the trail, newest first, a batch at a time."""
    entries = audit_search.stream(context.database, Filter(workspace=workspace), limit=audit_export.LIMIT)
    for line in audit_export.csv_lines(entries) if kind == "csv" else audit_export.json_lines(entries):
        click.echo(line, nl=False)


@audit.command("verify")
@click.option(
    "--expect", "expected", metavar="HASH@N", multiple=True, help="An end of the chain that was printed before."
)
@click.option(
    "--head-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Expect the end that this file holds, and write the new one into it. Keep it on another machine.",
)
@json_option
@click.pass_context
def audit_verify_(
    click_context: click.Context, expected: tuple[str, ...], head_file: Path | None, as_json: bool
) -> None:
    """Read the whole trail and check its chain; exit status 1 and the first broken entry if it is not whole."""
    context: Context = click_context.obj
    texts = list(expected)
    if head_file is not None and head_file.exists():
        texts.append(head_file.read_text(encoding="ascii", errors="replace"))
    try:
        heads = tuple(Head.parse(text) for text in texts)
    except ValueError as error:
        raise InvalidInput("expect", str(error)) from error
    verdict = audit_verify.verify(context.database, expected=heads)
    show(
        {
            "whole": not verdict.problem,
            "entries": verdict.head.sequence,
            "head": str(verdict.head),
            "problem": verdict.problem,
        },
        as_json=as_json,
    )
    if verdict.problem:
        click_context.exit(1)
    if head_file is not None:
        head_file.write_text(f"{verdict.head}\n", encoding="ascii")
