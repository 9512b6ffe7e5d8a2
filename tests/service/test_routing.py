"""Which recipients an alias sends outside, on both engines: as Postfix expands them."""

import pytest

from smailor.database.engine import Database
from smailor.errors import TemporaryFailure
from smailor.mailboxes import aliases
from smailor.mailboxes.routing import is_forwarded_outside


@pytest.fixture
def alias(house):
    house.workspace("a", "a.test", "b.test")
    house.inbox("a", "ada@a.test")

    def add(source, *targets):
        for target in targets:
            aliases.create_alias(house.database, workspace="a", source=source, target=target, now=house.now)

    return add


def outside(house, recipient):
    return is_forwarded_outside(house.database, recipient=recipient)


@pytest.mark.parametrize("recipient", ["ada@a.test", "Ada+news@A.test", "nobody@a.test", "x@elsewhere.test", "", "odd"])
def test_without_an_alias_nothing_goes_outside(house, alias, recipient):
    """Also not to a domain that is not ours: nobody accepts mail for it."""
    assert not outside(house, recipient)


def test_an_alias_to_a_stranger_does(house, alias):
    alias("sales@a.test", "sales@elsewhere.test")
    assert outside(house, "sales@a.test")
    assert outside(house, "Sales+eu@a.test")


def test_an_alias_to_an_inbox_does_not(house, alias):
    alias("info@a.test", "ada@a.test")
    assert not outside(house, "info@a.test")


def test_one_stranger_in_a_group_is_enough(house, alias):
    alias("all@a.test", "ada@a.test", "x@elsewhere.test")
    assert outside(house, "all@a.test")


def test_aliases_of_aliases_are_followed(house, alias):
    alias("one@a.test", "two@b.test")
    alias("two@b.test", "three@a.test")
    assert not outside(house, "one@a.test")
    alias("three@a.test", "x@elsewhere.test")
    assert outside(house, "one@a.test")


def test_a_catch_all_takes_what_nobody_else_does(house, alias):
    alias("@a.test", "x@elsewhere.test")
    assert outside(house, "anybody@a.test")
    assert not outside(house, "ada@a.test")
    assert not outside(house, "ada+x@a.test")


def test_aliases_in_a_circle_end(house, alias):
    alias("one@a.test", "two@a.test")
    alias("two@a.test", "one@a.test")
    assert not outside(house, "one@a.test")
    alias("two@a.test", "x@elsewhere.test")
    assert outside(house, "one@a.test")


def test_an_unverified_domains_alias_counts_for_nothing(house, alias):
    house.claim("a", "c.test")
    alias("x@c.test", "x@elsewhere.test")
    assert not outside(house, "x@c.test")


def test_a_database_that_is_away_is_said_so(tmp_path):
    with pytest.raises(TemporaryFailure):
        is_forwarded_outside(Database(f"sqlite:///{tmp_path}/none/at/all.db"), recipient="ada@a.test")
