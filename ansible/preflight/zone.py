"""What `check.yml` asks of the DNS: whether the service's own domain has every record that it needs.

Runs on the machine that Ansible runs on, with dnspython from this clone's virtual environment. Its argument is a JSON
object of wishes; it writes a JSON object: findings, and the addresses of the MX hosts. It changes nothing.
"""

import json
import sys
from collections.abc import Iterator
from typing import Any

import dns.exception
import dns.resolver

Finding = dict[str, Any]


class Zone:
    """The world's view of the records.

    Args:
        servers: DNS servers to ask, `host` or `host:port`; none: those of this machine.
    """

    def __init__(self, servers: list[str]) -> None:
        self._resolver = dns.resolver.Resolver(configure=not servers)
        if servers:
            host, _, port = servers[0].partition(":")
            self._resolver.nameservers, self._resolver.port = [host], int(port or 53)
        self._resolver.lifetime = 8

    def records(self, name: str, kind: str) -> list[str]:
        """Return the values, without quotes and final dots; none where there are none or nobody answers."""
        try:
            answer = self._resolver.resolve(name, kind)
        except dns.exception.DNSException:
            return []
        if kind == "TXT":
            return [b"".join(data.strings).decode(errors="replace") for data in answer]
        if kind == "MX":
            return [str(data.exchange).rstrip(".").lower() for data in answer]
        return [data.to_text().rstrip(".").lower() for data in answer]

    def addresses(self, name: str) -> list[str]:
        """Return the name's IPv4 and IPv6 addresses."""
        return [*self.records(name, "A"), *self.records(name, "AAAA")]

    def says(self, name: str, start: str) -> bool:
        """Tell whether one of the name's TXT records begins so."""
        return any(text.startswith(start) for text in self.records(name, "TXT"))


def findings(zone: Zone, wishes: dict[str, Any]) -> list[Finding]:
    """Return what is missing, and the record that puts it right.

    Args:
        zone: whom to ask.
        wishes: domain, mx and names (what has to have an address), spf_include, srs_domain, mta_sts (domains).
    """
    return [*_addresses(zone, wishes), *_ways_in(zone, wishes), *_ways_out(zone, wishes), *_extras(zone, wishes)]


def _missing(what: str, record: str, *, blocks: bool = True) -> Finding:
    return {"what": what, "fix": f"Add to the zone:  {record}", "blocks": blocks}


def _addresses(zone: Zone, wishes: dict[str, Any]) -> Iterator[Finding]:
    for name in [*wishes["mx"], *wishes["names"]]:
        if not zone.addresses(name):
            yield _missing(f"{name} has no address.", f"{name}. A <address of the server>")


def _ways_in(zone: Zone, wishes: dict[str, Any]) -> Iterator[Finding]:
    for name in (wishes["domain"], wishes["srs_domain"]):
        there = zone.records(name, "MX")
        for host in wishes["mx"]:
            if host not in there:
                yield _missing(f"Mail for {name} does not find {host}.", f"{name}. MX 10 {host}.")


def _ways_out(zone: Zone, wishes: dict[str, Any]) -> Iterator[Finding]:
    domain, include = wishes["domain"], wishes["spf_include"]
    if not zone.says(include, "v=spf1"):
        senders = " ".join(f"a:{host}" for host in wishes["mx"])
        yield _missing(
            f"{include}, which all SPF records include, is empty.", f'{include}. TXT "v=spf1 {senders} -all"'
        )
    for name in (domain, wishes["srs_domain"]):
        if not zone.says(name, "v=spf1"):
            yield _missing(f"{name} has no SPF record.", f'{name}. TXT "v=spf1 include:{include} -all"')
    if not zone.says(f"_dmarc.{domain}", "v=DMARC1"):
        record = f'_dmarc.{domain}. TXT "v=DMARC1; p=reject; rua=mailto:postmaster@{domain}"'
        yield _missing(f"{domain} has no DMARC record.", record)


def _extras(zone: Zone, wishes: dict[str, Any]) -> Iterator[Finding]:
    for name in wishes["mta_sts"]:
        if not zone.says(f"_mta-sts.{name}", "v=STSv1"):
            record = f'_mta-sts.{name}. TXT "v=STSv1; id=1"'
            yield _missing(f"{name} announces no MTA-STS policy.", record, blocks=False)
        if not zone.says(f"_smtp._tls.{name}", "v=TLSRPTv1"):
            record = f'_smtp._tls.{name}. TXT "v=TLSRPTv1; rua=mailto:postmaster@{name}"'
            yield _missing(f"{name} asks for no reports about TLS.", record, blocks=False)
    domain = wishes["domain"]
    if not zone.records(domain, "CAA"):
        record = f'{domain}. CAA 0 issue "letsencrypt.org"'
        yield _missing(f"Any authority may issue certificates for {domain}.", record, blocks=False)


def main() -> None:
    """Read the wishes, write what is missing."""
    wishes = json.loads(sys.argv[1])
    zone = Zone(wishes["servers"])
    addresses = {name: zone.addresses(name) for name in wishes["mx"]}
    sys.stdout.write(json.dumps({"findings": findings(zone, wishes), "addresses": addresses}))


if __name__ == "__main__":
    main()
