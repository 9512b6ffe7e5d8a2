"""Signing up and setting passwords anew, as use cases, on both engines."""

from datetime import timedelta

import pytest

from smailor.accounts import credentials, members, notices, one_time, profile, sessions, signup, workspaces
from smailor.accounts import service as accounts
from smailor.accounts.breached import Breached
from smailor.accounts.desk import Asked, Desk
from smailor.accounts.letters import Letterhead
from smailor.accounts.permissions import Role
from smailor.accounts.signup import SignUp
from smailor.delivery import Delivery
from smailor.errors import InvalidInput, NotFound

GOOD, OTHER = "seven purple umbrellas", "nine yellow raincoats"
HEAD = Letterhead("Smailor", "letters@smailor.test", "postmaster@smailor.test", "https://mail.smailor.test")


@pytest.fixture
def desk(sealer):
    return Desk(HEAD, sealer, Breached())


@pytest.fixture
def asked(now):
    return Asked("en", "192.0.2.7", now)


@pytest.fixture
def tokens(house, desk):
    """Returns the tokens of the links in the letters since the last time, by recipient."""

    def take():
        found = {}

        def deliver(recipient, message):
            text = message.decode().replace("=\r\n", "")
            link = next((line for line in text.split("\r\n") if "https://" in line and line.count("/") > 3), "")
            found.setdefault(recipient, []).append(link.rpartition("/")[2])
            return Delivery.SENT

        notices.send_due(house.database, desk.sealer, deliver=deliver, now=house.now)
        return found

    return take


def wanted(email="ada@analytical.test", password=GOOD, mark="here", **fields):
    return SignUp(email, fields.get("name", "Ada"), password, fields.get("workspace", ""), mark)


def test_of_two_who_sign_up_with_one_address_each_opens_what_they_asked_for(house, desk, asked, tokens):
    """Somebody who signs up with another's address has no way into the account that its owner opens."""
    signup.sign_up(house.database, desk, wanted=wanted(password=OTHER, mark="thief"), letter=True, asked=asked)
    signup.sign_up(house.database, desk, wanted=wanted(mark="owner"), letter=True, asked=asked)
    thiefs, owners = tokens()["ada@analytical.test"]
    with pytest.raises(InvalidInput):
        signup.verify(house.database, token=thiefs, mark="owner", password="", asked=asked)
    with pytest.raises(InvalidInput):
        signup.verify(house.database, token=thiefs, mark="owner", password=GOOD, asked=asked)
    user = signup.verify(house.database, token=owners, mark="owner", password="", asked=asked)
    assert accounts.verify_password(house.database, email=user.email, password=GOOD) == user
    assert accounts.verify_password(house.database, email=user.email, password=OTHER) is None
    with pytest.raises(NotFound):
        signup.verify(house.database, token=thiefs, mark="thief", password=OTHER, asked=asked)


def test_a_link_ends_after_a_day(house, desk, asked, tokens):
    signup.sign_up(house.database, desk, wanted=wanted(), letter=True, asked=asked)
    ((token,),) = tokens().values()
    late = Asked("en", "", house.now + timedelta(hours=24))
    with pytest.raises(NotFound):
        signup.verify(house.database, token=token, mark="here", password="", asked=late)


@pytest.mark.parametrize("token", ["", "x", "x" * 100_000, "\x00", "\u202e", "%", "'"])
@pytest.mark.parametrize("purpose", list(one_time.Purpose))
def test_odd_links_open_nothing(house, token, purpose):
    with pytest.raises(NotFound):
        one_time.look(house.database, purpose=purpose, token=token, now=house.now)


def test_a_link_of_one_purpose_is_none_of_another(house, desk, asked, tokens):
    house.person("ada@analytical.test")
    credentials.ask_reset(house.database, desk, email="ada@analytical.test", letter=True, asked=asked)
    ((token,),) = tokens().values()
    for purpose in (one_time.Purpose.SIGN_UP, one_time.Purpose.CHANGE_ADDRESS):
        with pytest.raises(NotFound):
            one_time.look(house.database, purpose=purpose, token=token, now=house.now)


def test_a_workspace_is_opened_with_the_link_and_gets_a_free_name(house, desk, asked, tokens):
    house.workspace("muller-sohne")
    signup.sign_up(house.database, desk, wanted=wanted(workspace="Müller & Söhne"), letter=True, asked=asked)
    ((token,),) = tokens().values()
    user = signup.verify(house.database, token=token, mark="here", password="", asked=asked)
    (place,) = members.memberships(house.database, user_id=user.id)
    assert (place.workspace.slug, place.workspace.name, place.role) == ("muller-sohne-2", "Müller & Söhne", Role.OWNER)


@pytest.mark.parametrize("name", ["株式会社", "!!!", "-", "a" * 200, "..", "%2e%2e/"])
def test_any_name_of_a_workspace_gives_a_path(name):
    slug = workspaces.slug_of(name)
    assert 1 <= len(slug) <= 40
    assert set(slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


@pytest.mark.parametrize(
    "email",
    ["plus+tag@analytical.test", "o'brien@analytical.test", "ada@bücher.test", "a!#$%&*=?^_`{|}~b@analytical.test"],
)
def test_odd_but_legal_addresses_can_sign_up(house, desk, asked, tokens, email):
    signup.sign_up(house.database, desk, wanted=wanted(email=email), letter=True, asked=asked)
    ((token,),) = tokens().values()
    assert signup.verify(house.database, token=token, mark="here", password="", asked=asked).verified


@pytest.mark.parametrize(
    "email", ['"a b"@x.test', "a@[192.0.2.1]", "a" * 65 + "@x.test", "a@b\x00.test", "a\u202e@x.test"]
)
def test_addresses_that_cannot_be_kept_are_refused(house, desk, asked, email):
    with pytest.raises(InvalidInput):
        signup.sign_up(house.database, desk, wanted=wanted(email=email), letter=True, asked=asked)


def test_addresses_that_nobody_opens_are_forgotten_after_a_week(house, desk, asked):
    signup.sign_up(house.database, desk, wanted=wanted(), letter=True, asked=asked)
    house.person("known@analytical.test")
    assert signup.prune(house.database, now=house.now + timedelta(days=6)) == 0
    assert signup.prune(house.database, now=house.now + timedelta(days=7)) == 1
    assert [user.email for user in accounts.list_users(house.database)] == ["known@analytical.test"]


def test_a_password_set_anew_ends_all_sessions_and_all_links(house, desk, asked, tokens):
    ada = house.person("ada@analytical.test")
    token = sessions.start(house.database, user_id=ada.id, method="password", now=house.now)
    for _ in range(2):
        credentials.ask_reset(house.database, desk, email=ada.email, letter=True, asked=asked)
    first, second = tokens()[ada.email]
    _, ended = credentials.reset(house.database, desk, token=second, password=GOOD, asked=asked)
    assert len(ended) == 1
    assert sessions.find(house.database, token=token, now=house.now) is None
    for used in (first, second):
        with pytest.raises(NotFound):
            credentials.reset(house.database, desk, token=used, password=OTHER, asked=asked)


def test_a_password_that_is_refused_does_not_use_the_link_up(house, desk, asked, tokens):
    house.person("ada@analytical.test")
    credentials.ask_reset(house.database, desk, email="ada@analytical.test", letter=True, asked=asked)
    ((token,),) = tokens().values()
    with pytest.raises(InvalidInput):
        credentials.reset(house.database, desk, token=token, password="password1234", asked=asked)
    credentials.reset(house.database, desk, token=token, password=GOOD, asked=asked)


def test_an_address_is_given_to_who_opens_its_link_while_logged_in(house, desk, asked, tokens):
    ada, thief = house.person("ada@analytical.test"), house.person("thief@analytical.test")
    profile.ask_address(house.database, desk, user_id=ada.id, email="new@analytical.test", letter=True, asked=asked)
    ((token,),) = tokens().values()
    with pytest.raises(NotFound):
        profile.confirm_address(house.database, desk, user_id=thief.id, token=token, asked=asked)
    view = profile.confirm_address(house.database, desk, user_id=ada.id, token=token, asked=asked)
    assert view.email == "new@analytical.test"
    assert list(tokens()) == ["ada@analytical.test"]
