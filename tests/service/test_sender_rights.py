"""Who may send as another inbox or a whole domain, on both engines: given, taken away, and bound to one workspace."""

import pytest
from sqlalchemy import text

from smailor.accounts import workspaces
from smailor.domains import service as domains
from smailor.domains.signing_keys import hides_clients
from smailor.errors import Conflict, InvalidInput, NotFound
from smailor.mailboxes import aliases, sender_rights, service
from smailor.mailboxes.may_send import may_send_as

ADA, BOSS, EVE = "ada@acme.test", "boss@acme.test", "eve@other.test"


@pytest.fixture
def acme(house):
    """Two workspaces; acme has two verified domains and one that it only claims."""
    house.workspace("acme", "acme.test", "brand.test")
    house.claim("acme", "claimed.test")
    house.workspace("other", "other.test")
    for address in (ADA, BOSS, "shop@brand.test", "ada@claimed.test"):
        house.inbox("acme", address)
    house.inbox("other", EVE)
    return house


def allow(house, login, sender, workspace="acme"):
    return sender_rights.allow(house.database, workspace=workspace, login=login, sender=sender, now=house.now)


def disallow(house, login, sender, workspace="acme"):
    sender_rights.disallow(house.database, workspace=workspace, login=login, sender=sender)


def may(house, login, *senders):
    return [may_send_as(house.database, login=login, address=sender) for sender in senders]


def alias(house, source, target):
    aliases.create_alias(house.database, workspace="acme", source=source, target=target, now=house.now)


def postfix_finds(house, *keys):
    """What a Postfix map answers: the first key that has rows decides."""
    with house.database.reading() as session:
        for key in keys:
            query = text("SELECT login FROM mta_senders WHERE sender = :key")
            if found := set(session.scalars(query, {"key": key})):
                return found
    return set()


def test_a_delegate_sends_as_the_other_inbox_and_its_sub_addresses_only(acme):
    alias(acme, "press@acme.test", BOSS)
    right = allow(acme, " ADA@acme.test", "Boss@ACME.test")
    assert (right.login, right.sender) == (ADA, BOSS)
    assert may(acme, ADA, BOSS, "boss+x@acme.test", "press@acme.test", "shop@brand.test") == [True, True, False, False]
    assert may(acme, BOSS, ADA) == [False]
    assert postfix_finds(acme, BOSS) == {ADA, BOSS}


def test_a_right_that_is_taken_away_ends_at_once(acme):
    allow(acme, ADA, BOSS)
    allow(acme, ADA, "@brand.test")
    disallow(acme, ADA, BOSS)
    assert may(acme, ADA, BOSS, "shop@brand.test") == [False, True]
    disallow(acme, ADA, "@Brand.test")
    assert may(acme, ADA, BOSS, "shop@brand.test", ADA) == [False, False, True]
    for sender in (BOSS, "@brand.test", "@acme.test"):
        with pytest.raises(NotFound):
            disallow(acme, ADA, sender)


def test_a_domain_wide_right_covers_every_address_of_that_domain_and_none_below_it(acme):
    alias(acme, "info@brand.test", "friend@elsewhere.test")
    alias(acme, "orders@brand.test", "shop@brand.test")
    alias(acme, "@brand.test", "shop@brand.test")
    allow(acme, ADA, "@brand.test")
    of_the_domain = ("shop@brand.test", "info@brand.test", "orders@brand.test", "any.thing+x@brand.test")
    assert may(acme, ADA, *of_the_domain) == [True] * 4
    assert may(acme, ADA, "x@sub.brand.test", "x@brand.test.evil.test", "@brand.test", "boss@acme.test") == [False] * 4
    assert may(acme, "shop@brand.test", "any.thing@brand.test") == [False]


def test_postfix_finds_the_domain_wide_login_beside_those_of_an_address_with_rows_of_its_own(acme):
    alias(acme, "orders@brand.test", "shop@brand.test")
    alias(acme, "orders@brand.test", BOSS)
    allow(acme, ADA, "@brand.test")
    allow(acme, BOSS, "shop@brand.test")
    assert postfix_finds(acme, "shop@brand.test", "@brand.test") == {ADA, BOSS, "shop@brand.test"}
    assert postfix_finds(acme, "shop+x@brand.test", "shop@brand.test", "@brand.test") == {ADA, BOSS, "shop@brand.test"}
    assert postfix_finds(acme, "orders@brand.test", "@brand.test") == {ADA, BOSS, "shop@brand.test"}
    assert postfix_finds(acme, "nobody@brand.test", "@brand.test") == {ADA}
    assert postfix_finds(acme, "nobody@acme.test", "@acme.test") == set()


def test_an_address_that_comes_later_changes_nothing_for_a_domain_wide_login(acme):
    """A new inbox or alias of the domain gets rows of its own, which would otherwise hide the domain's."""
    allow(acme, ADA, "@brand.test")
    assert postfix_finds(acme, "new@brand.test", "@brand.test") == {ADA}
    acme.inbox("acme", "new@brand.test")
    alias(acme, "newer@brand.test", "new@brand.test")
    assert ADA in postfix_finds(acme, "new@brand.test", "@brand.test")
    assert ADA in postfix_finds(acme, "newer@brand.test", "@brand.test")


def test_another_workspaces_inbox_or_domain_does_not_exist(acme):
    for login, sender, workspace in (
        (ADA, EVE, "acme"),
        (ADA, "@other.test", "acme"),
        (EVE, BOSS, "acme"),
        (EVE, BOSS, "other"),
        (EVE, "@acme.test", "other"),
        (ADA, BOSS, "other"),
    ):
        with pytest.raises(NotFound):
            allow(acme, login, sender, workspace)
    allow(acme, ADA, BOSS)
    with pytest.raises(NotFound):
        disallow(acme, ADA, BOSS, "other")
    assert may(acme, ADA, BOSS) == [True]


def test_what_cannot_be_given_is_said(acme):
    allow(acme, ADA, BOSS)
    allow(acme, ADA, "@acme.test")
    for sender, error, words in (
        (BOSS, Conflict, "ada@acme.test may send as boss@acme.test already"),
        ("@acme.test", Conflict, "ada@acme.test may send as @acme.test already"),
        (ADA, InvalidInput, "own address"),
        ("nobody@acme.test", NotFound, "acme has no inbox nobody@acme.test"),
        ("@nowhere.test", NotFound, "acme has no domain nowhere.test"),
        ("@claimed.test", Conflict, "claimed.test is not verified"),
        ("ada@claimed.test", Conflict, "claimed.test is not verified"),
        ("boss+x@acme.test", InvalidInput, "sub-address"),
        ("boss", InvalidInput, "name@example.com"),
        ("@", InvalidInput, "domain"),
        ("", InvalidInput, "name@example.com"),
    ):
        with pytest.raises(error, match=words) as refused:
            allow(acme, ADA, sender)
        assert getattr(refused.value, "field", "sender") == "sender"


def test_a_domain_that_is_disabled_loses_all_rights(acme):
    allow(acme, ADA, BOSS)
    allow(acme, "shop@brand.test", BOSS)
    allow(acme, ADA, "@brand.test")
    with acme.database.transaction() as session:
        session.execute(text("UPDATE domains SET verified_at = NULL WHERE name = 'brand.test'"))
    assert may(acme, ADA, "shop@brand.test", "any@brand.test", BOSS) == [False, False, True]
    assert may(acme, "shop@brand.test", BOSS, "shop@brand.test") == [False, False]


def test_a_domain_that_moves_to_another_workspace_takes_no_right_along_nor_leaves_one(acme):
    allow(acme, ADA, "shop@brand.test")
    allow(acme, ADA, "@brand.test")
    allow(acme, "shop@brand.test", BOSS)
    with acme.database.transaction() as session:
        session.execute(
            text(
                "UPDATE domains SET workspace_id = (SELECT id FROM workspaces WHERE slug = 'other') WHERE name = :name"
            ),
            {"name": "brand.test"},
        )
    assert may(acme, ADA, "shop@brand.test", "any@brand.test") == [False, False]
    assert may(acme, "shop@brand.test", BOSS, "shop@brand.test") == [False, True]
    assert postfix_finds(acme, "@brand.test") == set()


def test_a_domain_that_is_deleted_and_claimed_anew_begins_without_rights(acme):
    allow(acme, ADA, "@brand.test")
    service.delete_inbox(acme.database, workspace="acme", address="shop@brand.test")
    with acme.database.transaction() as session:
        domains.delete_domain_in(session, "acme", "brand.test")
    acme.claim("acme", "brand.test")
    acme.verify("acme", "brand.test")
    assert may(acme, ADA, "any@brand.test") == [False]
    assert sender_rights.list_rights(acme.database, workspace="acme") == ()


@pytest.mark.parametrize("deleted", [ADA, BOSS])
def test_deleting_an_inbox_ends_its_rights_and_those_to_it_for_good(acme, deleted):
    allow(acme, ADA, BOSS)
    if deleted == ADA:
        allow(acme, ADA, "@brand.test")
    service.delete_inbox(acme.database, workspace="acme", address=deleted)
    acme.inbox("acme", deleted)
    assert may(acme, ADA, BOSS, "any@brand.test") == [False, False]
    assert sender_rights.list_rights(acme.database, workspace="acme") == ()


def test_a_claim_of_the_same_domain_elsewhere_gives_nothing(acme):
    """A squatter's workspace claims acme.test before it is verified, and gives itself what it can."""
    acme.workspace("late")
    acme.claim("late", "late.test")
    acme.workspace("squatter", "squatter.test")
    acme.claim("squatter", "late.test")
    acme.inbox("squatter", "mallory@squatter.test")
    acme.inbox("squatter", "chief@late.test")
    acme.inbox("late", "chief@late.test")
    for sender in ("chief@late.test", "@late.test"):
        with pytest.raises(Conflict, match="not verified"):
            allow(acme, "mallory@squatter.test", sender, "squatter")
    acme.verify("late", "late.test")
    assert may(acme, "mallory@squatter.test", "chief@late.test") == [False]


def test_rights_are_listed_by_inbox(acme):
    allow(acme, BOSS, ADA)
    allow(acme, ADA, BOSS)
    allow(acme, ADA, "@brand.test")
    shown = [(right.login, right.sender) for right in sender_rights.list_rights(acme.database, workspace="acme")]
    assert shown == [(ADA, "@brand.test"), (ADA, BOSS), (BOSS, ADA)]
    one = sender_rights.list_rights(acme.database, workspace="acme", login=BOSS)
    assert [(right.sender, right.created_at) for right in one] == [(ADA, acme.now)]
    assert sender_rights.list_rights(acme.database, workspace="other") == ()
    with pytest.raises(NotFound):
        sender_rights.list_rights(acme.database, workspace="other", login=ADA)


def test_what_may_be_chosen_as_sender_has_a_name_and_says_whether_its_mail_comes_here(acme):
    alias(acme, "info@acme.test", ADA)
    alias(acme, "orders@brand.test", "shop@brand.test")
    allow(acme, ADA, BOSS)
    allow(acme, ADA, "@brand.test")
    service.create_inbox(acme.database, workspace="acme", address="hr@brand.test", name="Human Resources", now=acme.now)
    shown = [(s.address, s.name, s.own) for s in sender_rights.senders(acme.database, login=ADA)]
    assert shown == [
        (ADA, "Somebody", True),
        ("boss@acme.test", "Somebody", False),
        ("hr@brand.test", "Human Resources", False),
        ("info@acme.test", "", True),
        ("orders@brand.test", "", False),
        ("shop@brand.test", "Somebody", False),
    ]


def test_a_workspace_hides_its_peoples_clients_until_it_says_otherwise(acme):
    assert workspaces.workspace(acme.database, slug="acme").sender_privacy
    assert workspaces.set_sender_privacy(acme.database, workspace="acme", on=False).sender_privacy is False
    hides = [hides_clients(acme.database, domain=name) for name in ("acme.test", "brand.test", "other.test")]
    assert hides == [False, False, True]
    assert hides_clients(acme.database, domain="claimed.test"), "what is not verified sends nothing"
    assert hides_clients(acme.database, domain="nowhere.test")
    assert workspaces.set_sender_privacy(acme.database, workspace="acme", on=True).sender_privacy
    assert hides_clients(acme.database, domain="acme.test")
    with pytest.raises(NotFound):
        workspaces.set_sender_privacy(acme.database, workspace="none", on=True)
