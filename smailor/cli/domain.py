"""`smailor domain …` and `smailor transport …`."""

import click

from smailor import clock
from smailor.cli.acting import actor
from smailor.cli.context import Context
from smailor.cli.output import json_option, show
from smailor.cli.warmup import warmup
from smailor.domains import records, service, service_keys, transports

workspace_option = click.option("--workspace", required=True, help="The workspace's slug.")


@click.group()
def domain() -> None:
    """Domains of the tenants."""


domain.add_command(warmup)


@domain.command("add")
@click.argument("name")
@workspace_option
@json_option
@click.pass_obj
def domain_add(context: Context, name: str, workspace: str, as_json: bool) -> None:
    """Claim a domain for a workspace, with a DKIM key of its own."""
    view = service.add_domain(
        context.database, workspace=workspace, name=name, sealer=context.sealer, actor=actor(), now=clock.now()
    )
    show(view, as_json=as_json)


@domain.command("add-ed25519-key")
@click.argument("name")
@workspace_option
@json_option
@click.pass_obj
def domain_add_ed25519_key(context: Context, name: str, workspace: str, as_json: bool) -> None:
    """Sign a domain's mail with Ed25519 beside RSA; publish the record that `domain records` then lists."""
    view = service.add_ed25519_key(
        context.database, workspace=workspace, name=name, sealer=context.sealer, actor=actor(), now=clock.now()
    )
    show(view, as_json=as_json)


@domain.command("list")
@click.option("--workspace", help="Of this workspace only.")
@json_option
@click.pass_obj
def domain_list(context: Context, workspace: str | None, as_json: bool) -> None:
    """List domains."""
    show(service.list_domains(context.database, workspace=workspace), as_json=as_json)


@domain.command("records")
@click.argument("name")
@workspace_option
@click.option("--zone", is_flag=True, help="As lines of a BIND zone file.")
@json_option
@click.pass_obj
def domain_records(context: Context, name: str, workspace: str, zone: bool, as_json: bool) -> None:
    """Print the DNS records that a domain wants."""
    wanted = service.wanted_records(context.database, workspace=workspace, name=name, service=context.service_names)
    if zone:
        click.echo(records.zone_text(wanted), nl=False)
    else:
        show(wanted, as_json=as_json)


@domain.command("service-records")
@click.option("--zone", is_flag=True, help="As lines of a BIND zone file.")
@json_option
@click.pass_obj
def domain_service_records(context: Context, zone: bool, as_json: bool) -> None:
    """Print the DNS records of the service's own domain that forwarding wants (ARC, SRS)."""
    own = context.settings.service
    wanted = service_keys.service_records(
        context.database,
        domain=own.domain,
        srs_domain=own.forwarding_domain,
        service_names=context.service_names,
        sealer=context.sealer,
        now=clock.now(),
    )
    if zone:
        click.echo(records.zone_text(wanted), nl=False)
    else:
        show(wanted, as_json=as_json)


@domain.command("check")
@click.argument("name")
@workspace_option
@json_option
@click.pass_obj
def domain_check(context: Context, name: str, workspace: str, as_json: bool) -> None:
    """Compare the wanted DNS records with what the world sees now."""
    checks = service.check_records(
        context.database, workspace=workspace, name=name, service=context.service_names, resolver=context.resolver
    )
    rows = [
        {
            "kind": check.record.kind,
            "name": check.record.name,
            "state": check.state,
            "wanted": check.record.value,
            "seen": check.seen,
        }
        for check in checks
    ]
    show(rows, as_json=as_json)


@domain.command("verify")
@click.argument("name")
@workspace_option
@json_option
@click.pass_obj
def domain_verify(context: Context, name: str, workspace: str, as_json: bool) -> None:
    """Look for the ownership record and put the domain in use."""
    view = service.verify_domain(
        context.database, workspace=workspace, name=name, resolver=context.resolver, actor=actor(), now=clock.now()
    )
    show(view, as_json=as_json)


@click.group()
def transport() -> None:
    """Destinations whose mail leaves another way than by MX and best-effort TLS."""


@transport.command("set")
@click.argument("destination")
@click.option("--relay", help="Hand the mail to this host:port.")
@json_option
@click.pass_obj
def transport_set(context: Context, destination: str, relay: str | None, as_json: bool) -> None:
    """Send mail for a destination over TLS or not at all."""
    view = transports.set_transport(
        context.database, destination=destination, relay=relay, actor=actor(), now=clock.now()
    )
    show(view, as_json=as_json)


@transport.command("list")
@json_option
@click.pass_obj
def transport_list(context: Context, as_json: bool) -> None:
    """List the transports."""
    show(transports.list_transports(context.database), as_json=as_json)


@transport.command("remove")
@click.argument("destination")
@json_option
@click.pass_obj
def transport_remove(context: Context, destination: str, as_json: bool) -> None:
    """Let a destination's mail take the usual way again."""
    transports.remove_transport(context.database, destination=destination, actor=actor(), now=clock.now())
    show({"destination": destination, "removed": True}, as_json=as_json)
