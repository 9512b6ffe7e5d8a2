"""What the signing tenant decides, told in values: no milter, no database."""

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from milters.signing import MAX_KEPT_OCTETS, SigningTenant
from milters.tenant import Action, AddHeader, Arrival, Envelope, RemoveHeader
from smailor.authentication.dkim import SigningIdentity
from smailor.errors import TemporaryFailure

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
LOGIN = "ada@acme.test"
WHOLE = [
    ("From", b" Ada <ada@acme.test>"),
    ("Date", b" Mon, 23 Nov 2026 09:30:00 +0000"),
    ("Message-ID", b" <1@acme.test>"),
]


class Keys:
    def __init__(self):
        self.down = False
        self.keys = [KEY]

    def identities(self, domain):
        if self.down:
            raise TemporaryFailure("the database does not answer")
        return tuple(SigningIdentity(domain, f"s{n}", key) for n, key in enumerate(self.keys, 1)) * (
            domain == "acme.test"
        )

    def missing(self, domain):
        return TemporaryFailure(f"{domain} has no signing key")


class Rights:
    def may_send_as(self, login, address):
        return login == LOGIN and address in {LOGIN, "sales@acme.test", "ada@keyless.test"}


class Privacy:
    def hides_client(self, domain):
        return True


@pytest.fixture
def keys():
    return Keys()


@pytest.fixture
def judge(keys):
    """Return what becomes of a message with these header fields."""
    tenant = SigningTenant(
        keys=keys, rights=Rights(), privacy=Privacy(), hostname="mx.test", now=lambda: NOW, draw_id=lambda: "unique"
    )

    def judge(fields, *, login=LOGIN, sender=LOGIN):
        conversation = tenant.begin(Arrival())
        for name, value in fields:
            if verdict := conversation.header(name, value):
                return verdict
        conversation.body(b"Hello\r\n")
        return conversation.end(Envelope("4Xb", login, sender))

    return judge


def test_a_whole_message_gets_one_edit_its_signature_on_top(judge):
    verdict = judge(WHOLE)
    assert verdict.action is Action.ACCEPT
    [edit] = verdict.edits
    assert (edit.name, edit.on_top) == ("DKIM-Signature", True)
    assert "d=acme.test; s=s1;" in edit.value


def test_each_algorithm_signs_the_same_message_and_none_signs_the_other(judge, keys):
    keys.keys.append(Ed25519PrivateKey.generate())
    first, second = judge(WHOLE).edits
    assert "a=rsa-sha256;" in first.value
    assert "a=ed25519-sha256;" in second.value
    assert "dkim-signature" not in first.value + second.value


def test_date_and_message_id_are_added_and_signed_when_missing(judge):
    date, message_id, signature = judge([("From", b" ada@acme.test")]).edits
    assert date == AddHeader("Date", " Mon, 23 Nov 2026 09:30:00 +0000")
    assert message_id == AddHeader("Message-ID", " <unique@acme.test>")
    assert "h=from:date:message-id:from:" in signature.value


def test_every_bcc_is_removed_the_last_one_first(judge):
    edits = judge([*WHOLE, ("Bcc", b" a@x.test"), ("BCC", b" b@x.test"), ("Resent-Bcc", b" c@x.test")]).edits
    assert edits[:3] == (RemoveHeader("bcc", 2), RemoveHeader("bcc", 1), RemoveHeader("resent-bcc", 1))
    assert "bcc" not in edits[3].value.lower()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b" eve@acme.test", "<eve@acme.test> may not be used as From by ada@acme.test"),
        (b" Eve <eve@evil.test>", "<eve@evil.test> may not be used as From by ada@acme.test"),
        (b' "boss@bank.example" <ada@acme.test>', "<boss@bank.example> may not be used as From by ada@acme.test"),
        (b" ada@acme.test, eve@acme.test", "From may not be used by ada@acme.test: it names more than one mailbox"),
        (b" Staff: ada@acme.test;", "From may not be used by ada@acme.test: it is a group, not a mailbox"),
    ],
)
def test_a_from_that_is_not_the_logins_is_refused_by_name(judge, value, said):
    verdict = judge([("From", value), *WHOLE[1:]])
    assert verdict.action is Action.REFUSE
    assert (verdict.reply.code, verdict.reply.enhanced, verdict.reply.text) == (550, "5.7.1", said)
    assert verdict.edits == ()


@pytest.mark.parametrize(
    "fields",
    [
        WHOLE[1:],
        [*WHOLE, ("From", b" ada@acme.test")],
        [*WHOLE, ("from ", b" eve@evil.test")],
        [*WHOLE, ("FROM\t", b" eve@evil.test")],
    ],
)
def test_there_is_exactly_one_from(judge, fields):
    verdict = judge(fields)
    assert verdict.action is Action.REFUSE
    assert "there has to be one" in verdict.reply.text


@pytest.mark.parametrize("value", [b" sales@acme.test", b' "Sales, sales@acme.test" <ada@acme.test>'])
def test_aliases_may_be_used_and_shown(judge, value):
    assert judge([("From", value), *WHOLE[1:]]).action is Action.ACCEPT


def test_the_envelope_sender_belongs_to_the_login_too(judge):
    verdict = judge(WHOLE, sender="eve@acme.test")
    assert verdict.reply.text == "<eve@acme.test> may not be used as envelope sender by ada@acme.test"
    assert judge(WHOLE, sender="").action is Action.ACCEPT


def test_logins_are_compared_in_lower_case(judge):
    assert judge(WHOLE, login="Ada@Acme.test").action is Action.ACCEPT


@pytest.mark.parametrize("login", [LOGIN, None])
def test_a_database_that_is_down_makes_mail_wait(judge, keys, login):
    keys.down = True
    verdict = judge(WHOLE, login=login)
    assert (verdict.action, verdict.reply.code) == (Action.TRY_LATER, 451)


def test_without_a_key_nothing_leaves_and_the_client_is_told_no_detail(judge):
    verdict = judge([("From", b" ada@keyless.test"), *WHOLE[1:]])
    assert (verdict.action, verdict.reply.code) == (Action.TRY_LATER, 451)
    assert "keyless" not in verdict.reply.text


def test_a_bounce_of_ours_is_signed_where_the_domain_is_ours(judge):
    [edit] = judge([("From", b" MAILER-DAEMON@acme.test")], login=None, sender="").edits
    assert edit.name == "DKIM-Signature"


@pytest.mark.parametrize(
    "fields",
    [
        [("From", b" MAILER-DAEMON@mx.smailor.test")],
        [("From", b" broken")],
        [("Subject", b" no From at all")],
        [*WHOLE, ("Received", b" from somewhere by us")],
    ],
)
def test_other_mail_of_this_machine_passes_unchanged(judge, fields):
    """Forwarded mail has a Received field: somebody else wrote its From, and it may be forged."""
    verdict = judge(fields, login=None, sender="")
    assert (verdict.action, verdict.edits) == (Action.ACCEPT, ())


def test_a_header_without_end_is_refused_before_it_fills_the_memory(judge):
    fields = [("Subject", b" x" * 5000)] * (MAX_KEPT_OCTETS // 10_000 + 2)
    verdict = judge([*WHOLE, *fields])
    assert (verdict.action, verdict.reply.enhanced) == (Action.REFUSE, "5.6.0")
