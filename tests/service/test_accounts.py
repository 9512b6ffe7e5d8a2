"""People, workspaces, sessions and app passwords on both engines."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from smailor.accounts import app_passwords, member_changes, members, service, sessions, workspaces
from smailor.accounts.permissions import Role
from smailor.errors import Conflict, InvalidInput, NotFound


def test_a_person_is_known_by_address_and_password_whatever_the_case_of_the_address(house):
    ada = house.person("Ada@Analytical.test")
    assert ada.email == "ada@analytical.test"
    found = service.verify_password(house.database, email="ADA@analytical.TEST", password="correct horse battery")
    assert found == ada


@pytest.mark.parametrize("email", ["ada@analytical.test", "nobody@analytical.test", "not an address", "a@b\x00.test"])
def test_a_wrong_password_and_an_unknown_address_look_alike(house, email):
    house.person("ada@analytical.test")
    assert service.verify_password(house.database, email=email, password="wrong password!") is None


def test_an_address_is_taken_once(house):
    house.person("ada@analytical.test")
    with pytest.raises(Conflict, match=r"ada@analytical\.test"):
        house.person("ADA@analytical.test")


@pytest.mark.parametrize("password", ["short", "x" * 1001])
def test_a_password_has_bounds_and_the_error_names_the_field(house, password):
    with pytest.raises(InvalidInput) as refused:
        service.create_user(house.database, email="a@b.test", name="A", password=password, now=house.now)
    assert refused.value.field == "password"


def test_passwords_that_differ_after_72_bytes_differ(house):
    """Bcrypt reads 72 bytes; a longer password must not be cut silently."""
    service.create_user(house.database, email="a@b.test", name="A", password="x" * 80 + "one", now=house.now)
    assert service.verify_password(house.database, email="a@b.test", password="x" * 80 + "two") is None
    assert service.verify_password(house.database, email="a@b.test", password="x" * 80 + "one") is not None


def test_a_new_password_ends_the_sessions(house):
    ada = house.person("ada@analytical.test")
    token = sessions.start(house.database, user_id=ada.id, method="password", now=house.now)
    service.set_password(house.database, email="ada@analytical.test", password="another long password")
    assert sessions.find(house.database, token=token, now=house.now) is None
    assert service.verify_password(house.database, email=ada.email, password="another long password") == ada


def test_secrets_are_kept_as_digests_only(house):
    ada = house.person("ada@analytical.test")
    token = sessions.start(house.database, user_id=ada.id, method="password", now=house.now)
    new = app_passwords.create_app_password(
        house.database, login=ada.email, label="phone", expires_at=None, now=house.now
    )
    with house.database.reading() as session:
        kept = [
            *session.scalars(text("SELECT token_sha256 FROM web_sessions")),
            *session.scalars(text("SELECT token_sha256 FROM app_passwords")),
            *session.scalars(text("SELECT password_hash FROM users")),
        ]
    assert len(kept) == 3
    assert not {token, new.secret, "correct horse battery"} & set(kept)


def test_members_have_one_role_that_can_change(house):
    house.workspace("acme")
    ada = house.person("ada@analytical.test")
    member_changes.add_member(house.database, workspace="acme", email=ada.email, role="member", now=house.now)
    member_changes.add_member(house.database, workspace="acme", email=ada.email, role="admin", now=house.now)
    assert [(m.user.email, m.role) for m in members.list_members(house.database, workspace="acme")] == [
        ("ada@analytical.test", Role.ADMIN)
    ]
    assert [m.workspace.slug for m in members.memberships(house.database, user_id=ada.id)] == ["acme"]


def test_unknown_roles_people_and_workspaces_are_named(house):
    house.workspace("acme")
    with pytest.raises(InvalidInput, match="role"):
        member_changes.add_member(house.database, workspace="acme", email="a@b.test", role="king", now=house.now)
    with pytest.raises(NotFound, match=r"a@b\.test"):
        member_changes.add_member(house.database, workspace="acme", email="a@b.test", role="owner", now=house.now)
    with pytest.raises(NotFound, match="nowhere"):
        members.list_members(house.database, workspace="nowhere")


@pytest.mark.parametrize("slug", ["", "Acme", "acme gmbh", "-acme", "a" * 51, "acmé"])
def test_a_workspace_slug_is_fit_for_an_address_of_a_page(house, slug):
    with pytest.raises(InvalidInput):
        workspaces.create_workspace(house.database, slug=slug, name="Acme", now=house.now)


@pytest.mark.parametrize("name", ["", "   ", "x" * 201, "a\x00b", "abc\u202edef"])
def test_names_are_bounded_and_can_be_shown(house, name):
    with pytest.raises(InvalidInput):
        workspaces.create_workspace(house.database, slug="acme", name=name, now=house.now)


def test_app_passwords_are_many_and_revoked_one_by_one(house):
    def create(label):
        return app_passwords.create_app_password(
            house.database, login="ada@a.test", label=label, expires_at=None, now=house.now
        )

    phone, laptop = create("phone"), create("laptop")
    assert phone.secret != laptop.secret
    app_passwords.revoke_app_password(house.database, login="ada@a.test", password_id=phone.view.id)
    assert [view.label for view in app_passwords.list_app_passwords(house.database, login="ada@a.test")] == ["laptop"]


def test_an_app_password_is_revoked_by_its_own_inbox_only(house):
    new = app_passwords.create_app_password(
        house.database, login="ada@a.test", label="phone", expires_at=None, now=house.now
    )
    with pytest.raises(NotFound):
        app_passwords.revoke_app_password(house.database, login="eve@e.test", password_id=new.view.id)
    assert len(app_passwords.list_app_passwords(house.database, login="ada@a.test")) == 1


def test_web_tokens_are_pruned_and_never_listed(house):
    app_passwords.issue_web_token(house.database, login="ada@a.test", now=house.now, lifetime=timedelta(seconds=60))
    assert app_passwords.list_app_passwords(house.database, login="ada@a.test") == ()
    assert app_passwords.prune_expired(house.database, now=house.now + timedelta(seconds=59)) == 0
    assert app_passwords.prune_expired(house.database, now=house.now + timedelta(seconds=60)) == 1
