"""What stands in the side bar, in one table: the sections of a workspace, of one's own account, of the operator.

Whether a person sees a section is what its page declares (`webui.access`); no right is named here.
"""

from dataclasses import dataclass
from typing import Any

from flask import current_app, request, url_for
from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

from smailor.accounts.members import Membership
from webui import access


@dataclass(frozen=True, slots=True)
class Section:
    """A page that the side bar leads to, and all that lies below its address.

    Attributes:
        endpoint: the page's.
        label: what it is called.
        icon: a name in the sprite.
    """

    endpoint: str
    label: LazyString
    icon: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A section as the side bar shows it."""

    url: str
    label: LazyString
    icon: str
    current: bool


WORKSPACE = (
    Section("domains.index", _l("Domains"), "domain"),
    Section("inboxes.index", _l("Inboxes and aliases"), "inbox"),
    Section("sending.index", _l("Sending"), "sent"),
)
"""What a workspace works with."""
ADMINISTRATION: tuple[Section, ...] = (
    Section("workspace.members", _l("Members"), "people"),
    Section("workspace.show", _l("Workspace"), "settings"),
    Section("audit.index", _l("Audit trail"), "history"),
    Section("api_keys.index", _l("API keys"), "api"),
)
"""Who works in a workspace, and how it is kept."""
ACCOUNT: tuple[Section, ...] = (
    Section("account.index", _l("Profile"), "account"),
    Section("security.index", _l("Security"), "shield"),
    Section("account.sessions", _l("Where you are logged in"), "device"),
)
"""A person's own pages."""
OPERATOR = (
    Section("admin.index", _l("Workspaces"), "workspace"),
    Section("admin.people", _l("People"), "people"),
    Section("sending.search", _l("Sending"), "gauge"),
    Section("admin.queue", _l("Queue"), "queue"),
    Section("admin.health", _l("Health"), "activity"),
    Section("admin.audit", _l("Audit trail"), "history"),
)
"""The operator console."""


def workspace_entries(membership: Membership, *, administration: bool = False) -> list[Entry]:
    """Return the sections of a workspace that this member may open.

    Args:
        membership: the member's.
        administration: the second group of sections, not the first.
    """
    chosen = ADMINISTRATION if administration else WORKSPACE
    return _entries([one for one in chosen if _opens(membership, one)], slug=membership.workspace.slug)


def workspace_url(membership: Membership) -> str:
    """Return the address of the first page of a workspace that this member may open, empty for none."""
    for one in (*WORKSPACE, *ADMINISTRATION):
        if _opens(membership, one):
            return url_for(one.endpoint, slug=membership.workspace.slug)
    return ""


def account_entries() -> list[Entry]:
    """Return the sections of one's own account."""
    return _entries(ACCOUNT)


def operator_entries() -> list[Entry]:
    """Return the sections of the operator console."""
    return _entries(OPERATOR)


def _opens(membership: Membership, section: Section) -> bool:
    declaration = access.declared(current_app.view_functions[section.endpoint])
    if declaration is None or declaration.permission is None:
        return False
    if declaration.some_domain:
        return membership.may_somewhere(declaration.permission)
    return membership.may(declaration.permission)


def _entries(sections: list[Section] | tuple[Section, ...], **values: Any) -> list[Entry]:
    """The current one is that with the longest address above the page's."""
    urls = [url_for(one.endpoint, **values) for one in sections]
    above = [url for url in urls if request.path == url or request.path.startswith(url.rstrip("/") + "/")]
    here = max(above, key=len, default=None)
    return [Entry(url, one.label, one.icon, url == here) for url, one in zip(urls, sections, strict=True)]
