"""`smailor inbox allow|disallow|rights …`: who may send as whom beyond own addresses and aliases."""

import click

from smailor import clock
from smailor.cli.acting import actor
from smailor.cli.context import Context
from smailor.cli.domain import workspace_option
from smailor.cli.output import json_option, show
from smailor.mailboxes import sender_rights

_as_option = click.option(
    "--as", "sender", required=True, metavar="ADDRESS|@DOMAIN", help="Another inbox, or any address of a domain."
)


@click.command("allow")
@click.argument("login")
@_as_option
@workspace_option
@json_option
@click.pass_obj
def allow(context: Context, login: str, sender: str, workspace: str, as_json: bool) -> None:
    """Let the inbox LOGIN send as another inbox or as a whole domain of its workspace."""
    right = sender_rights.allow(
        context.database, workspace=workspace, login=login, sender=sender, actor=actor(), now=clock.now()
    )
    show(right, as_json=as_json)


@click.command("disallow")
@click.argument("login")
@_as_option
@workspace_option
@json_option
@click.pass_obj
def disallow(context: Context, login: str, sender: str, workspace: str, as_json: bool) -> None:
    """Take such a right away; LOGIN's next message is refused."""
    sender_rights.disallow(
        context.database, workspace=workspace, login=login, sender=sender, actor=actor(), now=clock.now()
    )
    show({"login": login, "sender": sender, "disallowed": True}, as_json=as_json)


@click.command("rights")
@click.argument("login", required=False)
@workspace_option
@json_option
@click.pass_obj
def rights(context: Context, login: str | None, workspace: str, as_json: bool) -> None:
    """List such rights, of all inboxes or of LOGIN."""
    show(sender_rights.list_rights(context.database, workspace=workspace, login=login), as_json=as_json)
