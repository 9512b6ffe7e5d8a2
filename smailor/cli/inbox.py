"""`smailor inbox …`, `smailor alias …` and `smailor app-password …`."""

from datetime import timedelta

import click

from smailor import clock
from smailor.accounts import app_passwords
from smailor.cli.acting import actor
from smailor.cli.context import Context
from smailor.cli.domain import workspace_option
from smailor.cli.output import json_option, show
from smailor.cli.rights import allow, disallow, rights
from smailor.mailboxes import aliases, dovecot, service

GIB = 1024**3


@click.group()
def inbox() -> None:
    """Inboxes."""


@inbox.command("add")
@click.argument("address")
@workspace_option
@click.option("--name", required=True, help="Whose or what it is.")
@click.option("--quota-gib", type=click.FloatRange(min=0.001), default=10.0, show_default=True, help="Size limit.")
@click.option("--reader", help="Address of the person who opens it in the web interface.")
@json_option
@click.pass_obj
def inbox_add(
    context: Context, address: str, workspace: str, name: str, quota_gib: float, reader: str | None, as_json: bool
) -> None:
    """Create an inbox in one of the workspace's domains."""
    view = service.create_inbox(
        context.database,
        workspace=workspace,
        address=address,
        name=name,
        quota_bytes=int(quota_gib * GIB),
        reader=reader,
        actor=actor(),
        now=clock.now(),
    )
    show(view, as_json=as_json)


@inbox.command("list")
@click.option("--workspace", help="Of this workspace only.")
@json_option
@click.pass_obj
def inbox_list(context: Context, workspace: str | None, as_json: bool) -> None:
    """List inboxes."""
    show(service.list_inboxes(context.database, workspace=workspace), as_json=as_json)


@inbox.command("add-reader")
@click.argument("address")
@click.argument("email")
@workspace_option
@json_option
@click.pass_obj
def inbox_add_reader(context: Context, address: str, email: str, workspace: str, as_json: bool) -> None:
    """Let a person open an inbox in the web interface."""
    service.add_reader(
        context.database, workspace=workspace, address=address, reader=email, actor=actor(), now=clock.now()
    )
    show({"address": address, "reader": email}, as_json=as_json)


@inbox.command("delete")
@click.argument("address")
@workspace_option
@json_option
@click.pass_obj
def inbox_delete(context: Context, address: str, workspace: str, as_json: bool) -> None:
    """Delete an inbox and its app passwords; its mail stays on disk."""
    service.delete_inbox(context.database, workspace=workspace, address=address, actor=actor(), now=clock.now())
    dovecot.end_connections(context.settings.dovecot, login=address)
    show({"address": address, "deleted": True}, as_json=as_json)


for _command in (allow, disallow, rights):
    inbox.add_command(_command)


@click.group()
def alias() -> None:
    """Aliases, groups and catch-alls."""


@alias.command("add")
@click.argument("source")
@click.argument("target")
@workspace_option
@json_option
@click.pass_obj
def alias_add(context: Context, source: str, target: str, workspace: str, as_json: bool) -> None:
    """Deliver mail for SOURCE (or @domain, the catch-all) to TARGET; several targets make a group."""
    view = aliases.create_alias(
        context.database, workspace=workspace, source=source, target=target, actor=actor(), now=clock.now()
    )
    show(view, as_json=as_json)


@alias.command("list")
@click.option("--workspace", help="Of this workspace only.")
@json_option
@click.pass_obj
def alias_list(context: Context, workspace: str | None, as_json: bool) -> None:
    """List aliases."""
    show(aliases.list_aliases(context.database, workspace=workspace), as_json=as_json)


@alias.command("delete")
@click.argument("source")
@click.argument("target", required=False)
@workspace_option
@json_option
@click.pass_obj
def alias_delete(context: Context, source: str, target: str | None, workspace: str, as_json: bool) -> None:
    """Delete an alias with all its targets, or one TARGET of it."""
    aliases.delete_alias(
        context.database, workspace=workspace, source=source, target=target, actor=actor(), now=clock.now()
    )
    show({"source": source, "deleted": True}, as_json=as_json)


@click.group("app-password")
def app_password() -> None:
    """Secrets with which mail clients open an inbox."""


@app_password.command("add")
@click.argument("address")
@workspace_option
@click.option("--label", required=True, help="What the owner calls it, such as phone.")
@click.option(
    "--service",
    "limited_to",
    type=click.Choice(app_passwords.SERVICES),
    default=app_passwords.ANY_SERVICE,
    show_default=True,
)
@click.option("--days", type=click.IntRange(min=1), help="How long it lasts; otherwise until it is revoked.")
@json_option
@click.pass_obj
def app_password_add(
    context: Context, address: str, workspace: str, label: str, limited_to: str, days: int | None, as_json: bool
) -> None:
    """Draw an app password and show it this once."""
    login = service.inbox(context.database, workspace=workspace, address=address).address
    now = clock.now()
    new = app_passwords.create_app_password(
        context.database,
        login=login,
        label=label,
        service=limited_to,
        expires_at=now + timedelta(days=days) if days else None,
        workspace=workspace,
        actor=actor(),
        now=now,
    )
    show({"id": new.view.id, "login": login, "label": new.view.label, "secret": new.secret}, as_json=as_json)


@app_password.command("list")
@click.argument("address")
@workspace_option
@json_option
@click.pass_obj
def app_password_list(context: Context, address: str, workspace: str, as_json: bool) -> None:
    """List an inbox's app passwords, without the secrets."""
    login = service.inbox(context.database, workspace=workspace, address=address).address
    show(app_passwords.list_app_passwords(context.database, login=login), as_json=as_json)


@app_password.command("revoke")
@click.argument("address")
@click.argument("password_id", type=int)
@workspace_option
@json_option
@click.pass_obj
def app_password_revoke(context: Context, address: str, password_id: int, workspace: str, as_json: bool) -> None:
    """Revoke one app password and end the inbox's open connections."""
    login = service.inbox(context.database, workspace=workspace, address=address).address
    app_passwords.revoke_app_password(
        context.database,
        login=login,
        password_id=password_id,
        workspace=workspace,
        actor=actor(),
        now=clock.now(),
    )
    dovecot.end_connections(context.settings.dovecot, login=login)
    show({"id": password_id, "login": login, "revoked": True}, as_json=as_json)
