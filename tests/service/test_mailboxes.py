"""Inboxes, aliases and readers on both engines."""

import pytest

from smailor.errors import Conflict, InvalidInput, NotFound
from smailor.mailboxes import aliases, service
from smailor.mailboxes.may_send import may_send_as


@pytest.fixture
def acme(house):
    house.workspace("acme", "acme.test")
    return house


def alias(house, source, target, workspace="acme"):
    return aliases.create_alias(house.database, workspace=workspace, source=source, target=target, now=house.now)


def test_an_inbox_is_opened_by_its_readers_only(acme):
    ada, eve = acme.person("ada@acme.test"), acme.person("eve@evil.test")
    acme.inbox("acme", "ada@acme.test", reader="ada@acme.test")
    assert service.inbox_for_reader(acme.database, user_id=ada.id, address="ada@acme.test").name == "Somebody"
    with pytest.raises(NotFound):
        service.inbox_for_reader(acme.database, user_id=eve.id, address="ada@acme.test")
    assert service.inboxes_of(acme.database, user_id=eve.id) == ()


def test_a_reader_of_an_unverified_claim_does_not_open_the_owners_inbox(acme):
    """A squatter claims the same domain and makes the same inbox in its own workspace."""
    eve = acme.person("eve@evil.test")
    acme.inbox("acme", "ada@acme.test")
    acme.workspace("evil")
    with pytest.raises(Conflict):
        acme.claim("evil", "acme.test")
    acme.claim("evil", "other.test")
    acme.inbox("evil", "ada@other.test", reader="eve@evil.test")
    assert service.inboxes_of(acme.database, user_id=eve.id) == ()


def test_addresses_are_those_of_verified_domains(acme):
    """Not those of a workspace that only claims a domain that another one has verified later."""
    acme.workspace("other", "other.test", "third.test")
    acme.workspace("late")
    acme.claim("late", "new.test")
    acme.inbox("late", "eve@new.test")
    acme.claim("acme", "new.test")
    acme.inbox("acme", "new@new.test")
    for workspace, address in (("acme", "bob@acme.test"), ("acme", "ada@acme.test"), ("other", "x@third.test")):
        acme.inbox(workspace, address)
    with acme.database.reading() as session:
        assert service.addresses_in(session, ["acme.test", "new.test", "nowhere.test"]) == (
            "ada@acme.test",
            "bob@acme.test",
        )
        assert service.addresses_in(session, []) == ()
    acme.verify("acme", "new.test")
    with acme.database.reading() as session:
        assert service.addresses_in(session, ["new.test", "third.test"]) == ("new@new.test", "x@third.test")


def test_an_address_is_an_inbox_or_an_alias_never_both(acme):
    acme.inbox("acme", "ada@acme.test")
    with pytest.raises(Conflict):
        acme.inbox("acme", "ADA@acme.test")
    with pytest.raises(Conflict):
        alias(acme, "ada@acme.test", "else@where.test")
    alias(acme, "info@acme.test", "ada@acme.test")
    with pytest.raises(Conflict):
        acme.inbox("acme", "info@acme.test")
    with pytest.raises(Conflict):
        alias(acme, "info@acme.test", "ada@acme.test")


def test_an_inbox_in_another_workspaces_domain_is_refused(acme):
    acme.workspace("eve")
    with pytest.raises(NotFound):
        acme.inbox("eve", "ada@acme.test")
    with pytest.raises(NotFound):
        alias(acme, "ada@acme.test", "eve@evil.test", workspace="eve")


def test_who_may_send_as_what(acme):
    acme.inbox("acme", "ada@acme.test")
    acme.inbox("acme", "bob@acme.test")
    alias(acme, "info@acme.test", "ada@acme.test")
    alias(acme, "@acme.test", "bob@acme.test")
    may = {
        (login, sender)
        for login in ("ada@acme.test", "bob@acme.test")
        for sender in (
            "ada@acme.test",
            "bob@acme.test",
            "info@acme.test",
            "ada+x@acme.test",
            "other@acme.test",
            "@",
            "",
        )
        if may_send_as(acme.database, login=login, address=sender)
    }
    assert may == {
        ("ada@acme.test", "ada@acme.test"),
        ("ada@acme.test", "ada+x@acme.test"),
        ("ada@acme.test", "info@acme.test"),
        ("bob@acme.test", "bob@acme.test"),
    }
    assert service.sender_addresses(acme.database, login="ada@acme.test") == ("ada@acme.test", "info@acme.test")


def test_forwarding_to_another_workspace_gives_it_no_right_to_send(acme):
    acme.workspace("other", "other.test")
    acme.inbox("other", "eve@other.test")
    alias(acme, "sales@acme.test", "eve@other.test")
    assert not may_send_as(acme.database, login="eve@other.test", address="sales@acme.test")


def test_aliases_are_deleted_whole_or_by_target(acme):
    for target in ("a@x.test", "b@x.test", "c@x.test"):
        alias(acme, "team@acme.test", target)
    aliases.delete_alias(acme.database, workspace="acme", source="team@acme.test", target="b@x.test")
    assert [view.target for view in aliases.list_aliases(acme.database, workspace="acme")] == ["a@x.test", "c@x.test"]
    aliases.delete_alias(acme.database, workspace="acme", source="team@acme.test")
    with pytest.raises(NotFound):
        aliases.delete_alias(acme.database, workspace="acme", source="team@acme.test")


def test_the_catch_all_is_written_with_or_without_a_star(acme):
    assert alias(acme, "*@acme.test", "ada@acme.test").source == "@acme.test"
    with pytest.raises(Conflict):
        alias(acme, "@ACME.test", "ada@acme.test")


@pytest.mark.parametrize(
    "address", ["ada+x@acme.test", "a b@acme.test", "@acme.test", "ada", '"ada"@acme.test', ".@acme.test"]
)
def test_what_is_no_inbox_address_is_refused(acme, address):
    with pytest.raises(InvalidInput):
        acme.inbox("acme", address)


@pytest.mark.parametrize("local_part", ["o'neil", "a/b", "a%b", "a*b", "{a}", "a=b", "a!b"])
def test_an_inbox_is_a_login_name_and_a_directory_too(acme, local_part):
    """Such addresses are legal and fine as an alias; Dovecot would log nobody in, and a slash would leave the folder."""
    with pytest.raises(InvalidInput, match="letters, digits"):
        acme.inbox("acme", f"{local_part}@acme.test")
    assert alias(acme, f"{local_part}@acme.test", "ada@acme.test").source == f"{local_part}@acme.test"


def test_deleting_an_inbox_takes_its_readers_along(acme):
    ada = acme.person("ada@acme.test")
    acme.inbox("acme", "ada@acme.test", reader="ada@acme.test")
    service.delete_inbox(acme.database, workspace="acme", address="ada@acme.test")
    assert service.inboxes_of(acme.database, user_id=ada.id) == ()
    with pytest.raises(NotFound):
        service.delete_inbox(acme.database, workspace="acme", address="ada@acme.test")
