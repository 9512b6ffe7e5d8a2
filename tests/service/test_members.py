"""Members of a workspace: what changes, who may change it, and the owner who stays, on both engines."""

import threading
from dataclasses import dataclass

import pytest
from sqlalchemy import delete, text
from sqlalchemy.exc import IntegrityError

from smailor.accounts import audit, member_changes, members, workspaces
from smailor.accounts.audit import Actor
from smailor.accounts.authority import By
from smailor.accounts.letters import Letterhead
from smailor.accounts.models import User
from smailor.accounts.permissions import Role
from smailor.accounts.posting import Post
from smailor.errors import Conflict, InvalidInput, NotFound, PermissionDenied, SmailorError

HEAD = Letterhead("Smailor", "post@smailor.test", "help@smailor.test", "https://smailor.test")


@dataclass
class Firm:
    """A workspace `acme` and shortcuts to change its members."""

    house: object
    post: Post

    def person(self, name):
        return self.house.person(f"{name}@acme.test")

    def join(self, name, role):
        user = self.person(name)
        return member_changes.add_member(
            self.house.database, workspace="acme", email=user.email, role=role, now=self.house.now
        )

    def by(self, name):
        found = next(one for one in self.members() if one.user.email == f"{name}@acme.test")
        return By(Actor(found.user.email, "192.0.2.1"), found.user.id)

    def members(self):
        return members.list_members(self.house.database, workspace="acme")

    def roles(self):
        return {one.user.email.partition("@")[0]: one.role.value for one in self.members()}

    def change(self, member, role, by, domains=()):
        return member_changes.change(
            self.house.database,
            workspace="acme",
            member_id=member.id,
            role=Role(role),
            domains=domains,
            by=by,
            post=self.post,
            now=self.house.now,
        )

    def remove(self, member, by):
        with self.house.database.transaction() as session:
            return member_changes.remove_in(
                session, workspace="acme", member_id=member.id, by=by, post=self.post, now=self.house.now
            )

    def leave(self, member):
        by = By(Actor(member.user.email, "192.0.2.1"), member.user.id)
        with self.house.database.transaction() as session:
            return member_changes.leave_in(
                session, workspace="acme", user_id=member.user.id, by=by, post=self.post, now=self.house.now
            )

    def transfer(self, member, by, become="admin"):
        return member_changes.transfer(
            self.house.database,
            workspace="acme",
            member_id=member.id,
            become=Role(become),
            by=by,
            post=self.post,
            now=self.house.now,
        )

    def letters(self):
        with self.house.database.reading() as session:
            return sorted(session.scalars(text("SELECT recipient FROM notices")))

    def trail(self):
        return [(one.action, one.object) for one in audit.entries(self.house.database, workspace="acme")]


@pytest.fixture
def firm(house, sealer):
    workspaces.create_workspace(house.database, slug="acme", name="Acme", now=house.now)
    return Firm(house, Post(HEAD, sealer))


def test_an_owner_changes_a_role_and_it_is_written_down_and_told(firm):
    firm.join("olga", "owner")
    mia = firm.join("mia", "member")
    changed = firm.change(mia, "admin", firm.by("olga"), domains=["B.test", "a.test"])
    assert (changed.role, changed.domains) == (Role.ADMIN, ("a.test", "b.test"))
    assert firm.roles() == {"olga": "owner", "mia": "admin"}
    assert firm.trail()[0] == ("member.change", "member:mia@acme.test")
    assert firm.letters() == ["mia@acme.test"]


def test_what_changes_nothing_is_neither_written_down_nor_told(firm):
    firm.join("olga", "owner")
    mia = firm.join("mia", "member")
    before = firm.trail()
    firm.change(mia, "member", firm.by("olga"))
    assert (firm.trail(), firm.letters()) == (before, [])


@pytest.mark.parametrize("role", list(Role))
def test_nobody_gives_changes_or_takes_a_role_above_their_own(firm, role):
    firm.join("olga", "owner")
    firm.join("otto", "owner")
    target = firm.join("target", role)
    for own in Role:
        actor = firm.join(own.value.replace("-", ""), own)
        by = By(Actor(actor.user.email, ""), actor.user.id)
        may = own is Role.OWNER or (own is Role.ADMIN and role is not Role.OWNER)
        for wanted in Role:
            if may and (own is Role.OWNER or wanted is not Role.OWNER):
                assert firm.change(target, wanted, by).role is wanted
                firm.change(target, role, firm.by("olga"))
            else:
                with pytest.raises(PermissionDenied):
                    firm.change(target, wanted, by)
        if not may:
            with pytest.raises(PermissionDenied):
                firm.remove(target, by)
    assert firm.roles()["target"] == role


def test_a_member_of_another_workspace_is_nobody_here(firm, house):
    workspaces.create_workspace(house.database, slug="other", name="Other", now=house.now)
    firm.join("olga", "owner")
    eve = firm.person("eve")
    theirs = member_changes.add_member(house.database, workspace="other", email=eve.email, role="owner", now=house.now)
    with pytest.raises(NotFound):
        firm.change(firm.join("mia", "member"), "owner", By(Actor(eve.email, ""), eve.id))
    with pytest.raises(NotFound):
        firm.change(theirs, "member", firm.by("olga"))
    with pytest.raises(NotFound):
        firm.remove(theirs, firm.by("olga"))
    with pytest.raises(NotFound):
        firm.transfer(theirs, firm.by("olga"))


def test_the_last_owner_cannot_leave_be_removed_or_become_less(firm):
    olga = firm.join("olga", "owner")
    for attempt in (
        lambda: firm.leave(olga),
        lambda: firm.remove(olga, firm.by("olga")),
        lambda: firm.change(olga, "admin", firm.by("olga")),
        lambda: member_changes.add_member(
            firm.house.database, workspace="acme", email="olga@acme.test", role="member", now=firm.house.now
        ),
    ):
        with pytest.raises(Conflict, match="at least one owner"):
            attempt()
    firm.join("otto", "owner")
    firm.leave(olga)
    assert firm.roles() == {"otto": "owner"}
    assert firm.letters() == ["otto@acme.test"]


def test_the_last_owner_does_not_vanish_with_their_person(firm):
    olga = firm.join("olga", "owner")
    firm.join("mia", "admin")
    with pytest.raises(IntegrityError, match="last owner"), firm.house.database.transaction() as session:
        session.execute(delete(User).where(User.id == olga.user.id))
    with firm.house.database.reading() as session:
        assert member_changes.owned_alone_in(session, olga.user.id) == ["acme"]
    firm.join("otto", "owner")
    with firm.house.database.transaction() as session:
        assert member_changes.owned_alone_in(session, olga.user.id) == []
        session.execute(delete(User).where(User.id == olga.user.id))
    assert firm.roles() == {"otto": "owner", "mia": "admin"}


def test_not_even_a_statement_by_hand_takes_the_last_owner_away(firm):
    firm.join("olga", "owner")
    for statement in ("UPDATE members SET role = 'admin'", "DELETE FROM members"):
        with pytest.raises(IntegrityError, match="last owner"), firm.house.database.transaction() as session:
            session.execute(text(statement))


@pytest.mark.parametrize("way", ["leave", "change", "remove each other", "delete the person"])
def test_of_two_owners_who_go_at_the_same_time_one_stays(firm, way):
    both = [firm.join("olga", "owner"), firm.join("otto", "owner")]
    gate, outcomes = threading.Barrier(2), []

    def go(number):
        me, other = both[number], both[1 - number]
        gate.wait(timeout=20)
        try:
            if way == "leave":
                firm.leave(me)
            elif way == "change":
                firm.change(me, "member", By(Actor(me.user.email, ""), me.user.id))
            elif way == "remove each other":
                firm.remove(other, By(Actor(me.user.email, ""), me.user.id))
            else:
                with firm.house.database.transaction() as session:
                    session.execute(delete(User).where(User.id == me.user.id))
            outcomes.append("done")
        except (SmailorError, IntegrityError) as error:
            outcomes.append(type(error).__name__)

    threads = [threading.Thread(target=go, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(outcomes).count("done") == 1, outcomes
    assert list(firm.roles().values()).count("owner") == 1


@pytest.mark.parametrize("become", ["owner", "admin", "read-only"])
def test_an_owner_hands_over_and_chooses_what_to_be_then(firm, become):
    firm.join("olga", "owner")
    mia = firm.join("mia", "read-only")
    firm.transfer(mia, firm.by("olga"), become)
    assert firm.roles() == {"olga": become, "mia": "owner"}
    assert firm.letters() == ["mia@acme.test", "olga@acme.test"]
    assert firm.trail()[0] == ("ownership.transfer", "member:mia@acme.test")


def test_only_an_owner_hands_over_and_not_to_themselves(firm):
    olga, anna = firm.join("olga", "owner"), firm.join("anna", "admin")
    with pytest.raises(PermissionDenied):
        firm.transfer(anna, firm.by("anna"))
    with pytest.raises(InvalidInput):
        firm.transfer(olga, firm.by("olga"))
    assert firm.roles() == {"olga": "owner", "anna": "admin"}


def test_members_come_in_pages_and_are_searched_by_any_part_of_address_or_name(firm):
    for name in ("olga", "otto", "mia", "m_a"):
        firm.join(name, "owner")

    def emails(**options):
        found = members.page_members(firm.house.database, workspace="acme", **{"limit": 10} | options)
        return [one.user.email.partition("@")[0] for one in found]

    assert emails() == ["m_a", "mia", "olga", "otto"]
    assert emails(limit=2) == ["m_a", "mia"]
    assert emails(after="mia@acme.test") == ["olga", "otto"]
    assert emails(search="TT") == ["otto"]
    assert emails(search="m_") == ["m_a"]
    assert emails(search="%") == []
    assert emails(search="SOMEBODY", limit=1) == ["m_a"]
    assert members.count_members(firm.house.database, workspace="acme") == 4


def test_a_page_of_members_takes_three_statements_however_many_there_are(firm, statements):
    for number in range(12):
        firm.change(firm.join(f"m{number}", "owner"), "owner", By(Actor("operator", "")), domains=["a.test"])
    with statements(firm.house.database) as seen:
        assert len(members.page_members(firm.house.database, workspace="acme", limit=10)) == 10
    assert len(seen) <= 3
