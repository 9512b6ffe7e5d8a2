"""`smailor user …` and `smailor workspace …`."""

import sys

import click

from smailor import clock
from smailor.accounts import member_changes, members, passwords, service, workspaces
from smailor.accounts.permissions import Role
from smailor.cli.acting import actor, optional_reason_option
from smailor.cli.context import Context
from smailor.cli.output import json_option, show
from smailor.errors import InvalidInput

password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input; otherwise one is drawn and shown."
)


def _password(password_stdin: bool) -> tuple[str, dict[str, str]]:
    """Return the password to set and what of it to show: a drawn one only, once."""
    if password_stdin:
        return sys.stdin.readline().rstrip("\n"), {}
    drawn = passwords.draw_secret()
    return drawn, {"password": drawn}


@click.group()
def user() -> None:
    """People who log in to the web interface."""


@user.command("add")
@click.argument("email")
@click.option("--name", required=True, help="What to call them.")
@click.option("--operator", is_flag=True, help="They run the service.")
@password_option
@json_option
@click.pass_obj
def user_add(context: Context, email: str, name: str, operator: bool, password_stdin: bool, as_json: bool) -> None:
    """Create a person."""
    password, shown = _password(password_stdin)
    view = service.create_user(
        context.database, email=email, name=name, password=password, operator=operator, now=clock.now()
    )
    show({"email": view.email, "name": view.name, "operator": view.operator, **shown}, as_json=as_json)


@user.command("password")
@click.argument("email")
@password_option
@json_option
@click.pass_obj
def user_password(context: Context, email: str, password_stdin: bool, as_json: bool) -> None:
    """Give a person a new password and end their web sessions."""
    password, shown = _password(password_stdin)
    service.set_password(context.database, email=email, password=password)
    show({"email": email, **shown}, as_json=as_json)


@user.command("list")
@json_option
@click.pass_obj
def user_list(context: Context, as_json: bool) -> None:
    """List all people."""
    show(service.list_users(context.database), as_json=as_json)


@click.group()
def workspace() -> None:
    """Tenants and their members."""


@workspace.command("add")
@click.argument("slug")
@click.option("--name", required=True, help="What people call it.")
@json_option
@click.pass_obj
def workspace_add(context: Context, slug: str, name: str, as_json: bool) -> None:
    """Create a workspace; SLUG is its name in addresses of pages."""
    view = workspaces.create_workspace(context.database, slug=slug, name=name, actor=actor(), now=clock.now())
    show(view, as_json=as_json)


@workspace.command("list")
@json_option
@click.pass_obj
def workspace_list(context: Context, as_json: bool) -> None:
    """List all workspaces."""
    show(workspaces.list_workspaces(context.database), as_json=as_json)


@workspace.command("plan")
@click.argument("slug")
@click.argument("plan")
@optional_reason_option
@json_option
@click.pass_obj
def workspace_plan(context: Context, slug: str, plan: str, reason: str, as_json: bool) -> None:
    """Put a workspace on a plan of the configuration."""
    known = {workspaces.STANDARD_PLAN, *context.settings.plans}
    if plan not in known:
        raise InvalidInput("plan", f"the configuration has {', '.join(sorted(known))}")
    view = workspaces.set_plan(
        context.database, workspace=slug, plan=plan, reason=reason, actor=actor(), now=clock.now()
    )
    show(view, as_json=as_json)


@workspace.command("set")
@click.argument("slug")
@click.option(
    "--sender-privacy",
    type=click.Choice(["on", "off"]),
    required=True,
    help="Whether what its people send hides the address and host it was sent from.",
)
@json_option
@click.pass_obj
def workspace_set(context: Context, slug: str, sender_privacy: str, as_json: bool) -> None:
    """Change a workspace's settings; they are in force within two seconds."""
    view = workspaces.set_sender_privacy(
        context.database, workspace=slug, on=sender_privacy == "on", actor=actor(), now=clock.now()
    )
    show(view, as_json=as_json)


@workspace.command("add-member")
@click.argument("slug")
@click.argument("email")
@click.option("--role", type=click.Choice([role.value for role in Role]), default=Role.MEMBER.value, show_default=True)
@json_option
@click.pass_obj
def workspace_add_member(context: Context, slug: str, email: str, role: str, as_json: bool) -> None:
    """Make a person a member, or change their role."""
    member = member_changes.add_member(
        context.database, workspace=slug, email=email, role=role, actor=actor(), now=clock.now()
    )
    show({"email": member.user.email, "name": member.user.name, "role": member.role}, as_json=as_json)


@workspace.command("members")
@click.argument("slug")
@json_option
@click.pass_obj
def workspace_members(context: Context, slug: str, as_json: bool) -> None:
    """List a workspace's members."""
    found = members.list_members(context.database, workspace=slug)
    rows = [{"email": member.user.email, "name": member.user.name, "role": member.role} for member in found]
    show(rows, as_json=as_json)
