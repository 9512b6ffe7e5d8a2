"""What each role may do in a workspace: one table, and the questions to it. Pure.

A role is a set of permissions. A member may beside it be the administrator of single domains: within these they may do
what `DOMAIN_GRANTS` names, whatever their role. Nobody can give, change or take a role that may more than their own.
"""

from collections.abc import Collection
from enum import StrEnum


class Role(StrEnum):
    """A member's role, from the most to the least trusted."""

    OWNER = "owner"
    ADMIN = "admin"
    BILLING = "billing"
    MEMBER = "member"
    READ_ONLY = "read-only"


class Permission(StrEnum):
    """Something that a route or command does in a workspace."""

    VIEW_WORKSPACE = "view-workspace"
    LEAVE_WORKSPACE = "leave-workspace"
    MANAGE_WORKSPACE = "manage-workspace"
    DELETE_WORKSPACE = "delete-workspace"
    TRANSFER_OWNERSHIP = "transfer-ownership"
    VIEW_MEMBERS = "view-members"
    MANAGE_MEMBERS = "manage-members"
    VIEW_DOMAINS = "view-domains"
    MANAGE_DOMAINS = "manage-domains"
    VIEW_INBOXES = "view-inboxes"
    MANAGE_INBOXES = "manage-inboxes"
    VIEW_SENDING = "view-sending"
    MANAGE_SENDING = "manage-sending"
    VIEW_BILLING = "view-billing"
    MANAGE_BILLING = "manage-billing"
    VIEW_AUDIT = "view-audit"
    EXPORT_AUDIT = "export-audit"
    MANAGE_API_KEYS = "manage-api-keys"


_ALL = frozenset(Permission)
_EVERYBODY = frozenset({Permission.VIEW_WORKSPACE, Permission.LEAVE_WORKSPACE})
_OWNERS_ALONE = frozenset({Permission.DELETE_WORKSPACE, Permission.TRANSFER_OWNERSHIP, Permission.EXPORT_AUDIT})

GRANTS: dict[Role, frozenset[Permission]] = {
    Role.OWNER: _ALL,
    Role.ADMIN: _ALL - _OWNERS_ALONE,
    Role.BILLING: _EVERYBODY | {Permission.VIEW_BILLING, Permission.MANAGE_BILLING},
    Role.MEMBER: _EVERYBODY,
    Role.READ_ONLY: _EVERYBODY
    | {Permission.VIEW_MEMBERS, Permission.VIEW_DOMAINS, Permission.VIEW_INBOXES, Permission.VIEW_SENDING},
}
"""What a role may do in all of the workspace."""

DOMAIN_GRANTS: frozenset[Permission] = frozenset(
    {
        Permission.VIEW_DOMAINS,
        Permission.MANAGE_DOMAINS,
        Permission.VIEW_INBOXES,
        Permission.MANAGE_INBOXES,
        Permission.VIEW_SENDING,
        Permission.MANAGE_SENDING,
    }
)
"""What the administrator of a domain may do to it, its inboxes, aliases and sending, and to nothing else."""


def allowed(role: Role, permission: Permission, *, domain: str | None = None, domains: Collection[str] = ()) -> bool:
    """Tell whether a member may do this.

    Args:
        role: theirs.
        permission: what is to be done.
        domain: the domain that it is done to or in, None: to the workspace.
        domains: the domains that they administer.
    """
    return permission in GRANTS[role] or (domain is not None and domain in domains and permission in DOMAIN_GRANTS)


def allowed_somewhere(role: Role, permission: Permission, *, domains: Collection[str] = ()) -> bool:
    """Tell whether a member may do this in all of the workspace or in a domain of it at least."""
    return permission in GRANTS[role] or (bool(domains) and permission in DOMAIN_GRANTS)


def may_give(own: Role, role: Role) -> bool:
    """Tell whether who has the role `own` and manages members may give, change or take the role `role`."""
    return GRANTS[role] <= GRANTS[own]


def roles_to_give(own: Role) -> tuple[Role, ...]:
    """Return the roles that who has the role `own` may give, from the most to the least trusted."""
    return tuple(role for role in Role if may_give(own, role))
