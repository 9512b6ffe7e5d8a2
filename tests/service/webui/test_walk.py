"""The walk: every route of the application, for every kind of visitor, with the objects of two workspaces.

What has to come of it follows from the route's one declaration (webui/access.py) and the table of permissions; a route
is in the walk because it is in the URL map. A route that declares nothing, or has an argument that `VALUES` does not
know, fails the walk. Refused requests change nothing; nobody's page shows a stranger what is marked as another's.
"""

import sqlite3
from contextlib import closing
from dataclasses import dataclass

import pytest
from flask import Flask
from werkzeug.routing import Rule

from smailor.accounts.permissions import Permission, allowed, allowed_somewhere
from tests.service.webui.world import SECRET, UNTOLD, Objects, Visitor, World, post_of
from webui import access, create_app
from webui.access import signed_in

VALUES = {
    "slug": lambda own, used: own.slug,
    "name": lambda own, used: used.domain,
    "address": lambda own, used: used.address,
    "member_id": lambda own, used: used.member_id,
    "invitation_id": lambda own, used: used.invitation_id,
    "token": lambda own, used: used.token,
    "number": lambda own, used: used.password,
    "folder": lambda own, used: "INBOX",
    "uid": lambda own, used: 1,
    "index": lambda own, used: 0,
    "version": lambda own, used: "x",
    "kind": lambda own, used: "csv",
}
"""What a route's argument is: `own` is the workspace in the URL, `used` that whose object stands behind it."""

ENDPOINT_VALUES = {
    ("assets.static", "name"): lambda own, used: "app.css",
    ("api_keys.revoke", "number"): lambda own, used: used.api_key,
    ("admin.person", "number"): lambda own, used: used.user,
    ("admin.open_person", "number"): lambda own, used: used.user,
    ("admin.suspend", "number"): lambda own, used: used.user,
    ("admin.send_reset", "number"): lambda own, used: used.user,
    ("admin.lift", "number"): lambda own, used: used.user,
    ("admin.act", "number"): lambda own, used: used.user,
    ("account.revoke_session", "number"): lambda own, used: used.session,
    **{
        (f"admin.{view}", "number"): lambda own, used: used.user
        for view in ("person", "open_person", "act", "lift", "suspend")
    },
    ("security.unlink", "number"): lambda own, used: used.identity,
    ("security.remove_passkey", "number"): lambda own, used: used.passkey,
    ("security.rename_passkey", "number"): lambda own, used: used.passkey,
}

FORMS = {
    "inboxes.create": lambda domain: {"domain": domain, "local_part": "new", "name": "New"},
    "inboxes.create_alias": lambda domain: {"domain": domain, "source": "new", "target": "x@elsewhere.test"},
    "inboxes.delete_alias": lambda domain: {"source": f"new@{domain}", "target": "x@elsewhere.test"},
}
"""What is sent to a route that says `some_domain` and changes something: the form names the domain."""

REFUSED = {302, 401, 403, 404, 429}
GUARDED = {access.MEMBERS, access.API}


@dataclass
class Step:
    """One request of the walk and what must come of it.

    Attributes:
        expected: 302 (to log-in), 403, 404, or 0: whatever is no refusal.
        guarded: whether not everybody may ask; a public page has refusals of its own.
    """

    visitor: Visitor
    endpoint: str
    method: str
    path: str
    form: dict[str, str]
    expected: int
    guarded: bool

    def __str__(self):
        return f"{self.visitor.name}: {self.method} {self.path} ({self.endpoint})"


class Walk:
    """Walks over routes and gathers what is wrong."""

    def __init__(self, app: Flask, world: World):
        self.app, self.world = app, world
        self.adapter = app.url_map.bind("localhost")
        self.problems: list[str] = []
        self.count = 0

    def steps(self, rule: Rule):
        """All requests to one route."""
        declaration = access.declared(self.app.view_functions[rule.endpoint])
        if declaration is None:
            self.problems.append(f"{rule.endpoint} declares nothing")
            return
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
            for visitor in self.world.visitors.values():
                # Of keys at pages, and of cookies at the API, one of each shows that they are worth nothing there.
                if visitor.key and declaration.kind != access.API and visitor.name != "key of owner":
                    continue
                if declaration.kind == access.API and not visitor.key and visitor.name not in {"owner", "anonymous"}:
                    continue
                yield from self._targets(rule, method, visitor, declaration)

    def _targets(self, rule, method, visitor, declaration):
        acme, other = self.world.objects["acme"], self.world.objects["other"]
        pairs = [(acme, acme), (other, other)]
        if "slug" in rule.arguments and rule.arguments - {"slug"}:
            pairs += [(own, used) for own, used in ((acme, other), (other, acme)) if visitor.workspace == own.slug]
        by_domain = "slug" in rule.arguments and rule.arguments & {"name", "address"}
        for own, used in pairs:
            for domain in (used.domain, used.second) if by_domain or rule.endpoint in FORMS else (used.domain,):
                path = self._path(rule, method, own, used, domain)
                if own is not used and path == self._path(rule, method, own, own, own.domain):
                    continue  # nothing in it stands for an object
                form = FORMS[rule.endpoint](domain) if method == "POST" and rule.endpoint in FORMS else {}
                expected = self._expected(rule, visitor, declaration, own, used, domain if by_domain or form else None)
                yield Step(
                    visitor, rule.endpoint, method, path, form, expected, guarded=declaration.kind != access.PUBLIC
                )

    def _path(self, rule: Rule, method: str, own: Objects, used: Objects, domain: str) -> str:
        values = {}
        for name in rule.arguments:
            known = ENDPOINT_VALUES.get((rule.endpoint, name)) or VALUES.get(name)
            assert known is not None, f"say in VALUES what <{name}> of {rule.rule} is"
            values[name] = known(own, used)
            if domain == used.second:
                if name == "name":
                    values[name] = domain
                elif name == "address":
                    values[name] = f"{SECRET.lower()}{used.slug}@{domain}"
        return self.adapter.build(rule.endpoint, values, method=method)

    def _expected(self, rule, visitor, declaration, own, used, domain):
        if declaration.kind == access.PUBLIC:
            return 0
        if declaration.kind == access.API:
            return self._expected_of_key(rule, visitor, declaration, own, used)
        if not visitor.cookie:
            return 302
        if declaration.kind == access.OPERATORS:
            return 0 if visitor.operator else 404
        if declaration.kind == access.SIGNED_IN:
            return 404 if "address" in rule.arguments and used.address not in visitor.reads else 0
        if visitor.workspace != own.slug:
            return 404
        right = {"domain": domain, "domains": visitor.domains}
        if declaration.some_domain and domain is None:
            may = allowed_somewhere(visitor.role, declaration.permission, domains=visitor.domains)
        else:
            may = allowed(visitor.role, declaration.permission, **right)
        if not may:
            return 403
        return 404 if own is not used and rule.arguments - {"slug"} else 0

    def _expected_of_key(self, rule, visitor, declaration, own, used):
        """No cookie opens the API; a key opens its workspace, as far as its scopes and its maker's role both go."""
        if not visitor.key:
            return 401
        if "slug" in rule.arguments and visitor.workspace != own.slug:
            return 404
        if declaration.scope not in visitor.scopes or not allowed(visitor.role, declaration.permission):
            return 403
        return 404 if own is not used and rule.arguments - {"slug"} else 0

    def go(self, step: Step) -> int:
        """Make one request; return its status."""
        self.count += 1
        headers = {"Cookie": f"smailor={step.visitor.cookie}"} if step.visitor.cookie else {}
        if step.visitor.key:
            headers["Authorization"] = f"Bearer {step.visitor.key}"
        client = self.app.test_client(use_cookies=False)
        sent = {"json": step.form} if step.path.startswith("/api/") and step.method != "GET" else {"data": step.form}
        answer = client.open(step.path, method=step.method, headers=headers, **sent)
        code, body = answer.status_code, answer.get_data(as_text=True)
        if step.expected == 302:
            if not (code == 302 and answer.location.startswith("/login")):
                self.problems.append(f"{step}: {code}, should be sent to log in")
        elif step.expected and code != step.expected:
            self.problems.append(f"{step}: {code}, should be {step.expected}")
        elif not step.expected and (code == 500 or (step.guarded and code in {401, 403} and step.method == "GET")):
            self.problems.append(f"{step}: {code}, should be let in")
        for objects in self.world.objects.values():
            at_home = step.visitor.workspace == objects.slug or step.visitor.operator
            if not at_home and objects.secret.lower() in body.lower().replace(step.path.lower(), ""):
                self.problems.append(f"{step}: shows what is {objects.slug}'s")
        return code


@pytest.fixture
def world(house, sealer):
    return World(house, post_of(sealer))


@pytest.fixture
def open_app(app):
    app.config["WTF_CSRF_ENABLED"] = False
    return app


def rules(app):
    return sorted(app.url_map.iter_rules(), key=str)


def walk_refusals(app, world, among=None):
    """Ask for everything that must be refused; return the walk, which knows what was not, or what it changed."""
    walk, before = Walk(app, world), world.dump()
    for rule in among or rules(app):
        steps = [step for step in walk.steps(rule) if step.expected]
        for step in steps:
            walk.go(step)
        if any(step.method != "GET" for step in steps):
            after = world.dump()
            changed = sorted(name for name, rows in after.items() if rows != before.get(name))
            if changed:
                walk.problems.append(f"{rule.endpoint}: refused, and yet {', '.join(changed)} changed")
                before = after
    return walk


def test_whoever_may_not_is_refused_and_changes_nothing(open_app, world):
    walk = walk_refusals(open_app, world)
    assert walk.problems == []
    assert walk.count > 1000


def test_whoever_may_is_let_in(open_app, world):
    """Pages only: what a form does is for its own tests; that it is not refused follows below on one engine."""
    walk = Walk(open_app, world)
    for rule in rules(open_app):
        for step in walk.steps(rule):
            if not step.expected and step.method == "GET":
                if not step.guarded and step.visitor.name not in {"member", "anonymous"}:
                    continue
                code = walk.go(step)
                if access.declared(open_app.view_functions[rule.endpoint]).kind in GUARDED and code in REFUSED:
                    walk.problems.append(f"{step}: {code}, should be let in")
    assert walk.problems == []


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_whoever_may_send_a_form_is_not_refused_and_reaches_their_own_workspace_only(open_app, world, database):
    """Each form is sent to the same state of things, which a copy of the database brings back."""
    walk = Walk(open_app, world)
    path = database.url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(":memory:")) as pristine, closing(sqlite3.connect(path)) as live:
        live.backup(pristine)
        foreign = _rows_of(live, "other")
        for rule in rules(open_app):
            kind = getattr(access.declared(open_app.view_functions[rule.endpoint]), "kind", None)
            for step in walk.steps(rule):
                if step.expected or step.method == "GET":
                    continue
                if not step.guarded and step.visitor.name not in {"member", "anonymous"}:
                    continue  # what everybody may send is the same for everybody
                code = walk.go(step)
                if kind in GUARDED and code in REFUSED - {302}:
                    walk.problems.append(f"{step}: {code}, should be let in")
                abroad = step.visitor.workspace != "other" and not step.visitor.operator
                if abroad and _rows_of(live, "other") != foreign:
                    walk.problems.append(f"{step}: changed what is other's")
                pristine.backup(live)
    assert walk.problems == []


def _rows_of(live, slug):
    """The rows that are a workspace's: those that refer to it, its domains, its members or its owner."""
    (place,) = live.execute("SELECT id FROM workspaces WHERE slug = ?", (slug,)).fetchone()
    owners = {
        "workspace_id": "?",
        "domain_id": "SELECT id FROM domains WHERE workspace_id = ?",
        "member_id": "SELECT id FROM members WHERE workspace_id = ?",
        "user_id": "SELECT user_id FROM members WHERE workspace_id = ?",
    }
    found = {"workspaces": live.execute("SELECT * FROM workspaces WHERE id = ?", (place,)).fetchall()}
    for (table,) in live.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        columns = {row[1] for row in live.execute(f"PRAGMA table_info({table})")}
        for column in columns & set(owners) if table not in UNTOLD else ():
            query = f"SELECT * FROM {table} WHERE {column} IN ({owners[column]})"  # noqa: S608 - names of ours
            found[f"{table} by {column}"] = sorted(map(str, live.execute(query, (place,))))
    return found


class Mistakes:
    """Routes that somebody could write by mistake, each of which the walk must find."""

    @staticmethod
    def nothing_declared(slug):
        return f"hello {slug}"

    @staticmethod
    def guard_forgotten(slug):
        return f"hello {slug}"

    @staticmethod
    @signed_in
    def anybodys_inbox(address):
        return f"the mail of {address}"

    @staticmethod
    @access.requires(Permission.VIEW_WORKSPACE)
    def anybodys_member(slug, member_id):
        return f"member {member_id} of {slug}"

    @staticmethod
    @access.requires(Permission.VIEW_WORKSPACE)
    def others_names(slug):
        return f"{slug} has neighbours: {SECRET}other, {SECRET}acme"


access.declare(Mistakes.guard_forgotten, access.Declaration(access.MEMBERS, Permission.MANAGE_MEMBERS))


@pytest.mark.parametrize(
    ("view", "path", "told"),
    [
        ("nothing_declared", "/w/<slug>/mistake", "declares nothing"),
        ("guard_forgotten", "/w/<slug>/mistake", "should be 403"),
        ("anybodys_inbox", "/mistake/<address>", "should be 404"),
        ("anybodys_member", "/w/<slug>/mistake/<int:member_id>", "should be 404"),
        ("others_names", "/w/<slug>/mistake", "shows what is other's"),
    ],
)
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_walk_finds_a_route_that_lets_through_what_it_must_not(settings, database, world, now, view, path, told):
    app = create_app(settings, database=database, clock=lambda: now)
    app.config.update(WTF_CSRF_ENABLED=False, PROPAGATE_EXCEPTIONS=False)
    app.add_url_rule(path, "mistake", getattr(Mistakes, view))
    (rule,) = (one for one in rules(app) if one.endpoint == "mistake")
    walk = walk_refusals(app, world, [rule])
    for step in walk.steps(rule):
        if not step.expected:
            walk.go(step)
    assert any(told in problem for problem in walk.problems), walk.problems


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_an_argument_that_the_walk_does_not_know_stops_it(app, world):
    app.add_url_rule("/w/<slug>/invoices/<int:invoice_id>", "mistake", Mistakes.others_names)
    (rule,) = (one for one in rules(app) if one.endpoint == "mistake")
    with pytest.raises(AssertionError, match="say in VALUES what <invoice_id>"):
        list(Walk(app, world).steps(rule))


def test_every_route_that_changes_something_in_a_domain_that_its_form_names_has_a_form_here(app):
    missing = [
        rule.endpoint
        for rule in rules(app)
        if access.declared(app.view_functions[rule.endpoint]).some_domain
        and rule.methods - {"GET", "HEAD", "OPTIONS"}
        and rule.endpoint not in FORMS
    ]
    assert missing == []
