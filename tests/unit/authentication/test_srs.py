"""Rewritten senders find their way back, and only those that we made, for as long as they are good."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smailor.authentication.srs import LIFETIME, forward, is_rewritten, reverse
from smailor.errors import InvalidInput

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
SECRET = b"a secret"


def rewritten(sender: str, domain: str = "forward.example", now: datetime = NOW, secret: bytes = SECRET) -> str:
    return forward(sender, domain=domain, secret=secret, now=now)


def test_a_sender_is_rewritten_as_other_forwarders_do_it():
    address = rewritten("Ada@analytical.example")
    start, _, rest = address.partition("=")
    _, day, original = rest.split("=", 2)
    assert start == "SRS0"
    assert len(day) == 2
    assert original == "analytical.example=Ada@forward.example"
    assert is_rewritten(address)
    assert reverse(address, secrets=[SECRET], now=NOW) == "Ada@analytical.example"


@pytest.mark.parametrize("sender", ["", "ada@forward.example", "ada@FORWARD.example"])
def test_bounces_and_our_own_senders_stay(sender):
    assert rewritten(sender) == sender


def test_a_second_forwarder_keeps_the_first_ones_part_and_sends_back_to_it():
    once = rewritten("ada@analytical.example")
    twice = rewritten(once, "second.example", secret=b"other")
    thrice = rewritten(twice, "third.example", secret=b"third")
    assert twice.startswith("SRS1=")
    assert "=forward.example==" in thrice
    assert reverse(thrice, secrets=[b"third"], now=NOW) == once
    assert reverse(twice, secrets=[b"other"], now=NOW) == once


def test_a_rewritten_address_is_good_for_its_lifetime():
    address = rewritten("ada@analytical.example")
    assert reverse(address, secrets=[SECRET], now=NOW + LIFETIME)
    assert reverse(address, secrets=[SECRET], now=NOW - timedelta(days=1))
    for later in (LIFETIME + timedelta(days=1), timedelta(days=500)):
        with pytest.raises(InvalidInput, match="expired"):
            reverse(address, secrets=[SECRET], now=NOW + later)


def test_an_older_secret_counts_as_long_as_it_is_listed():
    address = rewritten("ada@analytical.example")
    assert reverse(address, secrets=[b"new", SECRET], now=NOW)
    with pytest.raises(InvalidInput, match="hash"):
        reverse(address, secrets=[b"new"], now=NOW)
    with pytest.raises(InvalidInput, match="hash"):
        reverse(address, secrets=[], now=NOW)


def test_its_case_may_be_lost_on_the_way():
    address = rewritten("ada@analytical.example")
    assert reverse(address.lower(), secrets=[SECRET], now=NOW) == "ada@analytical.example"


@pytest.mark.parametrize(
    "change",
    [("analytical", "bank"), ("=ada@", "=eve@"), ("SRS0=", "SRS1="), ("SRS0=", "SRS0=A"), ("=ada@", "=a=da@")],
)
def test_no_other_address_can_be_made_of_it(change):
    with pytest.raises(InvalidInput):
        reverse(rewritten("ada@analytical.example").replace(*change), secrets=[SECRET], now=NOW)


@pytest.mark.parametrize(
    "address",
    ["", "@", "ada", "ada@", "@x.example", "ada@x.example", "SRS0@x.example", "SRS0=a=b=c@x.example", "SRS1=a@x.example",
     "SRS0=a=b=c=d@x.example", "SRS0=ä=b=c=d@x.example", "SRS1=a=b=c@x.example", "a\r\nb@x.example", "SRS0=a=b=c=@x.example"],
)  # fmt: skip
def test_what_we_did_not_make_is_refused(address):
    with pytest.raises(InvalidInput):
        reverse(address, secrets=[SECRET], now=NOW)


def test_a_quoted_local_part_comes_back_as_it_was():
    address = rewritten('"a \\"b\\" c"@analytical.example')
    assert address.startswith('"SRS0=')
    assert reverse(address, secrets=[SECRET], now=NOW) == '"a \\"b\\" c"@analytical.example'


def test_an_address_that_becomes_too_long_is_refused():
    with pytest.raises(InvalidInput, match="long"):
        rewritten(f"{'a' * 200}@{'b' * 60}.example")


LOCAL = st.text('abcXYZ0189.=+-_!#/ "\\äß@', min_size=1, max_size=40)


@given(LOCAL, st.sampled_from(["x.example", "a-b.example.com", "bücher.example"]))
def test_any_sender_comes_back(local, domain):
    quoted = '"' + local.replace("\\", "\\\\").replace('"', '\\"') + '"'
    address = rewritten(f"{quoted}@{domain}")
    back = reverse(address, secrets=[SECRET], now=NOW)
    assert back in {f"{quoted}@{domain}", f"{local}@{domain}"} or is_rewritten(quoted)


@given(st.text(max_size=100), st.text(max_size=60))
def test_no_text_makes_it_stumble(text, prefix):
    for address in (text, f"SRS0{text}@x.example", f"SRS1={prefix}={text}@x.example", f"{text}@{prefix}"):
        with pytest.raises(InvalidInput):
            reverse(address, secrets=[SECRET], now=NOW)
        with suppress(InvalidInput):
            rewritten(address)
