"""`smailor internet …`: the local service's small internet. The one file of the command line that knows the stack."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from smailor.cli.output import json_option, show
from smailor.dns.resolver import Resolver
from smailor.errors import NotFound
from smailor.stack.internet import internet_reload
from smailor.stack.internet_send import internet_send

DEFAULT_RUN_DIR = "/var/tmp/smailor"  # noqa: S108 - `up` makes it, owned by root, and refuses a stranger's
run_dir_option = click.option(
    "--run-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=DEFAULT_RUN_DIR,
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
