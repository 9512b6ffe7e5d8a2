"""`smailor …`: the operator's commands, thin over the rooms; one file a noun. Rules live in the rooms, not here."""

import sys

import click

from smailor.cli import account, database, domain, inbox, jobs, stack
from smailor.cli.context import Context
from smailor.errors import SmailorError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    type=click.Path(dir_okay=False),
    envvar="SMAILOR_CONFIG",
    help="Configuration file (default /etc/smailor/smailor.toml).",
)
@click.version_option(package_name="smailor")
@click.pass_context
def smailor(context: click.Context, config: str | None) -> None:
    """Run a multi-tenant business e-mail service."""
    context.obj = Context(config)


for group in (
    account.user,
    account.workspace,
    domain.domain,
    domain.transport,
    inbox.inbox,
    inbox.alias,
    inbox.app_password,
    database.database,
    jobs.jobs,
    stack.internet,
):
    smailor.add_command(group)


def main() -> None:
    """Entry point of the console script: a refusal is one line on standard error and exit code 1."""
    try:
        smailor(prog_name="smailor")
    except SmailorError as error:
        click.echo(f"smailor: {error}", err=True)
        sys.exit(1)
