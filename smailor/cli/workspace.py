"""`smailor workspace …`: tenants and their members, as the operator sees to them."""

import click

from smailor import clock
from smailor.accounts import deletion, member_changes, members, workspaces
from smailor.accounts.authority import By
from smailor.accounts.desk import letterhead
from smailor.accounts.permissions import DOMAIN_GRANTS, GRANTS, Role
from smailor.accounts.posting import Post
from smailor.cli.acting import actor, optional_reason_option
from smailor.cli.context import Context
from smailor.cli.output import json_option, show
from smailor.domains import service as domains
from smailor.errors import InvalidInput
from smailor.mailboxes import departures
from smailor.mailboxes.dovecot import end_connections


def _post(context: Context) -> Post:
    return Post(letterhead(context.settings), context.sealer)


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
@click.option("--name", help="What people call it.")
@click.option(
    "--sender-privacy",
    type=click.Choice(["on", "off"]),
    help="Whether what its people send hides the address and host it was sent from.",
)
@json_option
@click.pass_obj
def workspace_set(context: Context, slug: str, name: str | None, sender_privacy: str | None, as_json: bool) -> None:
    """Change a workspace's settings; they are in force within two seconds."""
    if name is None and sender_privacy is None:
        raise InvalidInput("settings", "say what to change: --name, --sender-privacy")
    database, now = context.database, clock.now()
    if name is not None:
        workspaces.rename(database, workspace=slug, name=name, actor=actor(), now=now)
    if sender_privacy is not None:
        workspaces.set_sender_privacy(database, workspace=slug, on=sender_privacy == "on", actor=actor(), now=now)
    show(workspaces.workspace(database, slug=slug), as_json=as_json)


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
    rows = [
        {"email": one.user.email, "name": one.user.name, "role": one.role, "domains": list(one.domains)}
        for one in found
    ]
    show(rows, as_json=as_json)


@workspace.command("remove-member")
@click.argument("slug")
@click.argument("email")
@json_option
@click.pass_obj
def workspace_remove_member(context: Context, slug: str, email: str, as_json: bool) -> None:
    """Take a person out of a workspace and its inboxes; the last owner stays."""
    found = members.member_by_email(context.database, workspace=slug, email=email)
    gone = departures.remove(
        context.database,
        workspace=slug,
        member_id=found.id,
        by=By(actor()),
        post=_post(context),
        now=clock.now(),
    )
    for address in gone.closed:
        end_connections(context.settings.dovecot, login=address)
    show({"email": found.user.email, "closed": list(gone.closed), "shared": list(gone.shared)}, as_json=as_json)


@workspace.command("domain-admin")
@click.argument("slug")
@click.argument("email")
@click.option("--domain", "names", multiple=True, help="A domain of the workspace; may be given again.")
@json_option
@click.pass_obj
def workspace_domain_admin(context: Context, slug: str, email: str, names: tuple[str, ...], as_json: bool) -> None:
    """Say which domains a member administers, whatever their role; these and no others."""
    for name in names:
        domains.get_domain(context.database, workspace=slug, name=name)
    found = members.member_by_email(context.database, workspace=slug, email=email)
    changed = member_changes.change(
        context.database,
        workspace=slug,
        member_id=found.id,
        role=found.role,
        domains=names,
        by=By(actor()),
        post=_post(context),
        now=clock.now(),
    )
    show({"email": email, "role": changed.role, "domains": list(changed.domains)}, as_json=as_json)


@workspace.command("delete")
@click.argument("slug")
@json_option
@click.pass_obj
def workspace_delete(context: Context, slug: str, as_json: bool) -> None:
    """Begin a workspace's grace period of 30 days; its owners get a letter and can withdraw it."""
    link = f"{context.settings.web.public_url.rstrip('/')}/w/{slug}/"
    view = deletion.ask(
        context.database, workspace=slug, by=By(actor()), post=_post(context), link=link, now=clock.now()
    )
    show(view, as_json=as_json)


@workspace.command("keep")
@click.argument("slug")
@json_option
@click.pass_obj
def workspace_keep(context: Context, slug: str, as_json: bool) -> None:
    """Withdraw a workspace's deletion."""
    view = deletion.withdraw(context.database, workspace=slug, by=By(actor()), post=_post(context), now=clock.now())
    show(view, as_json=as_json)


@workspace.command("roles")
@json_option
def workspace_roles(as_json: bool) -> None:
    """List what each role may do."""
    rows = [{"role": role.value, "permissions": sorted(GRANTS[role])} for role in Role]
    rows.append({"role": "administrator of a domain", "permissions": sorted(DOMAIN_GRANTS)})
    show(rows, as_json=as_json)
