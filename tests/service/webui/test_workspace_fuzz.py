"""Every form of the workspace pages, filled with what nobody expects: an answer that says so, never an error of ours."""

import re
import time

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from smailor.accounts import members
from smailor.accounts.models import Member, User

OWNER = "owner@acme.test"
HOSTILE = (
    "x" * 10_000,
    "a\x00b",
    "\u202eevil\u202c",
    "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    "\r\nBcc: everybody@elsewhere.test",
    "%(name)s {0} {{ 7 * 7 }}",
    "' OR 1=1 --",
    "<script>alert(1)</script>",
    "\U0001f468\u200d\U0001f469",
    "-1",
    "9" * 40,
    "",
    " ",
)
ADDRESSES = (
    '"quoted local"@elsewhere.test',
    "a@b",
    "a@@b.test",
    "a@[127.0.0.1]",
    "a@elsewhere.test\r\nBcc: x@elsewhere.test",
    "ä@elsewhere.test",
    "a@ämter.test",
    "a@xn--elsewhere-.test",
    f"{'a' * 64}@elsewhere.test",
    f"{'a' * 65}@elsewhere.test",
    f"a@{'b' * 250}.test",
    "a(comment)@elsewhere.test",
    "Name <a@elsewhere.test>",
    ".a..b.@elsewhere.test",
    "a@elsewhere.test.",
    "A+TAG@Elsewhere.TEST",
)


def forms(acme):
    """(path, fields) of every form."""
    member = members.member_by_email(acme.database, workspace="acme", email="member@acme.test").id
    return (
        ("/w/acme/name", ("name",)),
        ("/w/acme/sender-privacy", ("on",)),
        (f"/w/acme/members/{member}", ("role", "domains")),
        ("/w/acme/invitations/new", ("email", "role", "domains")),
        ("/w/acme/transfer", ("member", "become")),
        ("/w/acme/delete", ("name",)),
        ("/workspaces/new", ("name", "slug")),
        ("/invitations/unknown/sign-up", ("name", "password")),
        ("/invitations/unknown", ("x",)),
        (f"/w/acme/members/{'9' * 30}", ("role",)),
        (f"/w/acme/members/{'9' * 30}/remove", ("x",)),
        (f"/w/acme/invitations/{'9' * 30}/resend", ("x",)),
        (f"/w/acme/invitations/{'9' * 30}/withdraw", ("x",)),
    )


@pytest.fixture
def logged_in(app, browser, acme):
    app.config["WTF_CSRF_ENABLED"] = False
    browser.log_in(OWNER)
    return browser.client


def test_no_form_breaks_by_what_is_typed_into_it(logged_in, acme):
    for path, fields in forms(acme):
        for text in (*HOSTILE, *ADDRESSES):
            answer = logged_in.post(path, data=dict.fromkeys(fields, text))
            assert answer.status_code < 500, (path, text)
        for name in fields:
            answer = logged_in.post(path, data={name: [text[:200] for text in HOSTILE]})
            assert answer.status_code < 500, (path, name)
        assert logged_in.post(path, data=b"\xff\xfe" * 100, content_type="application/octet-stream").status_code < 500


def test_no_page_breaks_by_what_its_address_asks_for(logged_in, acme):
    for text in (*HOSTILE, *ADDRESSES):
        for name in ("search", "after"):
            answer = logged_in.get("/w/acme/members/", query_string={name: text})
            assert answer.status_code == 200, (name, text)
            assert "<script>alert" not in answer.text
        assert logged_in.get("/invitations/" + text.replace("/", "x"), follow_redirects=False).status_code < 500


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 12), st.dictionaries(st.sampled_from(["name", "email", "role", "domains", "slug"]), st.text()))
@example(3, {"email": "a@b.test\x00", "role": "owner", "domains": "\x00"})
def test_any_text_in_any_field(logged_in, acme, number, fields):
    path, _ = forms(acme)[number]
    assert logged_in.post(path, data=fields).status_code < 500


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_odd_address_is_either_invited_as_it_is_or_refused_beside_its_field(logged_in, acme, address):
    answer = logged_in.post("/w/acme/invitations/new", data={"email": address, "role": "member"})
    assert answer.status_code in {302, 422}
    if answer.status_code == 422:
        assert re.search(r'id="email"[^>]*aria-invalid="true"', answer.text), "said beside the field"


@pytest.fixture
def crowd(acme):
    """Five thousand members."""
    now = acme.now
    with acme.database.transaction() as session:
        place = session.scalars(
            insert(User).returning(User.id, sort_by_parameter_order=True),
            [
                {
                    "email": f"person{number:05}@crowd.test",
                    "name": f"Person {number}",
                    "password_hash": "",
                    "operator": False,
                    "email_verified_at": now,
                    "created_at": now,
                }
                for number in range(5000)
            ],
        ).all()
        workspace = session.query(Member.workspace_id).filter(Member.role == "read-only").scalar()
        session.execute(
            insert(Member),
            [{"workspace_id": workspace, "user_id": user, "role": "member", "created_at": now} for user in place],
        )
    return acme


def test_five_thousand_members_are_a_page_at_a_time_and_none_is_missing(logged_in, crowd, statements):
    logged_in.get("/w/acme/members/")
    for path in (
        "/w/acme/members/",
        "/w/acme/members/?search=person04",
        "/w/acme/members/?after=person03000@crowd.test",
    ):
        started = time.process_time()
        with statements(crowd.database) as seen:
            page = logged_in.get(path)
        spent = time.process_time() - started
        assert page.status_code == 200
        assert len(seen) <= 12
        assert spent < 0.25, f"{path}: {spent:.3f} s of processor time"
        assert 0 < page.text.count('class="person"') <= 50
    found, after = [], ""
    while True:
        page = members.page_members(crowd.database, workspace="acme", after=after, limit=1000)
        if not page:
            break
        found += [one.user.email for one in page]
        after = found[-1]
    assert len(found) == len(set(found)) == members.count_members(crowd.database, workspace="acme") == 5003
