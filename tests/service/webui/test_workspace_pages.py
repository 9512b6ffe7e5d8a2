"""The pages of a workspace: members, invitations, ownership, leaving, going."""

import re

import pytest
from sqlalchemy import text

from smailor.accounts import member_changes, members, workspaces

OWNER, MEMBER, READER = "owner@acme.test", "member@acme.test", "reader@acme.test"
GUEST = "guest@elsewhere.test"


def roles(acme):
    return {one.user.email: one.role.value for one in members.list_members(acme.database, workspace="acme")}


def number(acme, email):
    return members.member_by_email(acme.database, workspace="acme", email=email).id


@pytest.fixture
def letters_of(mailbag):
    """Hand out all letters to an address, oldest first."""
    sent = []

    def find(email):
        sent.extend(mailbag.take())
        return [letter for recipient, letter in sent if recipient == email]

    return find


def link(letters_of, email):
    """The path of the newest invitation's link that was sent to an address."""
    body = letters_of(email)[-1].get_content()
    return re.search(r"(/invitations/\S+)", body)[1]


def invite(browser, email=GUEST, **fields):
    return browser.post("/w/acme/invitations/new", email=email, **{"role": "member"} | fields)


def test_members_are_listed_searched_and_turned_over(browser, acme):
    browser.log_in(OWNER)
    page = browser.get("/w/acme/members/").get_data(as_text=True)
    assert all(email in page for email in (OWNER, MEMBER, READER))
    found = browser.get("/w/acme/members/?search=READER").get_data(as_text=True)
    assert READER in found
    assert MEMBER not in found
    assert browser.get("/w/acme/members/?search=%00&after=%00").status_code == 200


def test_a_new_role_holds_from_the_next_request_on(browser, stranger, acme):
    browser.log_in(OWNER)
    stranger.log_in(MEMBER)
    assert stranger.get("/w/acme/members/").status_code == 403
    page = f"/w/acme/members/{number(acme, MEMBER)}"
    assert browser.post(page, role="admin").status_code == 200
    assert stranger.get("/w/acme/members/").status_code == 200
    browser.post(page, role="member")
    assert stranger.get("/w/acme/members/").status_code == 403


def test_a_role_or_domain_that_is_not_there_is_said_beside_its_field(browser, acme):
    browser.log_in(OWNER)
    page = f"/w/acme/members/{number(acme, MEMBER)}"
    assert browser.post(page, role="king").status_code == 422
    answer = browser.post(page, role="member", domains=["other.test"])
    assert answer.status_code == 422
    assert "choose among the domains" in answer.get_data(as_text=True).lower()
    assert roles(acme)[MEMBER] == "member"


def test_an_admin_neither_makes_nor_touches_owners(browser, acme):
    member_changes.add_member(acme.database, workspace="acme", email=MEMBER, role="admin", now=acme.now)
    browser.log_in(MEMBER)
    owner = f"/w/acme/members/{number(acme, OWNER)}"
    assert browser.post(owner, page="/w/acme/", role="member").status_code == 422
    browser.post(f"{owner}/remove", page="/w/acme/")
    assert browser.post(f"/w/acme/members/{number(acme, READER)}", role="owner").status_code == 422
    assert roles(acme) == {OWNER: "owner", MEMBER: "admin", READER: "read-only"}
    assert "owner" not in re.findall(r'name="role" value="([a-z-]+)"', browser.get("/w/acme/invitations/new").text)


def test_whoever_is_taken_out_is_out_at_once_and_told(browser, stranger, acme, letters_of):
    acme.inbox("acme", "alone@acme.test", reader=MEMBER)
    browser.log_in(OWNER)
    stranger.log_in(MEMBER)
    assert stranger.get("/settings/alone@acme.test/devices").status_code == 200
    browser.post(f"/w/acme/members/{number(acme, MEMBER)}/remove")
    assert stranger.get("/w/acme/").status_code == 404
    assert stranger.get("/settings/alone@acme.test/devices").status_code == 404
    assert "no longer" in letters_of(MEMBER)[-1]["Subject"]


def test_an_invited_person_with_an_account_accepts_once(browser, stranger, acme, letters_of):
    acme.person(GUEST)
    browser.log_in(OWNER)
    assert invite(browser, domains=["acme.test"]).status_code == 200
    path = link(letters_of, GUEST)
    stranger.log_in(GUEST)
    assert stranger.get(path).status_code == 200
    assert GUEST not in roles(acme), "opening the link changes nothing"
    assert stranger.post(path).request.path == "/w/acme/"
    assert roles(acme)[GUEST] == "member"
    assert members.member_by_email(acme.database, workspace="acme", email=GUEST).domains == ("acme.test",)
    assert stranger.post(path, page="/w/acme/", follow=False).status_code in {302, 404}
    assert "has joined" in letters_of(OWNER)[-1]["Subject"]


def test_a_newcomer_signs_up_by_the_link_and_is_verified_by_it(browser, stranger, acme, letters_of):
    browser.log_in(OWNER)
    invite(browser, role="admin")
    path = link(letters_of, GUEST)
    stranger.post(f"{path}/sign-up", page=path, name="Guest", password="a long and unusual phrase 42")
    assert roles(acme)[GUEST] == "admin"
    stranger.log_in(GUEST, "a long and unusual phrase 42")
    assert stranger.get("/w/acme/members/").status_code == 200


def test_the_newcomers_form_changes_nothing_of_an_account_that_is_there_and_answers_the_same(
    app, browser, acme, letters_of
):
    acme.person(GUEST)
    browser.log_in(OWNER)
    answers = []
    for email in (GUEST, "new@elsewhere.test"):
        assert invite(browser, email).status_code == 200
        path, stranger = link(letters_of, email), type(browser)(app.test_client())
        shown = stranger.get(path)
        posted = stranger.post(
            f"{path}/sign-up", page=path, follow=False, name="X", password="a long and unusual phrase 42"
        )
        plain = re.sub(r"[\w.-]{20,}", "", shown.text).replace(email, "")
        answers.append((shown.status_code, plain, posted.status_code, posted.location.partition("next=")[0]))
    assert answers[0] == answers[1]
    assert stranger.log_in(GUEST, "a long and unusual phrase 42").request.path == "/login"
    assert GUEST not in roles(acme)


def test_an_invitation_opens_for_its_own_address_only(browser, stranger, acme, letters_of):
    browser.log_in(OWNER)
    invite(browser)
    path = link(letters_of, GUEST)
    stranger.log_in("owner@other.test")
    assert "another address" in stranger.get(path).text
    stranger.post(path, follow=False)
    assert set(roles(acme)) == {OWNER, MEMBER, READER}


@pytest.mark.parametrize("how", ["withdrawn", "sent again", "over", "unknown"])
def test_a_link_that_is_over_looks_like_one_that_never_was(app, browser, stranger, acme, how, letters_of):
    browser.log_in(OWNER)
    invite(browser)
    path = link(letters_of, GUEST)
    with acme.database.reading() as session:
        invitation = session.scalar(text("SELECT id FROM invitations"))
    if how == "withdrawn":
        browser.post(f"/w/acme/invitations/{invitation}/withdraw", page="/w/acme/members/")
    elif how == "sent again":
        browser.post(f"/w/acme/invitations/{invitation}/resend", page="/w/acme/members/")
        assert stranger.get(link(letters_of, GUEST)).status_code == 200
    elif how == "over":
        with acme.database.transaction() as session:
            session.execute(text("UPDATE invitations SET expires_at = created_at"))
    else:
        path = "/invitations/nothing"
    answer = stranger.get(path)
    assert answer.status_code == 404
    assert "does not work" in answer.text
    assert (
        stranger.post(f"{path}/sign-up", page="/login", name="X", password="a long and unusual phrase").status_code
        == 404
    )


def test_letters_to_one_address_are_bounded(browser, acme, letters_of):
    browser.log_in(OWNER)
    for _ in range(3):
        invite(browser)
        with acme.database.reading() as session:
            newest = session.scalar(text("SELECT max(id) FROM invitations"))
        browser.post(f"/w/acme/invitations/{newest}/withdraw", page="/w/acme/members/")
    assert invite(browser).status_code == 422
    assert len(letters_of(GUEST)) == 3


def test_whoever_goes_takes_their_open_invitations_with_them(browser, stranger, acme, letters_of):
    member_changes.add_member(acme.database, workspace="acme", email=MEMBER, role="admin", now=acme.now)
    stranger.log_in(MEMBER)
    invite(stranger, role="admin")
    path = link(letters_of, GUEST)
    browser.log_in(OWNER)
    browser.post(f"/w/acme/members/{number(acme, MEMBER)}", role="member")
    assert stranger.client.get(path).status_code in {302, 404}
    assert GUEST not in browser.get("/w/acme/members/").text


def test_the_last_owner_stays_and_is_told_why(browser, acme):
    browser.log_in(OWNER)
    for path, fields in (
        ("/w/acme/leave", {}),
        (f"/w/acme/members/{number(acme, OWNER)}", {"role": "member"}),
        (f"/w/acme/members/{number(acme, OWNER)}/remove", {}),
    ):
        assert "at least one owner" in browser.post(path, **fields).text, path
    assert roles(acme)[OWNER] == "owner"


def test_an_owner_hands_over_and_then_leaves(browser, acme):
    browser.log_in(OWNER)
    assert browser.post("/w/acme/transfer", member="nobody@acme.test", become="admin").status_code == 422
    assert browser.post("/w/acme/transfer", member=MEMBER, become="king").status_code == 422
    browser.post("/w/acme/transfer", member=MEMBER, become="admin")
    assert roles(acme) == {OWNER: "admin", MEMBER: "owner", READER: "read-only"}
    browser.post("/w/acme/leave")
    assert OWNER not in roles(acme)
    assert browser.get("/w/acme/").status_code == 404


def test_a_workspace_is_renamed_and_keeps_its_address(browser, acme):
    browser.log_in(OWNER)
    assert "Acme AG" in browser.post("/w/acme/name", page="/w/acme/", name="Acme  AG").text
    assert browser.post("/w/acme/name", page="/w/acme/", name="\u202eevil").status_code == 422
    browser.post("/w/acme/sender-privacy", page="/w/acme/")
    assert not workspaces.workspace(acme.database, slug="acme").sender_privacy


def test_deletion_wants_the_name_writes_to_all_owners_and_can_be_withdrawn(browser, acme, letters_of):
    member_changes.add_member(acme.database, workspace="acme", email=MEMBER, role="owner", now=acme.now)
    browser.log_in(OWNER)
    assert browser.post("/w/acme/delete", name="acme").status_code == 422
    browser.post("/w/acme/delete", name="Acme")
    assert (workspaces.workspace(acme.database, slug="acme").delete_after - acme.now).days == 30
    for email in (OWNER, MEMBER):
        assert "will be deleted on" in letters_of(email)[-1]["Subject"]
    assert "will be deleted on" in browser.get("/w/acme/domains/").text, "a banner on every page of the workspace"
    browser.post("/w/acme/keep", page="/w/acme/")
    assert workspaces.workspace(acme.database, slug="acme").delete_after is None
    assert "stays" in letters_of(MEMBER)[-1]["Subject"]


@pytest.mark.parametrize("role", ["owner", "admin", "billing", "member", "read-only"])
def test_whoever_has_no_inbox_begins_in_the_workspace_and_every_link_there_opens(browser, acme, role):
    acme.person(GUEST)
    member_changes.add_member(acme.database, workspace="acme", email=GUEST, role=role, now=acme.now)
    browser.log_in(GUEST)
    page = browser.get("/", follow_redirects=True)
    assert page.request.path.startswith("/w/acme/")
    for path in set(re.findall(r'href="(/w/[^"#]*)', page.text)):
        assert browser.get(path).status_code in {200, 302}, path


def test_the_administrator_of_a_domain_sees_and_manages_that_domain_only(browser, acme):
    acme.claim("acme", "second.test")
    acme.verify("acme", "second.test")
    acme.inbox("acme", "boss@second.test")
    acme.inbox("acme", "private@acme.test")
    browser.log_in(OWNER)
    browser.post(f"/w/acme/members/{number(acme, MEMBER)}", role="member", domains=["second.test"])
    browser.log_in(MEMBER)
    for path in ("/w/acme/domains/", "/w/acme/inboxes/", "/w/acme/sending/"):
        page = browser.get(path).text
        main = page[page.index("<main") :]
        assert "second.test" in main, path
        assert "acme.test" not in main, path
    assert browser.get("/w/acme/domains/second.test").status_code == 200
    assert browser.get("/w/acme/domains/acme.test").status_code == 403
    assert browser.get("/w/acme/inboxes/private@acme.test").status_code == 403
    made = browser.post("/w/acme/inboxes/", local_part="new", domain="second.test", name="New")
    assert "new@second.test" in made.text
    assert browser.post("/w/acme/inboxes/", local_part="new", domain="acme.test", name="New").status_code == 403
    right = "/w/acme/inboxes/boss@second.test/senders"
    for sender in ("private@acme.test", "@acme.test"):
        assert browser.post(right, page="/w/acme/inboxes/boss@second.test", sender=sender).status_code == 403
    assert browser.post("/w/acme/domains/", page="/w/acme/inboxes/", name="third.test").status_code == 403
