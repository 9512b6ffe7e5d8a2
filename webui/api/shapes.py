"""What goes into the API and what comes out of it. Pydantic models; every value is bounded, nothing unknown taken."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from smailor.accounts.audit_search import MAX_PAGE
from smailor.accounts.permissions import Role


def _printable(text: str) -> str:
    if text and not text.isprintable():
        raise ValueError("has characters that cannot be shown")
    return text


Text = Annotated[str, StringConstraints(max_length=320, strip_whitespace=True), AfterValidator(_printable)]
Domain = Annotated[str, StringConstraints(min_length=1, max_length=253), AfterValidator(_printable)]
Limit = Annotated[int, Field(ge=1, le=MAX_PAGE, description="How many at most.")]


class Incoming(BaseModel):
    """Something that is sent: unknown members are refused, so that a misspelt one is not a silent default."""

    model_config = ConfigDict(extra="forbid")


class Outgoing(BaseModel):
    """Something that comes back."""

    model_config = ConfigDict(frozen=True)


class Workspace(Outgoing):
    """A workspace."""

    slug: str
    name: str
    plan: str
    created_at: datetime
    delete_after: datetime | None = Field(description="When it goes, because an owner asked for it.")


class WorkspaceList(Outgoing):
    """The workspaces that the key opens: its own."""

    items: list[Workspace]


class Member(Outgoing):
    """A member of a workspace."""

    id: int
    email: str
    name: str
    role: Role
    domains: list[str] = Field(description="Domains that they administer, whatever their role.")
    created_at: datetime


class MemberList(Outgoing):
    """Some members, by address."""

    items: list[Member]
    next: str | None = Field(description="Give it as `after` for the page that follows; null: there is none.")


class MemberQuery(Incoming):
    """Which members."""

    search: Text = Field(default="", description="A part of the address or the name.")
    after: Text = Field(default="", description="`next` of the page before.")
    limit: Limit = 50


class MemberChange(Incoming):
    """What is to be changed about a member; what is left out stays."""

    role: Role | None = None
    domains: list[Domain] | None = Field(default=None, max_length=100)


class Invitation(Outgoing):
    """An invitation that is open, or has run out lately."""

    id: int
    email: str
    role: Role
    domains: list[str]
    invited_by: str
    created_at: datetime
    expires_at: datetime


class InvitationList(Outgoing):
    """The open invitations, newest first; at most 200."""

    items: list[Invitation]


class NewInvitation(Incoming):
    """Whom to invite, and as what."""

    email: Annotated[str, StringConstraints(min_length=3, max_length=320), AfterValidator(_printable)]
    role: Role = Role.MEMBER
    domains: list[Domain] = Field(default_factory=list, max_length=100)


class AuditEntry(Outgoing):
    """An entry of the audit trail."""

    sequence: int
    at: datetime
    actor: str
    source: str
    action: str
    object: str
    reason: str
    outcome: str
    details: dict[str, Any]


class AuditPage(Outgoing):
    """Some entries, newest first."""

    items: list[AuditEntry]
    next: str | None = Field(description="Give it as `cursor` for the page that follows; null: there is none.")


class AuditQuery(Incoming):
    """Which entries."""

    actor: Text = ""
    action: Text = ""
    object: Annotated[str, StringConstraints(max_length=400), AfterValidator(_printable)] = ""
    since: datetime | None = Field(default=None, description="From this moment on.")
    until: datetime | None = Field(default=None, description="Before this moment.")
    cursor: Text = Field(default="", description="`next` of the page before.")
    limit: Limit = 50


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    code: str = Field(description="What is the matter, for programs.")
    detail: str
    errors: list[dict[str, str]] | None = Field(default=None, description="What is wrong with single values.")
