"""Whatever a stranger or a client sends, both tenants answer, and what they write can be put into a message."""

import time
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from milters.dmarc import DmarcTenant
from milters.signing import SigningTenant
from milters.tenant import Action, AddHeader, Arrival, Envelope, RemoveHeader, Verdict
from smailor.authentication.dkim import SigningIdentity
from smailor.authentication.trust import Trust
from smailor.dns.fake import FakeResolver
from tests.unit.authentication.test_verify import public

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
KEY = Ed25519PrivateKey.generate()
US = "mx.smailor.test"
LOGIN = "ada@acme.test"
RECORDS = {
    ("acme.test", "TXT"): ["v=spf1 include:other.test mx -all"],
    ("other.test", "TXT"): ["v=spf1 a:%{l}.other.test redirect=acme.test"],
    ("_dmarc.acme.test", "TXT"): ["v=DMARC1; p=reject; sp=quarantine"],
    ("_dmarc.other.test", "TXT"): ["v=DMARC1; p=quarantine; rua=mailto:x@y.test"],
    ("s._domainkey.acme.test", "TXT"): [f"v=DKIM1; k=ed25519; p={public(KEY)}"],
}
NAMES = st.sampled_from(
    "From|from |FROM\t|To|Subject|Date|Message-ID|Received|Bcc|Resent-Bcc|DKIM-Signature|ARC-Seal|ARC-Message-Signature|"
    "ARC-Authentication-Results|Authentication-Results|Authentication-Results |X-Smailor-Quarantine|x-smailor-|Sender|"
    "Resent-From|X".split("|")
)
PIECES = st.sampled_from(
    [b"ada@acme.test", b"eve@other.test", b"<ada@acme.test>", b"<", b">", b"(", b")", b'"', b"\\", b",", b";", b":", b"@", b"[", b"]", b"=",
     b" ", b"\n ", b"\n\t", b"\r", b"\x00", b"\xff", b"\xc3\xa4", "＠".encode(), b"=?utf-8?q?=40?=", b"mx.smailor.test", b"dmarc=pass",
     b"i=1", b"i=2", b"cv=none", b"cv=pass", b"d=acme.test", b"d=other.test", b"s=s", b"a=ed25519-sha256", b"a=rsa-sha256", b"h=from", b"l=0",
     b"bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", b"b=AAAA", b"c=relaxed/relaxed", b"t=1", b"x=9999999999", b"v=1", b"; ", b"; "]
)  # fmt: skip
VALUES = st.lists(PIECES, max_size=25).map(b"".join) | st.binary(max_size=80)
FIELDS = st.lists(st.tuples(NAMES, VALUES), max_size=10)
# Without one good From most messages end at its absence.
MESSAGES = st.tuples(st.booleans(), FIELDS).map(
    lambda drawn: [("From", b" ada@acme.test")] * drawn[0] + drawn[1]
)  # fmt: skip
SENDERS = st.sampled_from(
    ["", LOGIN, "eve@other.test", "a@b@c", '"x\r\ny"@acme.test', "ä@bücher.test", "x@\udcff"]
) | st.text(max_size=40)


class Anybody:
    """Keys for one domain, rights for one login, privacy for nobody."""

    def identities(self, domain):
        return (SigningIdentity(domain, "s", KEY),) if domain == "acme.test" else ()

    def missing(self, domain):
        return ValueError(f"{domain} has no signing key")

    def may_send_as(self, login, address):
        return login == LOGIN and address == LOGIN

    def hides_client(self, domain):
        return True


def dmarc_tenant(failing=()) -> DmarcTenant:
    trust = Trust.of(sealers=["other.test"], forwarders=["198.51.100.0/24"])
    given = {"seconds": 5.0, "authserv_id": US, "hostname": US, "trust": trust, "now": lambda: NOW}
    return DmarcTenant(resolver=FakeResolver(RECORDS, failing=failing), **given)


def signing_tenant() -> SigningTenant:
    anybody = Anybody()
    given = {"hostname": US, "now": lambda: NOW, "draw_id": lambda: "unique"}
    return SigningTenant(keys=anybody, rights=anybody, privacy=anybody, **given)


def talk(conversation, fields, chunks, envelope: Envelope) -> Verdict:
    """Show a message as the adapter does."""
    try:
        for name, value in fields:
            if verdict := conversation.header(name, value):
                return verdict
        for chunk in chunks:
            conversation.body(chunk)
        return conversation.end(envelope)
    finally:
        conversation.close()


def assert_applicable(verdict: Verdict, fields) -> None:
    """The edits fit the message, and what is written is a header field each and nothing more."""
    left: dict[str, int] = {}
    for name, _ in fields:
        key = name.rstrip(" \t").lower()
        left[key] = left.get(key, 0) + 1
    gone: dict[str, int] = {}
    for edit in verdict.edits:
        if isinstance(edit, RemoveHeader):
            assert 1 <= edit.occurrence <= left[edit.name]
            assert edit.occurrence < gone.get(edit.name, left[edit.name] + 1), "the last one first"
            gone[edit.name] = edit.occurrence
        elif isinstance(edit, AddHeader):
            first, *folds = edit.value.split("\r\n")
            assert all(fold[:1] in {" ", "\t"} and fold.strip() for fold in folds)
            assert "".join([first, *folds]).replace("\t", "").isprintable()
            assert edit.name.isascii()
    if verdict.action is not Action.ACCEPT:
        assert verdict.reply is not None
        assert verdict.reply.code == {Action.REFUSE: 550, Action.TRY_LATER: 451}[verdict.action]
        assert verdict.reply.enhanced[0] == str(verdict.reply.code)[0]
        assert verdict.reply.text
        assert not verdict.edits


@settings(max_examples=200, deadline=None)
@given(
    MESSAGES,
    st.lists(st.binary(max_size=50), max_size=4),
    SENDERS,
    st.sampled_from(["192.0.2.10", "198.51.100.1", "2001:db8::1", "::ffff:192.0.2.10"]),
    st.sampled_from(["", "_dmarc.acme.test", "other.test", "s._domainkey.acme.test"]),
)
def test_any_message_from_outside_gets_a_verdict(fields, chunks, sender, client_ip, failing):
    tenant = dmarc_tenant([failing])
    conversation = tenant.begin(Arrival(client_ip, "\x00 helo ü", f"<{sender}>", ("<bob@acme.test>",)))
    verdict = talk(conversation, fields, chunks, Envelope("4Xb", None, sender))
    assert_applicable(verdict, fields)
    if verdict.action is Action.ACCEPT:
        assert [edit.name for edit in verdict.edits if isinstance(edit, AddHeader)].count("Authentication-Results") == 1
    authors = [value for name, value in fields if name.rstrip(" \t").lower() == "from"]
    if len(authors) != 1:
        assert verdict.action is Action.REFUSE


@settings(max_examples=200, deadline=None)
@given(
    MESSAGES, st.lists(st.binary(max_size=50), max_size=4), SENDERS, st.sampled_from([LOGIN, "eve@other.test", None])
)
def test_any_submission_leaves_signed_or_not_at_all(fields, chunks, sender, login):
    verdict = talk(signing_tenant().begin(Arrival()), fields, chunks, Envelope("4Xb", login, sender))
    assert_applicable(verdict, fields)
    signatures = [edit for edit in verdict.edits if isinstance(edit, AddHeader) and edit.name == "DKIM-Signature"]
    if login is None:
        assert len(signatures) <= 1
        return
    assert len(signatures) == (verdict.action is Action.ACCEPT)
    if verdict.action is Action.ACCEPT:
        assert (login, sender in {"", LOGIN}) == (LOGIN, True)


LARGE = {
    "ten thousand fields": [("X", b" y")] * 10_000,
    "ten thousand From": [("From", b" ada@acme.test")] * 10_000,
    "ten thousand Received": [("Received", b" from x by y; z")] * 10_000,
    "ten thousand Bcc": [("Bcc", b" a@b.test")] * 10_000,
    "ten thousand forged results": [("Authentication-Results", b" mx.smailor.test; dmarc=pass")] * 10_000,
    "ten thousand fields of ours": [(f"X-Smailor-{number % 100}", b" y") for number in range(10_000)],
    "ten thousand recipients": [("To", b" a@b.test,\n" * 10)] * 1_000,
    "sixteen fields of 60,000": [("X-Large", b"x" * 60_000)] * 16,
    "a From of brackets": [("From", b"<" * 60_000)],
    "a From of quotes": [("From", b'"' * 60_001 + b"@x>")],
    "a From of comments": [("From", b"(" * 30_000 + b")" * 30_000)],
    "a From of encoded words": [("From", b"=?utf-8?q?=40?= " * 3_700 + b"<ada@acme.test>")],
    "a From of mailboxes": [("From", b"ada@acme.test, " * 4_000)],
    "folds": [("Subject", b"\n " * 30_000)],
}


@pytest.mark.parametrize("what", LARGE)
@pytest.mark.parametrize("way", ["in", "out"])
def test_large_headers_take_bounded_time(what, way):
    fields = LARGE[what] if "From" in what else [("From", b" ada@acme.test"), *LARGE[what]]
    tenant = dmarc_tenant() if way == "in" else signing_tenant()
    started = time.process_time()
    conversation = tenant.begin(Arrival("192.0.2.10", "helo.test", f"<{LOGIN}>"))
    verdict = talk(conversation, fields, [b"Hello\r\n"], Envelope("4Xb", LOGIN, LOGIN))
    assert time.process_time() - started < 2
    assert_applicable(verdict, fields)
