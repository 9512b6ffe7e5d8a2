"""The operations of version 1: the workspace, its members, invitations and audit trail."""

from datetime import UTC, datetime
from typing import cast

from flask import url_for

from smailor.accounts import audit_search, invitations, member_changes, members
from smailor.accounts.audit_search import Cursor, Filter
from smailor.accounts.desk import letterhead
from smailor.accounts.invitations import InvitationView
from smailor.accounts.members import MemberView
from smailor.accounts.permissions import Permission
from smailor.accounts.posting import Post
from smailor.accounts.workspaces import WorkspaceView
from smailor.domains import service as domains
from smailor.errors import InvalidInput
from smailor.mailboxes import departures
from smailor.mailboxes.dovecot import end_connections
from webui.api import shapes
from webui.api.access import by, caller
from webui.api.operations import Call, operation
from webui.context import context

WORKSPACE = "/workspaces/<slug>"
MEMBERS = f"{WORKSPACE}/members"
INVITATIONS = f"{WORKSPACE}/invitations"


@operation("GET", "/workspaces", Permission.VIEW_WORKSPACE, answer=shapes.WorkspaceList)
def list_workspaces(call: Call) -> shapes.WorkspaceList:
    """List the workspaces that the key opens."""
    del call
    return shapes.WorkspaceList(items=[_workspace(caller().key.workspace)])


@operation("GET", WORKSPACE, Permission.VIEW_WORKSPACE, answer=shapes.Workspace)
def get_workspace(call: Call) -> shapes.Workspace:
    """Show a workspace."""
    del call
    return _workspace(caller().key.workspace)


@operation("GET", MEMBERS, Permission.VIEW_MEMBERS, query=shapes.MemberQuery, answer=shapes.MemberList)
def list_members(call: Call) -> shapes.MemberList:
    """List members, by address."""
    query = cast("shapes.MemberQuery", call.query)
    found = members.page_members(
        context().database, workspace=_slug(), search=query.search, after=query.after, limit=query.limit + 1
    )
    shown = found[: query.limit]
    more = shown[-1].user.email if len(found) > query.limit else None
    return shapes.MemberList(items=[_member(member) for member in shown], next=more)


@operation("GET", f"{MEMBERS}/<int:member_id>", Permission.VIEW_MEMBERS, answer=shapes.Member)
def get_member(call: Call) -> shapes.Member:
    """Show a member."""
    return _member(members.member(context().database, workspace=_slug(), member_id=_number(call, "member_id")))


@operation(
    "PATCH", f"{MEMBERS}/<int:member_id>", Permission.MANAGE_MEMBERS, body=shapes.MemberChange, answer=shapes.Member
)
def change_member(call: Call) -> shapes.Member:
    """Give a member another role or other domains to administer."""
    wanted = cast("shapes.MemberChange", call.body)
    now = members.member(context().database, workspace=_slug(), member_id=_number(call, "member_id"))
    changed = member_changes.change(
        context().database,
        workspace=_slug(),
        member_id=now.id,
        role=wanted.role or now.role,
        domains=now.domains if wanted.domains is None else _own_domains(wanted.domains),
        by=by(),
        post=_post(),
        now=context().clock(),
    )
    return _member(changed)


@operation("DELETE", f"{MEMBERS}/<int:member_id>", Permission.MANAGE_MEMBERS)
def remove_member(call: Call) -> None:
    """Take a member out of the workspace and its inboxes."""
    gone = departures.remove(
        context().database,
        workspace=_slug(),
        member_id=_number(call, "member_id"),
        by=by(),
        post=_post(),
        now=context().clock(),
    )
    for address in gone.closed:
        end_connections(context().settings.dovecot, login=address)


@operation("GET", INVITATIONS, Permission.MANAGE_MEMBERS, answer=shapes.InvitationList)
def list_invitations(call: Call) -> shapes.InvitationList:
    """List open invitations, newest first."""
    del call
    found = invitations.list_open(context().database, workspace=_slug(), now=context().clock())
    return shapes.InvitationList(items=[_invitation(entry) for entry in found])


@operation(
    "POST", INVITATIONS, Permission.MANAGE_MEMBERS, body=shapes.NewInvitation, answer=shapes.Invitation, status=201
)
def create_invitation(call: Call) -> shapes.Invitation:
    """Invite somebody by a letter."""
    wanted = cast("shapes.NewInvitation", call.body)
    made = invitations.invite(
        context().database,
        workspace=_slug(),
        email=wanted.email,
        role=wanted.role,
        domains=_own_domains(wanted.domains),
        by=by(),
        post=_post(),
        now=context().clock(),
    )
    call.headers["Location"] = url_for("api.withdraw_invitation", slug=_slug(), invitation_id=made.id)
    return _invitation(made)


@operation("DELETE", f"{INVITATIONS}/<int:invitation_id>", Permission.MANAGE_MEMBERS)
def withdraw_invitation(call: Call) -> None:
    """Take an invitation back."""
    number, now = _number(call, "invitation_id"), context().clock()
    invitations.withdraw(context().database, workspace=_slug(), invitation_id=number, by=by(), now=now)


@operation("GET", f"{WORKSPACE}/audit", Permission.VIEW_AUDIT, query=shapes.AuditQuery, answer=shapes.AuditPage)
def list_audit(call: Call) -> shapes.AuditPage:
    """List the audit trail, newest first."""
    query = cast("shapes.AuditQuery", call.query)
    wanted = Filter(
        workspace=_slug(),
        actor=query.actor,
        action=query.action,
        object=query.object,
        since=_utc("since", query.since),
        until=_utc("until", query.until),
    )
    after = Cursor.parse(query.cursor) if query.cursor else None
    page = audit_search.search(context().database, wanted, after=after, limit=query.limit)
    names = shapes.AuditEntry.model_fields
    items = [shapes.AuditEntry(**{name: getattr(entry, name) for name in names}) for entry in page.entries]
    return shapes.AuditPage(items=items, next=str(page.next) if page.next else None)


def _slug() -> str:
    return caller().key.workspace.slug


def _number(call: Call, name: str) -> int:
    """A row's number from the path; what no database can count to is no row's."""
    number: int = call.values[name]
    return min(number, 2**63 - 1)


def _post() -> Post:
    return Post(letterhead(context().settings), context().sealer)


def _own_domains(names: list[str]) -> list[str]:
    owned = {domain.name for domain in domains.list_domains(context().database, workspace=_slug())} if names else set()
    for name in names:
        if name.lower() not in owned:
            raise InvalidInput("domains", f"the workspace has no domain {name}")
    return [name.lower() for name in names]


def _utc(name: str, moment: datetime | None) -> datetime | None:
    """A moment without a zone is one in UTC."""
    try:
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC) if moment else None
    except OverflowError as error:
        raise InvalidInput(name, "lies too far away") from error


def _workspace(view: WorkspaceView) -> shapes.Workspace:
    return shapes.Workspace(
        slug=view.slug, name=view.name, plan=view.plan, created_at=view.created_at, delete_after=view.delete_after
    )


def _member(view: MemberView) -> shapes.Member:
    return shapes.Member(
        id=view.id,
        email=view.user.email,
        name=view.user.name,
        role=view.role,
        domains=list(view.domains),
        created_at=view.created_at,
    )


def _invitation(view: InvitationView) -> shapes.Invitation:
    return shapes.Invitation(
        id=view.id,
        email=view.email,
        role=view.role,
        domains=list(view.domains),
        invited_by=view.invited_by,
        created_at=view.created_at,
        expires_at=view.expires_at,
    )
