"""Who lives in the small internet from the start: its mail host, the service itself, and a few strangers.

Written as zone files into the same directory that people drop theirs into. The strangers' addresses are those set
aside for documentation (RFC 5737), so that they can never be somebody's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from smailor.stack.internet_zones import replace_file

INTERNET_HOST = "mx.internet.test"
HERE = "127.0.0.1"

_HEAD = """\
$ORIGIN {zone}.
$TTL 60
@ SOA ns.internet.test. hostmaster.internet.test. 1 3600 600 86400 60
@ NS ns.internet.test.
"""


@dataclass(frozen=True, slots=True)
class Stranger:
    """A domain of the world outside. Its mail goes to the small internet's host, which keeps it.

    Attributes:
        domain: its name.
        address: the one address that its SPF record lets send; `mail.<domain>`, forward and back.
    """

    domain: str
    address: str


STRANGERS = (
    Stranger("stranger.test", "192.0.2.10"),
    Stranger("royalsociety.test", "192.0.2.20"),
    Stranger("loom-gazette.test", "192.0.2.30"),
    Stranger("example.test", "192.0.2.40"),
)


def write_world(zones: Path, *, service_domain: str, hostname: str, mail_hostname: str, spf_include: str) -> None:
    """Write the zone files of the first inhabitants; the files of others are left alone.

    Args:
        zones: the directory of zone files; made if it is not there.
        service_domain: the service's own domain; its hosts lie in it.
        hostname: the service's MX.
        mail_hostname: the name that mail clients use.
        spf_include: the name that tenants' SPF records include; empty: none.
    """
    zones.mkdir(parents=True, exist_ok=True)
    own = [f"{hostname}. A {HERE}", f"@ MX 10 {hostname}.", f'@ TXT "v=spf1 a:{hostname} -all"']
    own.append('_dmarc TXT "v=DMARC1; p=reject"')
    if mail_hostname != hostname:
        own.append(f"{mail_hostname}. A {HERE}")
    if spf_include:
        own.append(f'{spf_include}. TXT "v=spf1 a:{hostname} -all"')
    _write(zones, service_domain, own)
    _write(zones, "internet.test", [f"ns A {HERE}", f"mx A {HERE}", "@ MX 10 mx", '@ TXT "v=spf1 mx -all"'])
    _write(zones, "127.in-addr.arpa", [f"1.0.0 PTR {hostname}."])
    for stranger in STRANGERS:
        records = [f"@ MX 10 {INTERNET_HOST}.", f"@ A {stranger.address}", f"mail A {stranger.address}"]
        records += [f'@ TXT "v=spf1 ip4:{stranger.address} -all"', '_dmarc TXT "v=DMARC1; p=none"']
        _write(zones, stranger.domain, records)
    last = {stranger.address.rpartition(".")[2]: stranger.domain for stranger in STRANGERS}
    _write(zones, "2.0.192.in-addr.arpa", [f"{number} PTR mail.{domain}." for number, domain in last.items()])


def _write(zones: Path, zone: str, records: list[str]) -> None:
    replace_file(zones / f"{zone}.zone", _HEAD.format(zone=zone) + "\n".join(records) + "\n")
