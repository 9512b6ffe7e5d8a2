"""The list of addresses that a workspace does not write to."""

import pytest

from smailor.errors import Conflict, InvalidInput, NotFound
from smailor.sending import suppression_service


@pytest.fixture
def listed(acme, operator):
    return {"workspace": "acme", "actor": operator, "now": acme.now}


def addresses(acme, **given):
    found = suppression_service.list_suppressed(acme.database, workspace="acme", **given)
    return [entry.address for entry in found]


def page(acme, **given):
    """The addresses of a part of the list, and how long all of it is."""
    found = suppression_service.page_suppressed(acme.database, workspace="acme", **given)
    return [entry.address for entry in found.entries], found.count


def test_an_address_is_added_once_and_removed_once(acme, listed, trail):
    entry = suppression_service.add(acme.database, address=" Bob@X.test ", reason="", **listed)
    assert (entry.address, entry.reason, entry.since) == ("bob@x.test", "added by hand", acme.now)
    with pytest.raises(Conflict):
        suppression_service.add(acme.database, address="bob@x.TEST", **listed)
    suppression_service.remove(acme.database, address="BOB@x.test", **listed)
    with pytest.raises(NotFound):
        suppression_service.remove(acme.database, address="bob@x.test", **listed)
    actions = [entry.action for entry in trail(workspace="acme")]
    assert actions == ["suppression.remove", "suppression.add"]


@pytest.mark.parametrize("address", ["", "bob", "a b@x.test", "@x.test", "bob@"])
def test_what_is_no_address(acme, listed, address):
    with pytest.raises(InvalidInput):
        suppression_service.add(acme.database, address=address, **listed)


def test_no_such_workspace(acme, listed):
    with pytest.raises(NotFound):
        suppression_service.add(acme.database, address="x@y.test", **{**listed, "workspace": "nobody"})
    with pytest.raises(NotFound):
        suppression_service.list_suppressed(acme.database, workspace="nobody")
    with pytest.raises(NotFound):
        suppression_service.page_suppressed(acme.database, workspace="nobody", limit=1)


def test_a_file_adds_what_is_not_there_yet(acme, listed):
    suppression_service.add(acme.database, address="b@x.test", reason="first", **listed)
    imported, added = suppression_service.import_csv(
        acme.database, text="a@x.test,moved\nb@x.test,second\nwrong\n", **listed
    )
    assert (len(imported.entries), added, imported.unread) == (2, 1, 1)
    reasons = {
        entry.address: entry.reason for entry in suppression_service.list_suppressed(acme.database, workspace="acme")
    }
    assert reasons == {"a@x.test": "moved", "b@x.test": "first"}


def test_a_long_file_is_taken_in_one_transaction(acme, listed):
    text = "\n".join(f"u{number:05}@x.test" for number in range(3000))
    assert suppression_service.import_csv(acme.database, text=text, **listed)[1] == 3000
    assert suppression_service.import_csv(acme.database, text=text, **listed)[1] == 0
    assert page(acme, limit=2, after="u00010@x.test") == (["u00011@x.test", "u00012@x.test"], 3000)
    assert page(acme, limit=1, search="u02999") == (["u02999@x.test"], 3000)
    assert page(acme, limit=1, search="nobody") == ([], 3000)
    assert addresses(acme, search=" U0299") == [f"u0299{number}@x.test" for number in range(10)]


def test_a_search_is_text_and_no_pattern(acme, listed):
    for address in ("a_b@x.test", "axb@x.test", "a%b@x.test"):
        suppression_service.add(acme.database, address=address, **listed)
    assert addresses(acme, search="a_b") == ["a_b@x.test"]
    assert addresses(acme, search="%") == ["a%b@x.test"]


def test_a_list_is_full_at_some_point(acme, listed, monkeypatch):
    monkeypatch.setattr(suppression_service, "MAX_ENTRIES", 2)
    with pytest.raises(InvalidInput):
        suppression_service.import_csv(acme.database, text="a@x.test\nb@x.test\nc@x.test\n", **listed)
    assert addresses(acme) == []
    assert page(acme, limit=1) == ([], 0)
