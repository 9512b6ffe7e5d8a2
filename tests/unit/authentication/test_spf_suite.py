"""The public suite of RFC 7208 (203 cases of the SPF community), read from beside the clone."""

from datetime import UTC, datetime
from typing import Any

import pytest

from smailor.authentication import spf
from smailor.dns.answer import Answer
from smailor.dns.fake import FakeResolver
from smailor.errors import TemporaryFailure
from tests.unit.authentication.corpora import read

SUITE = read("spf-rfc7208.json")
CASES = [
    pytest.param(suite["zone"], case, id=f"{suite['suite']}: {case['name']}")
    for suite in SUITE.get("suites", [])
    for case in suite["cases"]
]
NOW = datetime(2026, 11, 23, tzinfo=UTC)
DEFAULT = {"DEFAULT", None}

# Where we differ from the words of a case, with the sentence of the RFC that lets us: name -> reason. None so far.
DEVIATIONS: dict[str, str] = {}


class Zone:
    """A suite's zone data as a DNS client."""

    def __init__(self, zone: dict[str, list[dict[str, Any]]]) -> None:
        self.fake = FakeResolver()
        self.silent: dict[str, set[str]] = {}
        for name, entries in zone.items():
            kinds: dict[str, list[str | bytes]] = {}
            for entry in entries:
                if entry.get("rcode") == "TIMEOUT":
                    self.silent[name.lower()] = set()
                else:
                    kinds.setdefault(entry["type"], []).append(_record(entry))
            if "SPF" in kinds and "TXT" not in kinds and name.lower() not in self.silent:
                kinds["TXT"] = kinds["SPF"]
            if kinds.get("TXT") == [b"NONE"]:
                del kinds["TXT"]
            if name.lower() in self.silent:
                self.silent[name.lower()] = set(kinds)
            for kind, values in kinds.items():
                self.fake.set(name, kind, values)

    def query(self, name: str, kind: str) -> Answer:
        answered = self.silent.get(name.lower())
        if answered is not None and kind not in answered:
            raise TemporaryFailure(f"no answer for {name}")
        return self.fake.query(name, kind)


def _record(entry: dict[str, Any]) -> str | bytes:
    value = entry["value"]
    if entry["type"] in {"SPF", "TXT"}:
        return "".join([value] if isinstance(value, str) else value).encode("latin-1")
    if entry["type"] == "MX":
        return f"{value[0]} {value[1]}"
    return str(value)


def test_the_suite_is_whole() -> None:
    if not CASES:
        pytest.skip("the public suite is not beside the clone")
    assert len(CASES) == 203


@pytest.mark.skipif(not CASES, reason="the public suite is not beside the clone")
@pytest.mark.parametrize(("zone", "case"), CASES)
def test_public_suite(zone: dict[str, list[dict[str, Any]]], case: dict[str, Any]) -> None:
    result = spf.check(
        case["host"], helo=case["helo"], mail_from=case["mailfrom"], resolver=Zone(zone), now=NOW, receiver="mx.test"
    )
    if case["name"] in DEVIATIONS:
        pytest.skip(DEVIATIONS[case["name"]])
    assert result.status.value in case["result"], result
    assert result.reason
    if "explanation" in case:
        assert result.explanation == ("" if case["explanation"] in DEFAULT else case["explanation"])


def test_announcing_asks_nothing_new() -> None:
    """What is announced ahead is what the check would ask itself, so no result depends on it."""
    for parameters in CASES:
        zone, case = parameters.values
        announced: list[tuple[str, str]] = []
        client = Zone(zone)
        told = spf.check(
            case["host"],
            helo=case["helo"],
            mail_from=case["mailfrom"],
            resolver=client,
            now=NOW,
            receiver="mx.test",
            announce=announced.extend,
        )
        plain = spf.check(
            case["host"],
            helo=case["helo"],
            mail_from=case["mailfrom"],
            resolver=Zone(zone),
            now=NOW,
            receiver="mx.test",
        )
        assert told == plain
