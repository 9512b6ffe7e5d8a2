"""The DMARC milter's verdicts as values: what is refused, marked, held back or let in, and with which words."""

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from milters.dmarc import MAX_KEPT_OCTETS, DmarcTenant
from milters.tenant import Action, AddHeader, Arrival, Envelope, RemoveHeader
from smailor.authentication import arc
from smailor.authentication.authentication_results import MethodResult, Property
from smailor.authentication.dkim import sign
from smailor.authentication.trust import Trust
from smailor.authentication.verify import split_message
from smailor.dns.fake import FakeResolver
from tests.unit.authentication.test_verify import public

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OURS = "mx.smailor.test"
RECORDS = {
    ("good.example", "TXT"): ["v=spf1 ip4:192.0.2.10 -all"],
    ("_dmarc.good.example", "TXT"): ["v=DMARC1; p=reject"],
    ("s._domainkey.good.example", "TXT"): [f"v=DKIM1; p={public(KEY)}"],
    ("junk.example", "TXT"): ["v=spf1 -all"],
    ("_dmarc.junk.example", "TXT"): ["v=DMARC1; p=quarantine"],
    ("lax.example", "TXT"): ["v=spf1 -all"],
    ("_dmarc.lax.example", "TXT"): ["v=DMARC1; p=none"],
    ("old.example", "A"): ["192.0.2.10"],
    ("s._domainkey.list.example", "TXT"): [f"v=DKIM1; p={public(KEY)}"],
}
BODY = b"Hello\r\n"


def fields(author: str = "ada@good.example", *more: tuple[str, bytes]) -> list[tuple[str, bytes]]:
    return [("From", f" {author}".encode()), ("To", b" bob@acme.test"), ("Subject", b" Hello\n there"), *more]


def judge(header, *, client_ip="192.0.2.10", mail_from=None, failing=(), trust=None, body=BODY, chunk=65535):
    """Return the verdict on a message as a milter is shown it."""
    tenant = DmarcTenant(
        resolver=FakeResolver(RECORDS, failing=failing),
        seconds=5.0,
        authserv_id=OURS,
        hostname=OURS,
        trust=trust or Trust(),
        now=lambda: NOW,
    )
    sender = mail_from if mail_from is not None else header[0][1].decode().strip()
    conversation = tenant.begin(Arrival(client_ip, "client.example", f"<{sender}>"))
    try:
        for name, value in header:
            if verdict := conversation.header(name, value):
                return verdict
        for at in range(0, len(body), chunk):
            conversation.body(body[at : at + chunk])
        return conversation.end(Envelope("4Xb", None, sender))
    finally:
        conversation.close()


def added(verdict, name: str) -> list[str]:
    return [edit.value for edit in verdict.edits if isinstance(edit, AddHeader) and edit.name == name]


def test_what_passes_gets_one_field_on_top_that_tells_all_results():
    verdict = judge(fields())
    assert verdict.action is Action.ACCEPT
    [edit] = verdict.edits
    assert (edit.name, edit.on_top) == ("Authentication-Results", True)
    assert edit.value.startswith(f" {OURS};\r\n\t")
    for part in ("spf=pass", "smtp.mailfrom=ada@good.example", "dkim=none", "arc=none", "dmarc=pass",
                 "header.from=good.example"):  # fmt: skip
        assert part in edit.value


@pytest.mark.parametrize("chunk", [1, 7, 4096])
def test_a_signature_passes_for_any_chunking_of_the_body_and_folds_of_the_header(chunk):
    body = b"Hello  there \r\n\r\n" * 300 + b"\r\n\r\n"
    message = b"From: ada@good.example\r\nSubject: a\r\n folded\r\n\tsubject\r\n\r\n" + body
    signed = sign(message, domain="good.example", selector="s", key=KEY, now=NOW) + message
    # A milter is shown folds as line feeds.
    header = [(name, value.replace(b"\r\n", b"\n")) for name, value in split_message(signed)[0]]
    [results] = added(
        judge(header, client_ip="198.51.100.1", mail_from="", body=body, chunk=chunk), "Authentication-Results"
    )
    assert "dkim=pass" in results
    assert "dmarc=pass" in results


def test_a_reject_policy_refuses_with_the_domain_and_the_reason():
    verdict = judge(fields(), client_ip="198.51.100.66")
    assert (verdict.action, verdict.reply.code, verdict.reply.enhanced) == (Action.REFUSE, 550, "5.7.1")
    assert verdict.reply.text == (
        "Message refused by the DMARC policy of good.example: nothing vouches for good.example: "
        "SPF is fail for good.example, there is no signature; its policy is p=reject at good.example"
    )


def test_a_quarantine_policy_marks_for_junk():
    verdict = judge(fields("ada@junk.example"))
    assert verdict.action is Action.ACCEPT
    assert added(verdict, "X-Smailor-Quarantine") == [" dmarc"]
    assert "dmarc=fail" in added(verdict, "Authentication-Results")[0]


@pytest.mark.parametrize("author", ["ada@lax.example", "ada@old.example", "ada@nowhere.example"])
def test_without_a_policy_that_asks_for_it_nothing_is_refused_or_marked(author):
    verdict = judge(fields(author))
    assert verdict.action is Action.ACCEPT
    assert [edit.name for edit in verdict.edits] == ["Authentication-Results"]


@pytest.mark.parametrize(
    "authors",
    [[], ["a@good.example", "b@lax.example"], ["a@good.example"] * 2, ["<a@good.example> <b@lax.example>"], ["nobody"],
     ["a@good.example\0b"], ["a@[192.0.2.1"], ["a@b@good.example"], [", ".join(f"a@d{n}.example" for n in range(9))]],
)  # fmt: skip
def test_a_from_that_is_none_is_refused_whoever_hands_it_in(authors):
    header = [("Subject", b" Hello"), *(("From", author.encode()) for author in authors)]
    trust = Trust.of(sealers=[], forwarders=["192.0.2.0/24"])
    verdict = judge(header, mail_from="x@lax.example", trust=trust)
    assert (verdict.action, verdict.reply.code, verdict.reply.enhanced) == (Action.REFUSE, 550, "5.7.1")
    assert verdict.reply.text.startswith("Message refused: ")
    assert "From field" in verdict.reply.text


def test_a_from_without_a_domain_goes_to_junk():
    for author in ("undisclosed:;", "ada@[192.0.2.10]"):
        verdict = judge(fields(author), mail_from="")
        assert verdict.action is Action.ACCEPT
        assert added(verdict, "X-Smailor-Quarantine") == [" dmarc"]


def test_several_author_domains_are_judged_by_the_strictest_that_fails():
    verdict = judge(fields("a@lax.example, b@good.example"), mail_from="x@lax.example")
    assert (verdict.action, verdict.reply.code) == (Action.REFUSE, 550)
    assert "good.example" in verdict.reply.text


@pytest.mark.parametrize("client_ip", ["192.0.2.10", "198.51.100.66"])
def test_a_dns_failure_that_hides_a_possible_pass_is_451(client_ip):
    verdict = judge(fields(), client_ip=client_ip, failing=["good.example"])
    assert (verdict.action, verdict.reply.code, verdict.reply.enhanced) == (Action.TRY_LATER, 451, "4.7.0")
    assert verdict.reply.text.endswith("; please try again later")


def test_a_dns_failure_that_can_hide_no_pass_holds_nothing_back():
    """SPF of another domain passes and nothing is signed: whatever the policy is, no answer could make a pass."""
    verdict = judge(fields(), mail_from="x@lax.example", failing=["_dmarc.good.example"])
    assert verdict.action is Action.ACCEPT
    assert "dmarc=temperror" in added(verdict, "Authentication-Results")[0]


def test_a_dns_failure_below_a_policy_of_none_holds_nothing_back():
    assert judge(fields("ada@lax.example"), failing=["lax.example"]).action is Action.ACCEPT


@pytest.mark.parametrize(
    ("author", "failing"), [("ada@good.example", []), ("ada@junk.example", []), ("ada@good.example", ["good.example"])]
)
def test_a_known_forwarder_is_let_in_with_the_reason(author, failing):
    trust = Trust.of(sealers=[], forwarders=["198.51.100.0/24"])
    verdict = judge(fields(author), client_ip="198.51.100.66", trust=trust, failing=failing)
    assert verdict.action is Action.ACCEPT
    [reason] = added(verdict, "X-Smailor-DMARC")
    assert reason.endswith(", accepted: 198.51.100.66 is a known forwarder")
    assert not added(verdict, "X-Smailor-Quarantine")


def forwarded(author: str = "ada@good.example", found: str = "pass") -> list[tuple[str, bytes]]:
    """The header of a message that a list has sealed, as a milter is shown it."""
    message = b"From: " + author.encode() + b"\r\nSubject: [list] Hello\r\n\r\n" + BODY
    results = [MethodResult("dmarc", found, (Property("header", "from", author.partition("@")[2]),))]
    identity = {"domain": "list.example", "selector": "s", "key": KEY, "authserv_id": "mx.list.example"}
    sealed = arc.seal(message, results=results, now=NOW, **identity) + message
    return [(name, value.replace(b"\r\n", b"\n")) for name, value in split_message(sealed)[0]]


SEALER = Trust.of(sealers=["list.example"], forwarders=[])
LIST = {"client_ip": "198.51.100.66", "mail_from": "bounces@list.example"}


@pytest.mark.parametrize("author", ["ada@good.example", "ada@junk.example"])
def test_a_trusted_sealer_s_pass_lets_in_what_the_policy_would_not(author):
    verdict = judge(forwarded(author), trust=SEALER, **LIST)
    assert verdict.action is Action.ACCEPT
    [told] = added(verdict, "X-Smailor-DMARC")
    domain = author.partition("@")[2]
    assert told.endswith(f"accepted: list.example is a trusted ARC sealer and found dmarc=pass for {domain}")
    assert not added(verdict, "X-Smailor-Quarantine")
    assert "dmarc=fail" in added(verdict, "Authentication-Results")[0], "what we have found ourselves is not hidden"


@pytest.mark.parametrize(
    "wrong",
    [
        {"header": forwarded(), "trust": Trust.of(sealers=["other.example"], forwarders=[])},
        {"header": forwarded(found="fail"), "trust": SEALER},
        {"header": forwarded(), "trust": SEALER, "body": b"Pay to the other account\r\n"},
        {"header": [("From", b" eve@good.example"), *forwarded()[:3]], "trust": SEALER},
    ],
    ids=["an untrusted sealer", "it found no pass", "another body", "another author"],
)
def test_a_seal_that_proves_nothing_lets_nothing_in(wrong):
    verdict = judge(**wrong, **LIST)
    assert (verdict.action, verdict.reply.code) == (Action.REFUSE, 550)


def test_while_a_trusted_sealer_s_key_cannot_be_had_the_message_waits():
    key_name = "s._domainkey.list.example"
    verdict = judge(forwarded(), trust=SEALER, failing=[key_name], **LIST)
    assert (verdict.action, verdict.reply.code) == (Action.TRY_LATER, 451)
    assert judge(forwarded(), failing=[key_name], **LIST).action is Action.REFUSE, "nobody trusts that sealer"


def test_fields_in_our_name_are_removed_from_the_last_up_and_others_stay():
    forged = [
        ("Authentication-Results", b" mx.smailor.test; dmarc=pass"),
        ("AUTHENTICATION-RESULTS", b" mx.other.test; dmarc=pass"),
        ("Authentication-Results ", b' (c) "MX.Smailor.Test." 1;\n dmarc=pass'),
        ("Authentication-Results", b" mx.smailor.test (never ended; dmarc=pass"),
        ("X-Smailor-DMARC", b" none"),
        ("x-smailor-anything\t", b" at all"),
        ("X-Smailor-dmarc", b" none"),
        ("X-Smailorish", b" is not ours"),
    ]
    verdict = judge(fields("ada@good.example", *forged))
    assert verdict.edits[:-1] == (
        RemoveHeader("authentication-results", 4),
        RemoveHeader("authentication-results", 3),
        RemoveHeader("authentication-results", 1),
        RemoveHeader("x-smailor-dmarc", 2),
        RemoveHeader("x-smailor-dmarc", 1),
        RemoveHeader("x-smailor-anything", 1),
    )


def test_our_own_marks_come_after_the_removal_of_forged_ones():
    edits = judge(fields("ada@junk.example", ("X-Smailor-Quarantine", b" no"))).edits
    assert edits[0] == RemoveHeader("x-smailor-quarantine", 1)
    assert [edit.name for edit in edits[1:]] == ["X-Smailor-Quarantine", "Authentication-Results"]


def test_a_header_of_any_size_is_bounded():
    assert judge(fields("ada@good.example", *[("X-Many", b" x" * 20)] * 10_000)).action is Action.ACCEPT
    verdict = judge(fields("ada@good.example", ("X-Large", b"x" * MAX_KEPT_OCTETS)))
    assert (verdict.action, verdict.reply.enhanced) == (Action.REFUSE, "5.6.0")


def test_a_message_without_a_body_is_judged():
    assert "dmarc=pass" in added(judge(fields(), body=b""), "Authentication-Results")[0]


def test_a_stranger_s_words_cannot_add_a_field():
    """What he says of himself is told in fields of ours: on one line, quoted, bounded."""
    verdict = judge(fields("ada@lax.example"), mail_from='"x\r\nX-Smailor-DMARC: pass ü\0"@lax.example')
    [value] = added(verdict, "Authentication-Results")
    assert all(line.startswith("\t") for line in value.split("\r\n")[1:])
    assert "\0" not in value
