"""What each role may do in a workspace: a table, and one question to it. Pure."""

from enum import StrEnum


class Role(StrEnum):
    """A member's role, from the most to the least trusted."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    READ_ONLY = "read-only"


class Permission(StrEnum):
    """Something that a route or command does in a workspace."""

    VIEW_WORKSPACE = "view-workspace"
    VIEW_DOMAINS = "view-domains"
    MANAGE_DOMAINS = "manage-domains"
    VIEW_INBOXES = "view-inboxes"
    MANAGE_INBOXES = "manage-inboxes"
    VIEW_SENDING = "view-sending"
    MANAGE_SENDING = "manage-sending"


_VIEW = frozenset(
    {Permission.VIEW_WORKSPACE, Permission.VIEW_DOMAINS, Permission.VIEW_INBOXES, Permission.VIEW_SENDING}
)

GRANTS: dict[Role, frozenset[Permission]] = {
    Role.OWNER: frozenset(Permission),
    Role.ADMIN: frozenset(Permission),
    Role.MEMBER: frozenset({Permission.VIEW_WORKSPACE}),
    Role.READ_ONLY: _VIEW,
}


def allowed(role: Role, permission: Permission) -> bool:
    """Tell whether a member with this role may do this."""
    return permission in GRANTS[role]
