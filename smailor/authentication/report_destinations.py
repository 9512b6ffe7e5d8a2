"""Where a domain's aggregate reports go to (RFC 9990 sections 3.5 and 4): addresses, and whether they want them.

An address of another organisation is written to only if that organisation says so in the DNS: otherwise anybody could
have a stranger flooded with reports. Rules only, over any DNS client.
"""

import re
from collections.abc import Iterator, Sequence
from urllib.parse import unquote

from smailor.address import MAX_DOMAIN, DomainName
from smailor.authentication.dmarc import walk
from smailor.authentication.dmarc_record import parse_record
from smailor.dns.answer import DnsClient
from smailor.errors import InvalidInput, TemporaryFailure

MAX_DESTINATIONS = 5
"""Of one policy: the "limits on supported URIs" of section 3.5 are the receiver's to choose."""

_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*\Z")
"""A dot-atom; who takes reports has no need for quoted local parts."""


def destinations(policy_domain: str, uris: Sequence[str], resolver: DnsClient) -> tuple[str, ...]:
    """Return the addresses that a report about a policy is sent to.

    Args:
        policy_domain: where the policy was found.
        uris: its `rua`, in order.
        resolver: answers DNS questions.

    Raises:
        TemporaryFailure: the DNS does not say now whether an address wants reports.
    """
    found: dict[str, None] = {}
    for uri in uris:
        address = mail_address(uri)
        if address is not None:
            found |= dict.fromkeys(_willing(policy_domain, address, resolver))
        if len(found) >= MAX_DESTINATIONS:
            break
    return tuple(found)[:MAX_DESTINATIONS]


def mail_address(uri: str) -> str | None:
    """Return the one address of a `mailto:` URI (RFC 6068), its domain in normal form; None: it is something else."""
    scheme, colon, rest = uri.partition(":")
    local, at, host = unquote(rest.partition("?")[0], errors="replace").rpartition("@")
    if not colon or scheme.lower() != "mailto" or not at or not _LOCAL_PART.match(local):
        return None
    try:
        return f"{local}@{DomainName.parse(host)}"
    except InvalidInput:
        return None


def _willing(policy_domain: str, address: str, resolver: DnsClient) -> Iterator[str]:
    """Yield where reports go that were asked for at this address: there, elsewhere on the same host, or nowhere."""
    host = address.rpartition("@")[2]
    if _same_organization(policy_domain, host, resolver):
        yield address
        return
    name = f"{policy_domain}._report._dmarc.{host}"
    if len(name) > MAX_DOMAIN:
        return
    records = [record for record in map(parse_record, resolver.query(name, "TXT").texts) if record is not None]
    if not records:
        return
    instead = [mail_address(uri) for record in records for uri in record.aggregate_addresses]
    # Section 4 step 9: elsewhere, but on the same host.
    moved = [other for other in instead if other is not None and other.rpartition("@")[2] == host]
    yield from moved or ([] if instead else [address])


def _same_organization(policy_domain: str, host: str, resolver: DnsClient) -> bool:
    if policy_domain == host:
        return True
    walks = [walk(name, resolver) for name in (policy_domain, host)]
    if any(one.failed for one in walks):
        raise TemporaryFailure(f"the DNS does not say now whether {host} belongs to {policy_domain}")
    return walks[0].organizational_domain == walks[1].organizational_domain
