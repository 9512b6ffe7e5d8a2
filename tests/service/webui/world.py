"""Two workspaces with one of everything in each, every kind of visitor, and what each route's arguments are there."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field

from sqlalchemy import inspect, select, text

from smailor.accounts import api_keys, app_passwords, invitations, member_changes, sessions, workspaces
from smailor.accounts.access_models import ApiKey
from smailor.accounts.api_keys import SCOPES
from smailor.accounts.audit import Actor
from smailor.accounts.authority import By
from smailor.accounts.letters import Letterhead
from smailor.accounts.models import ExternalIdentity, Passkey, User
from smailor.accounts.permissions import Permission, Role
from smailor.accounts.posting import Post

SECRET = "Canary"
"""Stands in the names of people, inboxes and workspaces: a page that shows it to a stranger tells on itself."""
UNTOLD = (
    "web_sessions",
    "audit_entries",
    "audit_head",
    "login_attempts",
    "pending_logins",
    "api_uses",
    "alembic_version",
)
"""Tables that a refused request may write to."""


@dataclass
class Objects:
    """One workspace's objects, as routes name them."""

    slug: str
    domain: str
    second: str
    address: str
    member_id: int
    invitation_id: int
    token: str
    password: int
    passkey: int
    identity: int
    user: int
    session: int
    api_key: int
    secret: str


@dataclass
class Visitor:
    """Somebody who asks for pages.

    Attributes:
        name: the role, or what they are else.
        cookie: of their session; empty: not logged in.
        key: an API key that their program shows; empty: none.
        scopes: what the key is good for.
        workspace: the one that they belong to.
    """

    name: str
    cookie: str = ""
    workspace: str = ""
    role: Role | None = None
    domains: tuple[str, ...] = ()
    operator: bool = False
    reads: tuple[str, ...] = field(default=())
    key: str = ""
    scopes: tuple[Permission, ...] = ()


class World:
    """Fills a database; everything is found by the name of a workspace or of a visitor."""

    def __init__(self, house, post):
        self.house, self.post = house, post
        self.objects: dict[str, Objects] = {}
        self.visitors: dict[str, Visitor] = {}
        for slug in ("acme", "other"):
            self._furnish(slug)
        self._people()
        with house.database.transaction() as session:
            session.execute(text("DELETE FROM notices"))  # the letters that all this wrote

    def _furnish(self, slug):
        house, now = self.house, self.house.now
        name = f"{SECRET}{slug}"
        workspaces.create_workspace(house.database, slug=slug, name=name, now=now)
        for domain in (f"{slug}.test", f"second-{slug}.test"):
            house.claim(slug, domain)
            house.verify(slug, domain)
        owner = self._person(f"owner@{slug}.test", name)
        member_changes.add_member(house.database, workspace=slug, email=owner.email, role="owner", now=now)
        plain = self._person(f"plain@{slug}.test", name)
        other = member_changes.add_member(house.database, workspace=slug, email=plain.email, role="member", now=now)
        address = f"owner@{slug}.test"
        house.inbox(slug, address, reader=owner.email)
        house.inbox(slug, f"{SECRET.lower()}{slug}@second-{slug}.test")
        password = app_passwords.create_app_password(
            house.database, login=address, label=name, expires_at=None, now=now
        )
        by = By(Actor(owner.email, ""), owner.id)
        made = invitations.invite(
            house.database,
            workspace=slug,
            email=f"{SECRET.lower()}{slug}@guest.test",
            role=Role.MEMBER,
            by=by,
            post=self.post,
            now=now,
        )
        with house.database.transaction() as session:
            key = Passkey(
                user_id=owner.id,
                credential_id=slug.encode(),
                public_key=b"",
                sign_count=0,
                transports=[],
                label=name,
                backed_up=False,
                created_at=now,
            )
            identity = ExternalIdentity(
                user_id=owner.id, provider="x", issuer="x", subject=slug, email=owner.email, created_at=now
            )
            session.add_all([key, identity])
            session.flush()
            keys = (key.id, identity.id)
        sessions.start(house.database, user_id=owner.id, method="password", now=now)
        self.objects[slug] = Objects(
            slug=slug,
            domain=f"{slug}.test",
            second=f"second-{slug}.test",
            address=address,
            member_id=other.id,
            invitation_id=made.id,
            token="unknown-token",
            password=password.view.id,
            passkey=keys[0],
            identity=keys[1],
            user=owner.id,
            session=sessions.list_sessions(house.database, user_id=owner.id, now=now)[0].id,
            api_key=self._key(slug, owner.id, f"smk_{slug}-own"),
            secret=name,
        )

    def _people(self):
        for role in Role:
            self._visitor(role.value, role=role, reads=("owner@acme.test",) if role is Role.OWNER else ())
        self._visitor("domain-admin", role=Role.MEMBER, domains=("acme.test",))
        self._visitor("outsider", slug="other", role=Role.OWNER, reads=("owner@other.test",))
        self._visitor("nobody", slug="")
        self._visitor("operator", slug="", operator=True)
        self.visitors["anonymous"] = Visitor("anonymous")

    def _visitor(self, name, slug="acme", role=None, **given):
        house, now = self.house, self.house.now
        email = f"owner@{slug}.test" if role is Role.OWNER else f"{name}@people.test"
        user = self._person(email, "Visitor") if role is not Role.OWNER else None
        if role is not None and role is not Role.OWNER:
            made = member_changes.add_member(house.database, workspace=slug, email=email, role=role, now=now)
            if given.get("domains"):
                operator = By(Actor("operator", ""))
                member_changes.change(
                    house.database,
                    workspace=slug,
                    member_id=made.id,
                    role=role,
                    domains=given["domains"],
                    by=operator,
                    post=self.post,
                    now=now,
                )
        with house.database.transaction() as session:
            row = session.scalars(select(User).where(User.email == email)).one()
            row.operator = given.get("operator", False)
            user_id = row.id
        del user
        token = sessions.start(house.database, user_id=user_id, method="password+totp", now=now)
        self.visitors[name] = Visitor(name, token, slug, role, **given)
        if role is not None:
            for scopes, what in ((SCOPES, "key"), ((Permission.VIEW_WORKSPACE,), "narrow key")):
                secret = f"smk_{name}-{what}"
                self._key(slug, user_id, secret, scopes)
                self.visitors[f"{what} of {name}"] = Visitor(
                    f"{what} of {name}", "", slug, role, key=secret, scopes=scopes
                )

    def _key(self, slug, user_id, secret, scopes=SCOPES):
        """A key of somebody who may perhaps not make one: what it opens is decided when it is shown."""
        with self.house.database.transaction() as session:
            row = ApiKey(
                workspace_id=workspaces.workspace_in(session, slug).id,
                user_id=user_id,
                label=f"{SECRET}{slug}",
                hint="smk_",
                token_sha256=api_keys.digest(secret),
                scopes=list(scopes),
                created_at=self.house.now,
                expires_at=None,
                last_used_at=self.house.now,
                last_source="",
            )
            session.add(row)
            session.flush()
            return row.id

    def _person(self, email, name):
        user = self.house.person(email)
        with self.house.database.transaction() as session:
            session.get_one(User, user.id).name = name
        return user

    def dump(self):
        """All rows of all tables that a refused request must not touch."""
        if self.house.database.dialect == "sqlite":
            return self._dump_sqlite()
        with self.house.database.reading() as session:
            tables = [name for name in inspect(session.connection()).get_table_names() if name not in UNTOLD]
            query = "SELECT * FROM {}"
            return {name: sorted(map(str, session.execute(text(query.format(name))))) for name in tables}

    def _dump_sqlite(self):
        with closing(sqlite3.connect(self.house.database.url.removeprefix("sqlite:///"))) as live:
            known = live.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            query = "SELECT * FROM {}"
            return {name: sorted(map(str, live.execute(query.format(name)))) for (name,) in known if name not in UNTOLD}


def post_of(sealer) -> Post:
    """What writes letters in a test's world."""
    return Post(Letterhead("Smailor", "post@smailor.test", "help@smailor.test", "https://smailor.test"), sealer)
