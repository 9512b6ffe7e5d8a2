"""What a message says of where it was sent from, told in values; and how long a wish or a right is remembered."""

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from milters.keys import FRESH_SECONDS, SenderPrivacy, SenderRights
from milters.signing import SigningTenant
from milters.tenant import Action, AddHeader, Arrival, Envelope, RemoveHeader
from smailor.authentication.dkim import SigningIdentity
from smailor.errors import TemporaryFailure

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
WHOLE = [
    ("From", b" ada@acme.test"),
    ("Date", b" Mon, 23 Nov 2026 09:30:00 +0000"),
    ("Message-ID", b" <1@acme.test>"),
]
RELAYED = [
    ("Received", b" from pc-17 (10.0.0.5)\n\tby office.acme.test with SMTP; Mon, 23 Nov 2026 09:29:58 +0000"),
    ("received", b"\n by mx.test (Postfix) with ESMTPSA id 4Xa; Mon, 23 Nov 2026 09:29:59 +0000"),
    ("Received ", b" by mx.test.office.acme.test; Mon, 23 Nov 2026 09:29:57 +0000"),
    ("RECEIVED", b""),
]


class House:
    """Keys, rights and a wish of acme.test."""

    def __init__(self, *, hides):
        self.hides = hides
        self.down = False

    def identities(self, domain):
        return (SigningIdentity(domain, "s1", KEY),)

    def may_send_as(self, login, address):
        return True

    def hides_client(self, domain):
        assert domain == "acme.test"
        if self.down:
            raise TemporaryFailure("the database does not answer")
        return self.hides


def judged(house, fields, *, client_name="pc.acme.test", client_ip="192.0.2.9", login="ada@acme.test"):
    tenant = SigningTenant(
        keys=house, rights=house, privacy=house, hostname="mx.test", now=lambda: NOW, draw_id=lambda: "unique"
    )
    conversation = tenant.begin(Arrival())
    for name, value in fields:
        conversation.header(name, value)
    return conversation.end(Envelope("4Xb", login, "ada@acme.test", client_name, client_ip))


def test_what_the_clients_network_wrote_is_removed_the_last_one_first_and_our_own_stays():
    verdict = judged(House(hides=True), [*RELAYED, *WHOLE])
    *removed, signature = verdict.edits
    assert removed == [RemoveHeader("received", number) for number in (4, 3, 1)]
    assert signature.name == "DKIM-Signature"


def test_a_plain_message_needs_no_edit_to_hide_its_client():
    [signature] = judged(House(hides=True), WHOLE).edits
    assert signature.name == "DKIM-Signature"


def test_where_nothing_is_hidden_the_client_is_told_below_the_mtas_own_field_and_the_signature_is_on_top():
    received, signature = judged(House(hides=False), [*RELAYED, *WHOLE]).edits
    assert received == AddHeader(
        "Received",
        " from [192.0.2.9] (pc.acme.test [192.0.2.9])\r\n\tby mx.test with ESMTPSA id 4Xb;\r\n"
        "\tMon, 23 Nov 2026 09:30:00 +0000",
        on_top=True,
        below=1,
    )
    assert (signature.name, signature.below) == ("DKIM-Signature", 0)


@pytest.mark.parametrize(
    ("name", "ip", "told"),
    [
        ("unknown", "2001:DB8::9", " from [IPv6:2001:db8::9] (unknown [IPv6:2001:db8::9])"),
        ("evil\r\nX-Bad: 1", "192.0.2.9", " from [192.0.2.9] (unknown [192.0.2.9])"),
        ("", "192.0.2.9", " from [192.0.2.9] (unknown [192.0.2.9])"),
    ],
)
def test_the_client_is_told_by_address_and_nothing_odd_gets_into_the_field(name, ip, told):
    received, _ = judged(House(hides=False), WHOLE, client_name=name, client_ip=ip).edits
    assert received.value.startswith(f"{told}\r\n\tby mx.test")


@pytest.mark.parametrize("ip", ["", "unknown", "192.0.2.9\r\nX: y"])
def test_a_client_without_an_address_is_not_told(ip):
    assert len(judged(House(hides=False), WHOLE, client_ip=ip).edits) == 1


def test_mail_waits_while_the_wish_cannot_be_known():
    house = House(hides=False)
    house.down = True
    assert judged(house, WHOLE).action is Action.TRY_LATER


def test_mail_that_was_born_here_has_no_client():
    assert [edit.name for edit in judged(House(hides=False), WHOLE, login=None).edits] == ["DKIM-Signature"]


class Source:
    """A database that counts how often it is asked, and a clock that a test moves."""

    def __init__(self):
        self.hides = True
        self.allowed = {("ada@acme.test", "ada@acme.test"), ("ada@acme.test", "boss@acme.test")}
        self.asked = 0
        self.seconds = 100.0
        self.down = False

    def hides_clients(self, domain):
        self.asked += 1
        if self.down:
            raise TemporaryFailure("the database does not answer")
        return self.hides

    def may_send_as(self, login, address):
        self.asked += 1
        return (login, address) in self.allowed

    def monotonic(self):
        return self.seconds


@pytest.fixture
def source():
    return Source()


def test_a_wish_is_asked_for_once_in_a_moment_and_a_new_one_counts_within_two_seconds(source):
    privacy = SenderPrivacy(source.hides_clients, source.monotonic)
    assert [privacy.hides_client("acme.test") for _ in range(3)] == [True] * 3
    assert source.asked == 1
    source.hides = False
    source.seconds += FRESH_SECONDS
    assert FRESH_SECONDS < 2
    assert privacy.hides_client("acme.test") is False


def test_a_wish_that_is_old_is_not_gone_by_while_the_database_is_down(source):
    privacy = SenderPrivacy(source.hides_clients, source.monotonic)
    source.hides = False
    privacy.hides_client("acme.test")
    source.down = True
    assert privacy.hides_client("acme.test") is False
    source.seconds += 2
    with pytest.raises(TemporaryFailure):
        privacy.hides_client("acme.test")


def test_the_right_to_ones_own_address_is_remembered_and_any_other_is_asked_for_each_time(source):
    rights = SenderRights(source.may_send_as, source.monotonic)
    for _ in range(3):
        assert rights.may_send_as("ada@acme.test", "ada@acme.test")
    assert source.asked == 1
    assert rights.may_send_as("ada@acme.test", "boss@acme.test")
    source.allowed.discard(("ada@acme.test", "boss@acme.test"))
    assert not rights.may_send_as("ada@acme.test", "boss@acme.test"), "taken away is refused at the next message"
