"""`smailor database …`."""

import click

from smailor.cli.context import Context
from smailor.cli.output import json_option, show
from smailor.database import revision, schema


@click.group()
def database() -> None:
    """The database's schema."""


@database.command("upgrade")
@json_option
@click.pass_obj
def database_upgrade(context: Context, as_json: bool) -> None:
    """Bring the database to the schema of this version."""
    before = revision.current(context.bare_database)
    schema.upgrade(context.bare_database)
    show({"before": before, "now": revision.current(context.bare_database)}, as_json=as_json)
