"""Invitations as use cases: what a token is good for, and how often, on both engines."""

import re
import threading
from datetime import timedelta

import pytest
from sqlalchemy import text

from smailor.accounts import audit, invitations, joining, member_changes, members, workspaces
from smailor.accounts.audit import Actor
from smailor.accounts.authority import By
from smailor.accounts.letters import Letterhead
from smailor.accounts.permissions import Role
from smailor.accounts.posting import Post
from smailor.errors import Conflict, InvalidInput, NotFound, PermissionDenied
from tests.letters import letters_of

OWNER, GUEST = "owner@acme.test", "guest@elsewhere.test"


@pytest.fixture
def post(sealer):
    return Post(Letterhead("Smailor", "post@smailor.test", "help@smailor.test", "https://smailor.test"), sealer)


@pytest.fixture
def acme(house):
    workspaces.create_workspace(house.database, slug="acme", name="Acme", now=house.now)
    house.person(OWNER)
    member_changes.add_member(house.database, workspace="acme", email=OWNER, role="owner", now=house.now)
    return house


def by(house, email=OWNER):
    return By(Actor(email, "192.0.2.1"), members.member_by_email(house.database, workspace="acme", email=email).user.id)


def invite(house, post, email=GUEST, role="member", **options):
    given = {"by": by(house), "post": post, "now": house.now} | options
    return invitations.invite(house.database, workspace="acme", email=email, role=Role(role), **given)


def token(house, email=GUEST):
    return re.search(r"/invitations/(\S+)", letters_of(house, email)[-1].get_content())[1]


def accept(house, post, user, secret, now=None):
    return joining.accept(
        house.database,
        token=secret,
        user_id=user.id,
        by=By(Actor(user.email, ""), user.id),
        post=post,
        now=now or house.now,
    )


def test_a_token_works_once_also_for_two_who_have_it_at_the_same_moment(acme, post):
    guest = acme.person(GUEST)
    invite(acme, post)
    secret, gate, outcomes = token(acme), threading.Barrier(2), []

    def go():
        gate.wait(timeout=20)
        try:
            outcomes.append(accept(acme, post, guest, secret))
        except NotFound:
            outcomes.append("gone")

    threads = [threading.Thread(target=go) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(outcomes) == ["acme", "gone"]
    assert members.count_members(acme.database, workspace="acme") == 2


def test_the_database_and_the_audit_trail_know_no_token(acme, post):
    invite(acme, post)
    secret = token(acme)
    with acme.database.reading() as session:
        rows = [session.execute(text(f"SELECT * FROM {table}")).all() for table in ("invitations", "notices")]  # noqa: S608
    assert secret not in str(rows)
    assert secret not in str(audit.entries(acme.database))
    assert [(one.action, one.object) for one in audit.entries(acme.database, workspace="acme")][:1] == [
        ("invitation.create", f"invitation:{GUEST}")
    ]


def test_seven_days_and_no_moment_longer(acme, post):
    guest = acme.person(GUEST)
    invite(acme, post)
    end = acme.now + timedelta(days=7)
    assert joining.look(acme.database, token=token(acme), now=end - timedelta(seconds=1)).workspace == "acme"
    with pytest.raises(NotFound):
        accept(acme, post, guest, token(acme), end)


def test_an_address_that_its_owner_has_not_verified_accepts_nothing(acme, post):
    guest = acme.person(GUEST)
    with acme.database.transaction() as session:
        session.execute(text("UPDATE users SET email_verified_at = NULL WHERE id = :id"), {"id": guest.id})
    invite(acme, post)
    with pytest.raises(NotFound):
        accept(acme, post, guest, token(acme))


def test_an_invitation_never_takes_anything_from_who_is_a_member_already(acme, post):
    guest = acme.person(GUEST)
    invite(acme, post, role="read-only")
    member_changes.add_member(acme.database, workspace="acme", email=GUEST, role="owner", now=acme.now)
    accept(acme, post, guest, token(acme))
    assert members.member_by_email(acme.database, workspace="acme", email=GUEST).role is Role.OWNER


def test_who_invites_is_bound_by_their_role(acme, post):
    acme.person("anna@acme.test")
    member_changes.add_member(acme.database, workspace="acme", email="anna@acme.test", role="admin", now=acme.now)
    anna = by(acme, "anna@acme.test")
    with pytest.raises(PermissionDenied):
        invite(acme, post, role="owner", by=anna)
    made = invite(acme, post, role="owner")
    for attempt in (invitations.withdraw, invitations.resend):
        given = {"post": post} if attempt is invitations.resend else {}
        with pytest.raises(PermissionDenied):
            attempt(acme.database, workspace="acme", invitation_id=made.id, by=anna, now=acme.now, **given)
    member_changes.add_member(acme.database, workspace="acme", email="anna@acme.test", role="member", now=acme.now)
    with pytest.raises(PermissionDenied):
        invite(acme, post, email="other@elsewhere.test", by=anna)


def test_members_and_open_invitations_are_not_invited_again(acme, post):
    with pytest.raises(Conflict):
        invite(acme, post, email=OWNER)
    invite(acme, post)
    with pytest.raises(Conflict):
        invite(acme, post, email=GUEST.upper())
    assert invite(acme, post, now=acme.now + timedelta(days=8))


def test_a_workspace_sends_a_hundred_invitations_a_day(acme, post, monkeypatch):
    monkeypatch.setattr(invitations, "LETTERS_A_DAY", 3)
    for number in range(3):
        invite(acme, post, email=f"guest{number}@elsewhere.test")
    with pytest.raises(InvalidInput, match="a day"):
        invite(acme, post)
    assert invite(acme, post, now=acme.now + timedelta(days=1, seconds=1))


def test_another_workspaces_invitations_are_not_there(acme, post):
    made = invite(acme, post)
    workspaces.create_workspace(acme.database, slug="other", name="Other", now=acme.now)
    eve = acme.person("eve@other.test")
    member_changes.add_member(acme.database, workspace="other", email=eve.email, role="owner", now=acme.now)
    by_eve = By(Actor(eve.email, ""), eve.id)
    with pytest.raises(NotFound):
        invitations.withdraw(acme.database, workspace="other", invitation_id=made.id, by=by_eve, now=acme.now)
    with pytest.raises(NotFound):
        invitations.withdraw(acme.database, workspace="acme", invitation_id=made.id, by=by_eve, now=acme.now)
    assert invitations.list_open(acme.database, workspace="other", now=acme.now) == ()
    assert len(invitations.list_open(acme.database, workspace="acme", now=acme.now)) == 1
