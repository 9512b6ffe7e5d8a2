"""`smailor api-key …`: the keys of a workspace. They are made on its page, by a member who answers for them."""

import click

from smailor import clock
from smailor.accounts import api_keys
from smailor.accounts.authority import By
from smailor.cli.acting import actor
from smailor.cli.context import Context
from smailor.cli.domain import workspace_option
from smailor.cli.output import json_option, show


@click.group("api-key")
def api_key() -> None:
    """Keys with which programs call the API."""


@api_key.command("list")
@workspace_option
@json_option
@click.pass_obj
def api_key_list(context: Context, workspace: str, as_json: bool) -> None:
    """List a workspace's keys, without their secrets."""
    rows = [
        {
            "id": key.id,
            "label": key.label,
            "hint": key.hint,
            "scopes": list(key.scopes),
            "created_by": key.created_by.email,
            "expires_at": key.expires_at,
            "last_used_at": key.last_used_at,
            "revoked_at": key.revoked_at,
        }
        for key in api_keys.list_keys(context.database, workspace=workspace)
    ]
    show(rows, as_json=as_json)


@api_key.command("revoke")
@click.argument("key_id", type=int)
@workspace_option
@json_option
@click.pass_obj
def api_key_revoke(context: Context, key_id: int, workspace: str, as_json: bool) -> None:
    """Revoke a key: it opens nothing from now on."""
    key = api_keys.revoke(context.database, workspace=workspace, key_id=key_id, by=By(actor()), now=clock.now())
    show({"id": key.id, "label": key.label, "revoked": True}, as_json=as_json)
