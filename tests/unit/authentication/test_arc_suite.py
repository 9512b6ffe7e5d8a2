"""The ARC test suite of ValiMail (RFC 8617), read from beside the clone: 171 chains to verify, 17 messages to seal."""

import re
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import dkim
import pytest

from smailor.authentication import arc, authentication_results
from smailor.authentication.arc import ArcStatus
from smailor.authentication.header import Field
from smailor.authentication.key_record import fetch_key
from smailor.authentication.tags import decode_base64, parse_tags, without_signature
from smailor.authentication.verify import split_message
from smailor.dns.fake import FakeResolver
from tests.unit.authentication.corpora import read

SUITE = read("arc-rfc8617.json")
CHAINS = [
    pytest.param(suite["txt"], case, id=case["name"])
    for suite in SUITE.get("validation", [])
    for case in suite["cases"]
]
SEALS = [pytest.param(suite, case, id=case["name"]) for suite in SUITE.get("signing", []) for case in suite["cases"]]
NOW = datetime(2018, 11, 23, tzinfo=UTC)


def resolver(zone: dict[str, str]) -> FakeResolver:
    return FakeResolver({(name, "TXT"): [text] for name, text in zone.items()})


def wire(message: str) -> bytes:
    return message.encode().replace(b"\n", b"\r\n")


@pytest.mark.parametrize(("zone", "case"), CHAINS)
def test_a_chain_of_the_suite_gets_its_verdict(zone: dict[str, str], case: dict[str, Any]):
    result = arc.verify_chain(wire(case["message"]), resolver=resolver(zone), now=NOW)
    assert result.reason
    if case["cv"]:
        assert result.status.value == case["cv"], result
    else:
        # The suite does not say; a chain whose last hop found it broken stays so (RFC 8617 section 5.2, step 2).
        assert result.status is ArcStatus.FAIL


def same(one: str, other: str) -> bool:
    return " ".join(one.split()) == " ".join(other.split())


@pytest.mark.parametrize(("suite", "case"), SEALS)
def test_a_message_of_the_suite_is_sealed_as_wanted(suite: dict[str, Any], case: dict[str, Any], monkeypatch):
    message = wire(case["message"])
    now = datetime.fromtimestamp(case["t"], UTC)
    fields, _ = split_message(message)
    results = authentication_results.merged(
        [value for name, value in fields if name.lower() == "authentication-results"], case["srv_id"]
    )
    added = arc.seal(
        message,
        domain=suite["domain"],
        selector=suite["selector"],
        key=suite["private_key_pem"],
        authserv_id=case["srv_id"],
        results=results,
        now=now,
        names=case["sig_headers"].split(":"),
    )
    if not case["AS"]:
        assert added == b""
        return
    seal, signature, findings = split_message(added)[0]
    assert (seal[0], signature[0], findings[0]) == ("ARC-Seal", "ARC-Message-Signature", "ARC-Authentication-Results")
    assert same(findings[1].decode(), case["AAR"])
    for (_, made), wanted in ((seal, case["AS"]), (signature, case["AMS"])):
        mine, theirs = parse_tags(made), parse_tags(wanted.encode())
        # b= covers the order of the tags, which is ours to choose: whether it fits is tried below.
        assert mine.keys() == theirs.keys()
        assert all(re.sub(r"\s", "", mine[tag]) == re.sub(r"\s", "", theirs[tag]) for tag in theirs if tag != "b")
    sealed = added + message
    zone = resolver(suite["txt"])
    verdict = arc.verify_chain(sealed, resolver=zone, now=now)
    if parse_tags(seal[1])["cv"] == "fail":
        assert verdict.status is ArcStatus.FAIL
        # Of a broken chain a seal covers its own set only (RFC 8617 section 5.1.2).
        own = [Field(*findings).relaxed, Field(*signature).relaxed, Field(seal[0], without_signature(seal[1])).relaxed]
        key = fetch_key(zone, suite["selector"], suite["domain"])
        assert key.verifies(decode_base64(parse_tags(seal[1])["b"], "b"), sha256(b"\r\n".join(own)).digest())
        return
    assert verdict.status is ArcStatus.PASS

    def record(name, timeout=5):
        return zone.query(name.decode(), "TXT").texts[0]

    monkeypatch.setattr("dkim.time.time", now.timestamp)
    assert dkim.arc_verify(sealed, dnsfunc=record)[0] == b"pass"
