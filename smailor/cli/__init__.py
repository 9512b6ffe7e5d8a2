"""`smailor …`: the operator's commands, thin over the rooms; one file a noun. Rules live in the rooms, not here."""

from typing import IO, Any

import click

from smailor.cli import account, database, domain, inbox, jobs, stack
from smailor.cli.context import Context
from smailor.errors import SmailorError


class Refusal(click.ClickException):
    """A room's refusal on the command line: one line on standard error, exit code 1."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the line."""
        click.echo(f"smailor: {self.message}", file=file, err=file is None)


class Commands(click.Group):
    """The command line's root: what rooms raise on purpose is told without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except SmailorError as error:
            raise Refusal(str(error)) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
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
    context.call_on_close(context.obj.close)


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
    stack.up,
    stack.down,
    stack.status,
    stack.internet,
):
    smailor.add_command(group)


def main() -> None:
    """Entry point of the console script."""
    smailor(prog_name="smailor")
