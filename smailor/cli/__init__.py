"""`smailor …`: the operator's commands, thin over the rooms; one file a noun. Rules live in the rooms, not here."""

import importlib
from collections.abc import Mapping
from typing import IO, Any

import click

from smailor.cli.context import Context
from smailor.errors import SmailorError

COMMANDS: Mapping[str, str] = {
    "alias": "inbox",
    "api-key": "api_key",
    "app-password": "inbox",
    "audit": "audit",
    "auth": "auth",
    "database": "database",
    "domain": "domain",
    "down": "stack",
    "inbox": "inbox",
    "internet": "stack",
    "jobs": "jobs",
    "limits": "sending",
    "pause": "sending",
    "status": "stack",
    "suppression": "sending",
    "suspend": "sending",
    "suspension": "sending",
    "transport": "domain",
    "unsuspend": "sending",
    "up": "stack",
    "user": "account",
    "workspace": "workspace",
}
"""Each command and its file: only the one that runs is loaded, since all of them together take a second."""


class Refusal(click.ClickException):
    """A room's refusal on the command line: one line on standard error, exit code 1."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the line."""
        click.echo(f"smailor: {self.message}", file=file, err=file is None)


class Commands(click.Group):
    """The command line's root: loads the command that is asked for, and tells what rooms raise without a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name all commands."""
        del ctx
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one command from its file."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"smailor.cli.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

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


def main() -> None:
    """Entry point of the console script."""
    smailor(prog_name="smailor")
