"""Look-ups are read from any cutting of the bytes; what is none ends the connection; only our own senders are found."""

from datetime import UTC, datetime, timedelta

import pytest

from policyd import socketmap
from policyd.maps import SrsTable
from policyd.metrics import Metrics
from policyd.socketmap import BadLength, Lookup, LookupReader, NoComma, NoKey, SocketmapError
from smailor.authentication import srs
from smailor.authentication.srs_secrets import srs_secrets

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
DOMAIN = "srs.smailor.test"
SECRETS = srs_secrets(["a" * 44, "b" * 44])


def netstring(text: bytes) -> bytes:
    return b"%d:%s," % (len(text), text)


@pytest.mark.parametrize("size", [1, 2, 7, 4096])
def test_same_lookups_for_any_chunking(size: int) -> None:
    data = netstring(b"srs SRS0=x@srs.test") + netstring("srs grün@x.test".encode()) + netstring(b"other a b")
    reader = LookupReader()
    found = [one for at in range(0, len(data), size) for one in reader.feed(data[at : at + size])]
    assert found == [Lookup("srs", "SRS0=x@srs.test"), Lookup("srs", "grün@x.test"), Lookup("other", "a b")]
    assert not reader.partial


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"x", BadLength),
        (b":srs a,", BadLength),
        (b"-1:a,", BadLength),
        (b"99999", BadLength),
        (b"9999:", BadLength),
        (b"5:srs ax", NoComma),
        (b"3:srs,", NoKey),
        (b"2: a,", NoKey),
    ],
)
def test_what_is_no_request_is_told_apart(data: bytes, error: type[SocketmapError]) -> None:
    with pytest.raises(error):
        list(LookupReader().feed(data))


def test_half_a_request_waits() -> None:
    reader = LookupReader()
    assert list(reader.feed(b"10:srs a@b.t")) == []
    assert reader.partial


def table(metrics: Metrics | None = None, now: datetime = NOW) -> SrsTable:
    return SrsTable(domain=DOMAIN, secrets=SECRETS, now=lambda: now, metrics=metrics or Metrics())


def rewritten(sender: str = "ada@example.org", secret: bytes = SECRETS[0]) -> str:
    return srs.forward(sender, domain=DOMAIN, secret=secret, now=NOW)


def test_a_sender_that_we_rewrote_is_found() -> None:
    metrics = Metrics()
    assert table(metrics)(Lookup("srs", rewritten())) == netstring(b"OK ada@example.org")
    assert table(metrics)(Lookup("srs", rewritten().lower())) == netstring(b"OK ada@example.org")
    assert metrics.lookups["found"] == 2


def test_one_made_with_an_older_key_is_still_found() -> None:
    assert table()(Lookup("srs", rewritten(secret=SECRETS[1]))) == netstring(b"OK ada@example.org")


@pytest.mark.parametrize(
    "address",
    [
        rewritten().replace("ada", "eve"),
        rewritten(secret=b"not ours"),
        rewritten().replace(DOMAIN, "elsewhere.test"),
        f"ada@{DOMAIN}",
        f"SRS0=@{DOMAIN}",
        DOMAIN,
        "\udcff",
    ],
)
def test_others_are_not_found(address: str) -> None:
    assert table()(Lookup("srs", address)) == netstring(b"NOTFOUND ")


def test_an_old_one_is_not_found() -> None:
    later = NOW + srs.LIFETIME + timedelta(days=2)
    assert table(now=later)(Lookup("srs", rewritten())) == netstring(b"NOTFOUND ")


def test_there_is_one_table() -> None:
    assert table()(Lookup("aliases", rewritten())).startswith(b"27:PERM ")


def test_replies_count_octets() -> None:
    assert socketmap.found("grün@x.test") == "15:OK grün@x.test,".encode()


def test_the_secrets_follow_the_sealing_keys_and_tell_nothing_of_them() -> None:
    assert len(set(SECRETS)) == 2
    assert srs_secrets(["b" * 44]) == (SECRETS[1],)
    assert all(b"aaa" not in secret for secret in SECRETS)
