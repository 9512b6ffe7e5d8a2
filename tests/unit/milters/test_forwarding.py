"""Forwarded mail leaves sealed and with a sender of ours; everything else is left alone."""

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from milters.dmarc import DmarcTenant
from milters.forwarding import FRESH_SECONDS, Forwarder, Routes
from milters.tenant import Action, AddHeader, Arrival, ChangeSender, Envelope
from smailor.authentication import srs
from smailor.authentication.arc import ArcStatus, verify_chain
from smailor.authentication.authentication_results import parse
from smailor.authentication.dkim import SigningIdentity, sign
from smailor.authentication.recorder import EvaluationRecorder
from smailor.authentication.report_row import Disposition, OverrideType
from smailor.authentication.trust import Trust
from smailor.authentication.verify import split_message
from smailor.dns.fake import FakeResolver
from smailor.errors import TemporaryFailure
from tests.unit.authentication.test_verify import public

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SECRET = b"s" * 32
SRS = "srs.smailor.test"
RECORDS = {
    ("good.example", "TXT"): ["v=spf1 ip4:192.0.2.10 -all"],
    ("_dmarc.good.example", "TXT"): ["v=DMARC1; p=reject; rua=mailto:dmarc@good.example"],
    ("_dmarc.junk.example", "TXT"): ["v=DMARC1; p=quarantine"],
    ("s._domainkey.good.example", "TXT"): [f"v=DKIM1; p={public(KEY)}"],
    ("arc._domainkey.smailor.test", "TXT"): [f"v=DKIM1; p={public(KEY)}"],
}
RESOLVER = FakeResolver(RECORDS)
MESSAGE = b"From: ada@good.example\r\nTo: sales@a.test\r\nSubject: Hello\r\n\r\nA letter.\r\n"
SIGNED = sign(MESSAGE, domain="good.example", selector="s", key=KEY, now=NOW) + MESSAGE
"""Passes DMARC whatever its envelope."""
OUTSIDE = {"sales@a.test", "all@a.test"}


class Silent:
    """A database that does not answer."""

    def __call__(self, *_):
        raise TemporaryFailure("away")


def forwarder(routes=None, identity=None):
    ask = routes or (lambda recipient: recipient in OUTSIDE)
    return Forwarder(
        routes=Routes(ask, srs_domain=SRS, monotonic=lambda: 0.0),
        identity=identity or (lambda: SigningIdentity("smailor.test", "arc", KEY)),
        authserv_id="smailor.test",
        srs_domain=SRS,
        srs_secret=SECRET,
        now=lambda: NOW,
    )


def receive(
    message=MESSAGE,
    recipients=("sales@a.test",),
    sender="ada@good.example",
    client_ip="192.0.2.10",
    recorder=None,
    **given,
):
    """Return the verdict on a message that comes from outside."""
    tenant = DmarcTenant(
        resolver=RESOLVER, seconds=5.0, authserv_id="smailor.test", hostname="mx.smailor.test",
        trust=Trust.of(sealers=[], forwarders=["203.0.113.0/24"]), now=lambda: NOW, forwarder=forwarder(**given),
        recorder=recorder,
    )  # fmt: skip
    paths = tuple(f"<{recipient}>" for recipient in recipients)
    conversation = tenant.begin(Arrival(client_ip, "client.example", f"<{sender}>", paths))
    fields, body = split_message(message)
    for name, value in fields:
        assert conversation.header(name, value) is None
    for at in range(0, len(body), 3):
        conversation.body(body[at : at + 3])
    verdict = conversation.end(Envelope("4Xb", None, sender))
    conversation.close()
    return verdict


def applied(verdict, message=MESSAGE):
    """Return the message as the next host gets it."""
    for edit in verdict.edits:
        if isinstance(edit, AddHeader):
            assert edit.on_top
            message = f"{edit.name}:{edit.value}\r\n".encode() + message
    return message


def new_sender(verdict):
    return next((edit.sender for edit in verdict.edits if isinstance(edit, ChangeSender)), None)


def test_forwarded_mail_is_sealed_and_gets_a_sender_of_ours():
    verdict = receive()
    chain = verify_chain(applied(verdict), resolver=RESOLVER, now=NOW)
    assert chain.status is ArcStatus.PASS, chain.reason
    assert chain.sealers == ("smailor.test",)
    assert chain.covers_author
    found = {
        result.method: result.result for result in parse(b"x;" + chain.hops[0].findings.partition(b";")[2]).results
    }
    assert (found["spf"], found["dmarc"]) == ("pass", "pass")
    sender = new_sender(verdict)
    assert sender.endswith(f"@{SRS}")
    assert srs.reverse(sender, secrets=[SECRET], now=NOW) == "ada@good.example"


def test_a_chain_that_holds_goes_on():
    once = applied(receive())
    verdict = receive(message=once)
    chain = verify_chain(applied(verdict, once), resolver=RESOLVER, now=NOW)
    assert (chain.status, chain.instance) == (ArcStatus.PASS, 2)


def test_mail_that_stays_is_left_alone():
    verdict = receive(recipients=["ada@a.test", "bob@elsewhere.test"])
    assert verdict.action is Action.ACCEPT
    assert [edit.name for edit in verdict.edits] == ["Authentication-Results"]


def test_one_recipient_outside_is_enough():
    assert new_sender(receive(recipients=["ada@a.test", "all@a.test"])) is not None


def test_a_bounce_keeps_its_empty_sender():
    verdict = receive(message=SIGNED, sender="")
    assert new_sender(verdict) is None
    assert verify_chain(applied(verdict, SIGNED), resolver=RESOLVER, now=NOW).status is ArcStatus.PASS


def test_what_comes_back_to_a_rewritten_sender_goes_on_likewise():
    assert new_sender(receive(recipients=[f"SRS0=abc=de=x.test=ada@{SRS.upper()}"])) is not None


def test_a_sender_too_long_to_be_rewritten_stays():
    sender = "x" * 64 + "@" + "y" * 60 + "." + "z" * 60 + "." + "z" * 60 + ".good.example"
    verdict = receive(message=SIGNED, sender=sender)
    assert verdict.action is Action.ACCEPT
    assert new_sender(verdict) is None


def test_refused_mail_is_neither_sealed_nor_rewritten():
    verdict = receive(client_ip="198.51.100.66")
    assert (verdict.action, verdict.edits) == (Action.REFUSE, ())


def test_while_it_is_unknown_where_mail_goes_it_waits():
    assert receive(routes=Silent()).action is Action.TRY_LATER
    assert receive(routes=Silent(), client_ip="198.51.100.66").action is Action.REFUSE, "what is refused need not"


def test_without_our_key_forwarded_mail_waits_and_other_mail_does_not():
    assert receive(identity=Silent()).action is Action.TRY_LATER
    assert receive(identity=Silent(), recipients=["ada@a.test"]).action is Action.ACCEPT


def test_where_an_address_leads_is_remembered_shortly():
    asked, clock = [], [0.0]

    def ask(recipient):
        asked.append(recipient)
        return False

    routes = Routes(ask, srs_domain=SRS, monotonic=lambda: clock[0])
    for seconds in (0.0, FRESH_SECONDS / 2, FRESH_SECONDS):
        clock[0] = seconds
        assert not routes.lead_outside(["ada@a.test"])
    assert len(asked) == 2


# --- what is noted for reports


def noted(**given):
    kept = []
    recorder = EvaluationRecorder(lambda counts: kept.append(dict(counts)) or 0, seconds=3600)
    verdict = receive(recorder=recorder, **given)
    recorder.close()
    return verdict, [counted.row for batch in kept for counted in batch]


@pytest.mark.parametrize(
    ("given", "action", "disposition"),
    [
        ({}, Action.ACCEPT, Disposition.PASS),
        ({"client_ip": "198.51.100.66"}, Action.REFUSE, Disposition.REJECT),
        (
            {"message": MESSAGE.replace(b"good", b"junk"), "sender": "x@junk.example"},
            Action.ACCEPT,
            Disposition.QUARANTINE,
        ),
    ],
)
def test_what_was_done_is_noted(given, action, disposition):
    verdict, (row,) = noted(**given)
    assert (verdict.action, row.disposition) == (action, disposition)
    assert row.source_ip == given.get("client_ip", "192.0.2.10")


def test_a_known_forwarder_is_noted_as_the_reason():
    _, (row,) = noted(client_ip="203.0.113.5")
    assert (row.disposition, row.override.type) == (Disposition.NONE, OverrideType.TRUSTED_FORWARDER)


def test_what_is_to_be_sent_again_is_noted_then():
    verdict, rows = noted(routes=Silent())
    assert (verdict.action, rows) == (Action.TRY_LATER, [])


def test_nothing_is_noted_where_no_policy_applies():
    _, rows = noted(message=MESSAGE.replace(b"good.example", b"free.example"))
    assert rows == []


def test_both_ways_to_vouch_are_noted():
    _, (row,) = noted(message=SIGNED)
    assert (row.dkim_aligned, row.spf_aligned) == (True, True)
