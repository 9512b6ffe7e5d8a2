"""`smailor database …`."""

import click

from smailor.cli.context import Context
from smailor.cli.output import json_option, show
from smailor.database import revision, schema, views


@click.group()
def database() -> None:
    """The database's schema, and who may read its views."""


@database.command("upgrade")
@json_option
@click.pass_obj
def database_upgrade(context: Context, as_json: bool) -> None:
    """Bring the database to the schema of this version."""
    before = revision.current(context.bare_database)
    schema.upgrade(context.bare_database)
    show({"before": before, "now": revision.current(context.bare_database)}, as_json=as_json)


@database.command("grant")
@click.argument("role")
@json_option
@click.pass_obj
def database_grant(context: Context, role: str, as_json: bool) -> None:
    """Let a PostgreSQL role, that of Postfix and Dovecot, read the views."""
    show({"granted": views.grant_reading(context.database, role)}, as_json=as_json)
