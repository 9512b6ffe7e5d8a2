"""The JSON API: a key opens what its scopes name in its own workspace, as long as its maker may; nothing else does."""

import json
import threading
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_spec_validator import OpenAPIV31SpecValidator

from smailor.accounts import api_calls, api_keys, audit, member_changes, service
from smailor.accounts.api_keys import SCOPES
from smailor.accounts.audit import Actor
from smailor.accounts.authority import By
from smailor.accounts.permissions import Permission
from smailor.errors import InvalidInput, PermissionDenied
from smailor.sending import suspension_service
from smailor.sending.subject import Subject
from smailor.sending.suspension import Part
from webui.api.operations import OPERATIONS

ALL = [scope.value for scope in SCOPES]


def user_id(house, email):
    return next(user.id for user in service.list_users(house.database) if user.email == email)


def make(house, *, scopes=ALL, email="owner@acme.test", workspace="acme", days=30):
    by = By(Actor(email, "192.0.2.1"), user_id(house, email))
    return api_keys.create(
        house.database,
        workspace=workspace,
        label="Sync",
        scopes=scopes,
        expires_at=house.now + timedelta(days=days),
        by=by,
        now=house.now,
    )


class Program:
    """A caller with a key."""

    def __init__(self, app, secret):
        self.client = app.test_client()
        self.headers = {"Authorization": f"Bearer {secret}"}

    def __call__(self, method, path, *, headers=None, **options):
        given = {**self.headers, **(headers or {})}
        return self.client.open(f"/api/v1{path}", method=method, headers=given, **options)

    def get(self, path, **options):
        return self("GET", path, **options)


@pytest.fixture
def program(app, acme):
    return Program(app, make(acme).secret)


def is_problem(answer, status, code):
    assert answer.status_code == status, answer.get_data(as_text=True)
    assert answer.mimetype == "application/problem+json"
    assert answer.json["status"] == status
    assert answer.json["code"] == code
    return True


def test_a_key_opens_its_workspace(program):
    answer = program.get("/workspaces")
    assert [entry["slug"] for entry in answer.json["items"]] == ["acme"]
    assert program.get("/workspaces/acme").json["name"] == "Acme"
    assert "Set-Cookie" not in answer.headers


def test_another_workspace_does_not_exist(program):
    for path in ("", "/members", "/audit", "/invitations", "/members/1"):
        assert is_problem(program.get(f"/workspaces/other{path}"), 404, "not-found")


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer smk_nothing", "Basic YTpi", "Bearer " + "x" * 5000, "Bearer smk_\u00e4"]
)
def test_without_a_key_nothing_opens(app, acme, header):
    answer = app.test_client().get("/api/v1/workspaces", headers={"Authorization": header} if header else {})
    assert answer.status_code == 401
    assert answer.mimetype == "application/problem+json"
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_cookie_is_no_key(acme, browser):
    browser.log_in("owner@acme.test")
    assert browser.get("/api/v1/workspaces").status_code == 401


def test_the_database_knows_no_secret(acme):
    new = make(acme)
    with acme.database.reading() as session:
        row = session.execute(api_keys.select(api_keys.ApiKey)).scalar_one()
        assert new.secret not in {str(value) for value in vars(row).values()}
    assert new.secret.startswith("smk_")
    assert len(new.secret) == 44
    assert new.secret.startswith(new.view.hint)


def test_expired_revoked_and_strangers_keys_are_the_same_answer(app, acme, now):
    short, revoked = make(acme), make(acme)
    by = By(Actor("owner@acme.test", ""), user_id(acme, "owner@acme.test"))
    api_keys.revoke(acme.database, workspace="acme", key_id=revoked.view.id, by=by, now=now)
    assert api_keys.find(acme.database, secret=short.secret, now=now + timedelta(days=30)) is None
    assert is_problem(Program(app, revoked.secret).get("/workspaces"), 401, "invalid-key")
    assert is_problem(Program(app, "smk_other").get("/workspaces"), 401, "invalid-key")


def test_scopes_bound_a_key(app, acme):
    program = Program(app, make(acme, scopes=["view-workspace"]).secret)
    assert program.get("/workspaces/acme").status_code == 200
    assert is_problem(program.get("/workspaces/acme/members"), 403, "insufficient-scope")


def test_a_key_never_may_more_than_its_maker_now(app, acme, now):
    member_changes.add_member(acme.database, workspace="acme", email="member@acme.test", role="admin", now=now)
    program = Program(app, make(acme, email="member@acme.test").secret)
    assert program.get("/workspaces/acme/audit").status_code == 200
    member_changes.add_member(acme.database, workspace="acme", email="member@acme.test", role="member", now=now)
    assert is_problem(program.get("/workspaces/acme/audit"), 403, "insufficient-scope")


def test_who_may_not_makes_no_key(acme):
    with pytest.raises(PermissionDenied):
        make(acme, email="member@acme.test")
    with pytest.raises(InvalidInput):
        make(acme, scopes=["view-workspace", "everything"])
    with pytest.raises(InvalidInput):
        make(acme, scopes=[])
    with pytest.raises(InvalidInput):
        make(acme, days=400)


def test_a_suspended_workspace_is_closed(acme, program, now):
    suspension_service.suspend(
        acme.database,
        subject=Subject.parse("acme"),
        parts=frozenset({Part.LOGIN}),
        reason="unpaid",
        actor=Actor("op", ""),
        now=now,
    )
    assert is_problem(program.get("/workspaces"), 403, "suspended")


def test_the_last_use_is_written_once_a_minute(app, acme, now, program):
    program.get("/workspaces")
    (key,) = api_keys.list_keys(acme.database, workspace="acme")
    assert (key.last_used_at, key.last_source) == (now, "127.0.0.1")
    api_keys.touch(acme.database, key=key, source="192.0.2.9", now=now + timedelta(seconds=59))
    assert api_keys.list_keys(acme.database, workspace="acme")[0].last_source == "127.0.0.1"
    api_keys.touch(acme.database, key=key, source="192.0.2.9", now=now + timedelta(seconds=60))
    assert api_keys.list_keys(acme.database, workspace="acme")[0].last_source == "192.0.2.9"


def test_members_page_by_page(program):
    first = program.get("/workspaces/acme/members?limit=2").json
    second = program.get(f"/workspaces/acme/members?limit=2&after={first['next']}").json
    assert [entry["email"] for entry in first["items"] + second["items"]] == [
        "member@acme.test",
        "owner@acme.test",
        "reader@acme.test",
    ]
    assert second["next"] is None


def member_id(program, email):
    return next(
        entry["id"] for entry in program.get("/workspaces/acme/members").json["items"] if entry["email"] == email
    )


def test_a_members_role_is_changed_and_both_names_are_written_down(acme, program):
    number = member_id(program, "member@acme.test")
    answer = program("PATCH", f"/workspaces/acme/members/{number}", json={"role": "admin", "domains": ["acme.test"]})
    assert answer.status_code == 200
    assert (answer.json["role"], answer.json["domains"]) == ("admin", ["acme.test"])
    assert program.get(f"/workspaces/acme/members/{number}").json["role"] == "admin"
    entry = audit.entries(acme.database, workspace="acme", limit=1)[0]
    assert entry.action == "member.change"
    assert entry.actor.startswith("owner@acme.test by API key smk_")
    assert is_problem(
        program("PATCH", f"/workspaces/acme/members/{number}", json={"domains": ["other.test"]}), 422, "invalid"
    )


def test_a_member_is_taken_out(acme, program):
    number = member_id(program, "reader@acme.test")
    assert program("DELETE", f"/workspaces/acme/members/{number}").status_code == 204
    assert is_problem(program.get(f"/workspaces/acme/members/{number}"), 404, "not-found")
    assert is_problem(program("DELETE", f"/workspaces/acme/members/{number}"), 404, "not-found")
    last = member_id(program, "owner@acme.test")
    assert is_problem(program("DELETE", f"/workspaces/acme/members/{last}"), 409, "conflict")


def test_the_last_owner_stays(program):
    number = member_id(program, "owner@acme.test")
    assert is_problem(program("PATCH", f"/workspaces/acme/members/{number}", json={"role": "member"}), 409, "conflict")


def test_the_audit_trail_page_by_page(acme, program):
    for number in range(5):
        audit.record(acme.database, Actor("a", ""), action="a.b", on=f"x:{number}", workspace="acme", now=acme.now)
    seen, cursor = [], ""
    while cursor is not None:
        page = program.get(f"/workspaces/acme/audit?action=a.b&limit=2&cursor={cursor}").json
        seen += [entry["object"] for entry in page["items"]]
        cursor = page["next"]
    assert seen == ["x:4", "x:3", "x:2", "x:1", "x:0"]
    assert is_problem(program.get("/workspaces/acme/audit?cursor=rubbish"), 422, "invalid")
    assert program.get("/workspaces/acme/audit?since=2030-01-01T00:00:00Z").json["items"] == []


def invite(program, key=None, email="new@elsewhere.test"):
    headers = {"Idempotency-Key": key} if key else {}
    return program("POST", "/workspaces/acme/invitations", json={"email": email}, headers=headers)


def test_an_invitation_is_made_listed_and_withdrawn(program):
    made = invite(program)
    assert made.status_code == 201
    assert made.headers["Location"] == f"/api/v1/workspaces/acme/invitations/{made.json['id']}"
    assert [entry["email"] for entry in program.get("/workspaces/acme/invitations").json["items"]] == [
        "new@elsewhere.test"
    ]
    assert program("DELETE", f"/workspaces/acme/invitations/{made.json['id']}").status_code == 204
    assert program.get("/workspaces/acme/invitations").json["items"] == []


def test_the_same_request_is_carried_out_once(acme, program):
    first, again = invite(program, "k1"), invite(program, "k1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.get_data() == again.get_data()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["Location"] == first.headers["Location"]
    assert len(program.get("/workspaces/acme/invitations").json["items"]) == 1
    assert is_problem(invite(program), 409, "conflict")


def test_a_refusal_is_repeated_too(program):
    first = invite(program, "k2", email="owner@acme.test")
    assert is_problem(first, 409, "conflict")
    assert invite(program, "k2", email="owner@acme.test").get_data() == first.get_data()


def test_the_same_name_for_another_request_is_refused(program):
    invite(program, "k1")
    assert is_problem(invite(program, "k1", email="b@elsewhere.test"), 422, "idempotency-key-reused")


def test_a_request_that_is_being_carried_out_is_not_begun_again(acme, program, now):
    key = api_keys.list_keys(acme.database, workspace="acme")[0].id
    begin = {"key_id": key, "idempotency_key": "k", "request_sha256": "0" * 64}
    assert api_calls.begin(acme.database, **begin, now=now) is None
    with pytest.raises(api_calls.Conflict):
        api_calls.begin(acme.database, **begin, now=now)
    assert api_calls.begin(acme.database, **begin, now=now + api_calls.GIVEN_UP) is None
    assert api_calls.prune(acme.database, now=now + timedelta(days=2)) == 1


def test_of_many_at_once_one_is_carried_out(acme, program, now):
    key = api_keys.list_keys(acme.database, workspace="acme")[0].id
    outcomes = []

    def work():
        try:
            begun = api_calls.begin(acme.database, key_id=key, idempotency_key="k", request_sha256="0" * 64, now=now)
            outcomes.append("begun" if begun is None else "answered")
        except api_calls.Conflict:
            outcomes.append("conflict")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(outcomes) == ["begun"] + ["conflict"] * 7


def test_the_rate_is_told_and_kept(acme, program, now):
    answer = program.get("/workspaces")
    assert answer.headers["RateLimit-Policy"] == '"key";q=240;w=60'
    assert answer.headers["RateLimit"] == '"key";r=239;t=60'
    key = api_keys.list_keys(acme.database, workspace="acme")[0].id
    for _ in range(239):
        api_calls.count(acme.database, key_id=key, now=now)
    answer = program.get("/workspaces")
    assert is_problem(answer, 429, "too-many-requests")
    assert answer.headers["Retry-After"] == "60"
    assert answer.headers["RateLimit"] == '"key";r=0;t=60'


def test_calls_at_the_same_time_are_all_counted(acme, now):
    key = make(acme).view.id
    threads = [
        threading.Thread(target=lambda: [api_calls.count(acme.database, key_id=key, now=now) for _ in range(10)])
        for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert api_calls.count(acme.database, key_id=key, now=now).left == 240 - 51
    assert api_calls.count(acme.database, key_id=key, now=now + timedelta(seconds=60)).left == 239
    assert api_calls.count(acme.database, key_id=key, now=now).left == 238, "a clock behind gives nothing back"


def test_what_has_not_changed_is_not_sent_again(program):
    etag = program.get("/workspaces/acme").headers["ETag"]
    answer = program.get("/workspaces/acme", headers={"If-None-Match": etag})
    assert answer.status_code == 304
    assert answer.get_data() == b""


@pytest.mark.parametrize(
    ("path", "code"),
    [("/api/v1/nothing", 404), ("/api/nothing", 404), ("/api/v1/workspaces/acme/members/x", 404)],
)
def test_what_is_not_there_is_a_problem(app, path, code):
    answer = app.test_client().get(path)
    assert (answer.status_code, answer.mimetype) == (code, "application/problem+json")


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 422),
        (b"\xff\xfe", "application/json", 422),
        (b"[" * 60_000, "application/json", 422),
        (b"{}", "text/plain", 415),
        (b"{}", "application/json", 422),
        (b'{"email": "a@b.test", "rolle": "owner"}', "application/json", 422),
        (b'{"email": "a\\u0000@b.test"}', "application/json", 422),
        (b'{"email": "a@b.test", "role": "emperor"}', "application/json", 422),
        (b'{"email": "\\ud800@b.test"}', "application/json", 422),
        (b" " * 70_000, "application/json", 413),
    ],
)
def test_bad_bodies_are_refused(program, body, kind, status):
    answer = program("POST", "/workspaces/acme/invitations", data=body, content_type=kind)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1000", "limit=x", "search=%00", "nothing=1", "limit=1&limit=2", "after=" + "x" * 400]
)
def test_bad_queries_are_refused(program, query):
    assert is_problem(program.get(f"/workspaces/acme/members?{query}"), 422, "invalid")


def test_an_odd_idempotency_key_is_refused(program):
    assert is_problem(invite(program, "with space"), 400, "invalid-idempotency-key")
    assert is_problem(invite(program, "x" * 256), 400, "invalid-idempotency-key")


def test_the_description_is_valid_and_complete(app):
    found = app.test_client().get("/api/v1/openapi.json").json
    OpenAPIV31SpecValidator(found).validate()
    described = {entry["operationId"] for path in found["paths"].values() for entry in path.values()}
    assert described == set(OPERATIONS)
    served = {rule.endpoint.partition(".")[2] for rule in app.url_map.iter_rules() if rule.endpoint.startswith("api.")}
    assert served - {"description"} == described


def test_every_operation_declares_scope_and_permission(app):
    for name, operation in OPERATIONS.items():
        declaration = app.view_functions[f"api.{name}"].access
        assert (declaration.kind, declaration.permission, declaration.scope) == (
            "api",
            operation.permission,
            operation.permission.value,
        )
        assert operation.permission in SCOPES


TEXT = st.text(max_size=60) | st.sampled_from(
    ["\0", "\u202e", "a@b.test", "x" * 10_000, "\ud800", "owner", "acme.test"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)
FIELDS = st.dictionaries(st.sampled_from(["email", "role", "domains", "x"]), JSON, max_size=4)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=FIELDS | JSON, key=TEXT | st.none(), number=st.integers(0, 10**30))
def test_no_body_breaks_it(acme, program, app, body, key, number):
    database = acme.database
    with database.transaction() as session:
        session.execute(api_calls.delete(api_calls.ApiUse))
    data = json.dumps(body).encode("utf-8", "surrogatepass")
    headers = {"Idempotency-Key": key} if key and key.isascii() and key.isprintable() else {}
    for method, path in (
        ("POST", "/invitations"),
        ("PATCH", f"/members/{number}"),
        ("DELETE", f"/invitations/{number}"),
    ):
        answer = program(method, f"/workspaces/acme{path}", data=data, content_type="application/json", headers=headers)
        assert answer.status_code < 500


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=st.dictionaries(st.sampled_from(["search", "after", "limit", "cursor", "actor", "since", "until"]), TEXT))
def test_no_query_breaks_it(acme, program, query):
    with acme.database.transaction() as session:
        session.execute(api_calls.delete(api_calls.ApiUse))
    query = {name: value.encode("utf-8", "replace").decode() for name, value in query.items()}
    for path in ("/members", "/audit"):
        assert program.get(f"/workspaces/acme{path}", query_string=query).status_code < 500


def test_a_key_is_made_on_the_page_and_shown_once(app, acme, browser):
    browser.log_in("owner@acme.test")
    page = browser.post("/w/acme/api-keys/", label="Sync", scopes="view-workspace", days=30).get_data(as_text=True)
    secret = page.partition("<code>smk_")[2].partition("</code>")[0]
    assert Program(app, f"smk_{secret}").get("/workspaces").status_code == 200
    assert secret not in browser.get("/w/acme/api-keys/").get_data(as_text=True)
    number = api_keys.list_keys(acme.database, workspace="acme")[0].id
    browser.post(f"/w/acme/api-keys/{number}/revoke", page="/w/acme/api-keys/")
    assert Program(app, f"smk_{secret}").get("/workspaces").status_code == 401


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"label": "x"},
        {"label": "x" * 10_000, "scopes": "view-workspace"},
        {"label": "a\0b", "scopes": "x", "days": 1},
    ],
)
def test_bad_key_forms_are_refused(acme, browser, fields):
    browser.log_in("owner@acme.test")
    assert browser.post("/w/acme/api-keys/", **fields).status_code == 422


def test_who_may_not_manage_keys_sees_none(acme, browser):
    browser.log_in("member@acme.test")
    assert browser.get("/w/acme/api-keys/").status_code == 403
    assert Permission.MANAGE_API_KEYS not in SCOPES
