"""Keys and rights: asked for once in a moment, changed within two seconds, never guessed."""

import pytest

from milters.keys import FRESH_SECONDS, KeyStore, SenderRights
from smailor.domains.dkim_keys import Algorithm, generate_key_pair
from smailor.domains.signing_keys import SigningKey
from smailor.errors import TemporaryFailure


def new_pem() -> str:
    return generate_key_pair().private_key_pem


class Source:
    """A database that counts how often it is asked, and a clock that a test moves."""

    def __init__(self):
        self.keys = {"acme.test": (SigningKey("acme.test", "s1", Algorithm.RSA, new_pem()),)}
        self.allowed = {("ada@acme.test", "ada@acme.test")}
        self.asked = 0
        self.seconds = 100.0
        self.down = False

    def load(self, domain):
        self.ask()
        return self.keys.get(domain, ())

    def may_send_as(self, login, address):
        self.ask()
        return (login, address) in self.allowed

    def ask(self):
        self.asked += 1
        if self.down:
            raise TemporaryFailure("the database does not answer")

    def monotonic(self):
        return self.seconds


@pytest.fixture
def source():
    return Source()


@pytest.fixture
def keys(source):
    return KeyStore(source.load, source.monotonic)


@pytest.fixture
def rights(source):
    return SenderRights(source.may_send_as, source.monotonic)


def selectors(keys):
    return [identity.selector for identity in keys.identities("acme.test")]


def test_a_key_is_parsed_once_and_asked_for_again_after_its_time(keys, source):
    first = keys.identities("acme.test")
    assert keys.identities("acme.test") is first
    assert source.asked == 1
    source.seconds += FRESH_SECONDS
    assert keys.identities("acme.test") is first
    assert source.asked == 2


def test_a_new_key_signs_within_two_seconds(keys, source):
    keys.identities("acme.test")
    source.keys["acme.test"] = (SigningKey("acme.test", "s2", Algorithm.RSA, new_pem()),)
    source.seconds += 2
    assert selectors(keys) == ["s2"]


def test_each_algorithm_has_its_key(keys, source):
    ed25519 = generate_key_pair(Algorithm.ED25519).private_key_pem
    source.keys["acme.test"] += (SigningKey("acme.test", "e1", Algorithm.ED25519, ed25519),)
    assert [identity.algorithm for identity in keys.identities("acme.test")] == ["rsa-sha256", "ed25519-sha256"]


def test_a_domain_that_goes_or_comes_is_seen(keys, source):
    key = source.keys.pop("acme.test")
    assert keys.identities("acme.test") == ()
    source.keys["acme.test"] = key
    assert selectors(keys) == ["s1"]
    source.keys.clear()
    source.seconds += 2
    assert keys.identities("acme.test") == ()


def test_an_unusable_key_is_a_temporary_failure_and_told_to_the_operator(keys, source, caplog):
    source.keys["acme.test"] = (SigningKey("acme.test", "s1", Algorithm.RSA, "not a key"),)
    with pytest.raises(TemporaryFailure):
        keys.identities("acme.test")
    assert "key-unreadable domain=acme.test" in caplog.text
    assert "not a key" not in caplog.text


def test_a_database_that_is_down_is_a_temporary_failure_once_what_is_known_is_old(keys, rights, source):
    keys.identities("acme.test")
    assert rights.may_send_as("ada@acme.test", "ada@acme.test")
    source.down = True
    assert selectors(keys) == ["s1"]
    source.seconds += 2
    with pytest.raises(TemporaryFailure):
        keys.identities("acme.test")
    with pytest.raises(TemporaryFailure):
        rights.may_send_as("ada@acme.test", "ada@acme.test")


def test_a_right_given_counts_at_once_and_one_taken_within_two_seconds(rights, source):
    assert not rights.may_send_as("ada@acme.test", "sales@acme.test")
    source.allowed.add(("ada@acme.test", "sales@acme.test"))
    assert rights.may_send_as("ada@acme.test", "sales@acme.test")
    source.allowed.clear()
    source.seconds += 2
    assert not rights.may_send_as("ada@acme.test", "sales@acme.test")
