"""`smailor user …`."""

import sys

import click

from smailor import clock
from smailor.accounts import passwords, service
from smailor.cli.acting import actor
from smailor.cli.context import Context
from smailor.cli.output import json_option, show

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
        context.database, email=email, name=name, password=password, operator=operator, actor=actor(), now=clock.now()
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
    service.set_password(context.database, email=email, password=password, actor=actor(), now=clock.now())
    show({"email": email, **shown}, as_json=as_json)


@user.command("list")
@json_option
@click.pass_obj
def user_list(context: Context, as_json: bool) -> None:
    """List all people."""
    show(service.list_users(context.database), as_json=as_json)
