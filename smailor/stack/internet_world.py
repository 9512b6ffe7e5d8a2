"""The strangers of the small internet: domains outside that write to us, with addresses forward and back. Text only.

Their addresses are those set aside for documentation (RFC 5737), so that they can never be somebody's. The service's
own zones are zones.py's.
"""

from __future__ import annotations

from dataclasses import dataclass

from smailor.stack.layout import INTERNET_MX_NAME

_HEAD = """\
$TTL 1
@ SOA ns.internet.test. hostmaster.internet.test. 1 3600 600 86400 1
@ NS ns.internet.test.
"""


@dataclass(frozen=True, slots=True)
class Stranger:
    """A domain of the world outside. Its mail goes to the small internet's host, which keeps it.

    Attributes:
        domain: its name.
        address: the one address that its SPF record lets send: `mail.<domain>`, forward and back.
    """

    domain: str
    address: str


STRANGERS = (
    Stranger("stranger.test", "192.0.2.10"),
    Stranger("royalsociety.test", "192.0.2.20"),
    Stranger("loom-gazette.test", "192.0.2.30"),
    Stranger("example.test", "192.0.2.40"),
)


def stranger_zones() -> dict[str, str]:
    """Zone files by name: one a stranger, and the reverse zone of their addresses."""
    zones = {f"{stranger.domain}.zone": _zone(stranger) for stranger in STRANGERS}
    names = [f"{one.address.rpartition('.')[2]} PTR mail.{one.domain}.\n" for one in STRANGERS]
    zones["2.0.192.in-addr.arpa.zone"] = _HEAD + "".join(names)
    return zones


def _zone(stranger: Stranger) -> str:
    return f"""\
{_HEAD}@ A {stranger.address}
@ MX 10 {INTERNET_MX_NAME}.
@ TXT "v=spf1 ip4:{stranger.address} -all"
_dmarc TXT "v=DMARC1; p=none"
mail A {stranger.address}
"""
