"""`smailor up | down | status | internet …`: the local service. The one file of the commands that knows the stack."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from smailor.cli.output import json_option, show
from smailor.dns.resolver import Resolver
from smailor.errors import NotFound
from smailor.stack import down as stopping
from smailor.stack import status as looking
from smailor.stack.internet import internet_reload
from smailor.stack.internet_send import internet_send
from smailor.stack.layout import DEFAULT_BASE_PORT, DEFAULT_DIRECTORY, HIGHEST_BASE_PORT
from smailor.stack.service import Options
from smailor.stack.up import up as start

run_dir_option = click.option(
    "--run-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=DEFAULT_DIRECTORY,
    show_default=True,
    help="The service's private directory.",
)


def _endpoints(run_dir: Path) -> dict[str, Any]:
    """Read where a running service answers; raises NotFound."""
    try:
        endpoints: dict[str, Any] = json.loads((run_dir / "endpoints.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NotFound(f"no service runs in {run_dir}; start one with smailor up --run-dir {run_dir}") from error
    return endpoints


@click.command()
@run_dir_option
@click.option(
    "--base-port",
    type=click.IntRange(1024, HIGHEST_BASE_PORT),
    default=DEFAULT_BASE_PORT,
    show_default=True,
    help="Ports are counted from here.",
)
@click.option("--detach", is_flag=True, help="Return when it is ready and leave it running.")
@click.option("--resolver", default="", metavar="HOST:PORT", help="Ask this DNS server, not the small internet.")
@click.option("--database", default="", metavar="URL", help="A PostgreSQL database; otherwise SQLite.")
@click.option("--no-demo", is_flag=True, help="Start empty, with the operator's log-in only.")
@click.option("--keep", is_flag=True, help="Keep data and mail for the next start.")
def up(run_dir: Path, base_port: int, detach: bool, resolver: str, database: str, no_demo: bool, keep: bool) -> None:
    """Run the whole service on this machine, from one private directory."""
    options = Options(
        run_directory=run_dir.absolute(),
        base_port=base_port,
        database=database,
        resolver=resolver,
        demo=not no_demo,
        keep=keep,
    )
    sys.exit(start(options, detach=detach))


@click.command()
@run_dir_option
def down(run_dir: Path) -> None:
    """Stop the service of a run directory; nothing of it is left."""
    stopping.down(run_dir)


@click.command()
@run_dir_option
@json_option
def status(run_dir: Path, as_json: bool) -> None:
    """Show a running service's processes, memory and start; exit code 1 when something is down."""
    found = looking.status(run_dir)
    if as_json:
        show(found, as_json=True)
    else:
        click.echo("\n".join(looking.table(found)))
    sys.exit(0 if found.well else 1)


@click.group()
def internet() -> None:
    """The world outside of a local service."""


@internet.command("send")
@run_dir_option
@click.option("--from", "mail_from", required=True, help="Envelope sender; empty for the null sender.")
@click.option("--to", "rcpt_to", required=True, multiple=True, help="Envelope recipient; may be given several times.")
@click.option("--ip", default="192.0.2.1", show_default=True, help="The address that the message comes from.")
@click.option("--helo", default="", help="The name to greet with; otherwise the address's host name.")
@click.argument("file", type=click.File("rb"))
@json_option
def internet_send_command(
    run_dir: Path, mail_from: str, rcpt_to: tuple[str, ...], ip: str, helo: str, file: Any, as_json: bool
) -> None:
    """Deliver a message from outside, from a chosen address; exit code 1 when it is refused."""
    endpoints = _endpoints(run_dir)
    delivery = internet_send(
        file.read(),
        server=endpoints["smtp"],
        mail_from=mail_from,
        rcpt_to=rcpt_to,
        ip=ip,
        dns=Resolver([endpoints["resolver"]], 5.0),
        helo=helo,
    )
    if as_json:
        show(delivery, as_json=True)
    else:
        for reply in delivery.replies:
            click.echo(f"{reply.command}\n  {reply.code} {reply.text}")
    sys.exit(0 if delivery.accepted else 1)


@internet.command("reload")
@run_dir_option
@json_option
def internet_reload_command(run_dir: Path, as_json: bool) -> None:
    """Serve the zone files as they are now, without waiting; exit code 1 when one is faulty."""
    zones = Path(_endpoints(run_dir)["internet"]["zones"])
    problems = internet_reload(zones, run_dir / "unbound" / "unbound.conf")
    show(problems, as_json=as_json)
    sys.exit(1 if problems else 0)
