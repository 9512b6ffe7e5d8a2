"""Whose word counts beside that of the author's domain: sealers of ARC chains and forwarders that the operator trusts.

Lists and forwarders break signatures and SPF; DMARC lets a receiver know better (RFC 9989 section 5.4). Pure: results
and names in, a reason in words out.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Self

from smailor.address import DomainName
from smailor.authentication.arc import ArcHop, ArcStatus
from smailor.authentication.authentication_results import MethodResult, parse
from smailor.authentication.evaluate import AuthenticationResult
from smailor.authentication.results import SpfStatus
from smailor.authentication.signature import DkimStatus
from smailor.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom the operator believes.

    Attributes:
        sealers: domains whose ARC seals, and those of names below them, are believed.
        forwarders: domains that may hand on anybody's mail; SPF or a signature has to show that it is them.
        networks: clients that may hand on anybody's mail.
    """

    sealers: tuple[str, ...] = ()
    forwarders: tuple[str, ...] = ()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def of(cls, *, sealers: Iterable[str], forwarders: Iterable[str]) -> Self:
        """Read what an operator has written.

        Args:
            sealers: domains.
            forwarders: domains, addresses and networks (`192.0.2.0/24`).

        Raises:
            InvalidInput: one of them cannot be read.
        """
        domains: list[str] = []
        networks: list[IPv4Network | IPv6Network] = []
        for text in forwarders:
            try:
                networks.append(ip_network(text))
            except ValueError:
                domains.append(_domain(text))
        return cls(tuple(map(_domain, sealers)), tuple(domains), tuple(networks))

    def override(self, result: AuthenticationResult, client_ip: str) -> str:
        """Return why a message is to be accepted although DMARC does not pass; empty where nothing says so.

        Args:
            result: what was found about it.
            client_ip: who hands it in.
        """
        if self._knows_address(client_ip):
            return f"{client_ip} is a known forwarder"
        for domain in _vouched(result, SpfStatus.PASS, DkimStatus.PASS):
            if _below_any(domain, self.forwarders):
                return f"{domain} is a known forwarder"
        if result.arc.status is ArcStatus.PASS:
            return self._sealed(result)
        return ""

    def could_override(self, result: AuthenticationResult) -> bool:
        """Tell whether an answer that the DNS still owes could make an override of it."""
        owed = _vouched(result, SpfStatus.TEMPERROR, DkimStatus.TEMPERROR)
        if any(_below_any(domain, self.forwarders) for domain in owed):
            return True
        return result.arc.status is ArcStatus.TEMPERROR and bool(self._sealed(result))

    def _knows_address(self, client_ip: str) -> bool:
        try:
            address = ip_address(client_ip)
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            return any(address.ipv4_mapped in network for network in self.networks)
        return any(address in network for network in self.networks)

    def _sealed(self, result: AuthenticationResult) -> str:
        """Return what a chain says for the author, if all who sealed from there on are trusted (RFC 8617 section 7.2).

        The last hop has to have signed the From field and the whole body, or they could be anybody's.
        """
        author = result.dmarc.domain
        if not result.arc.covers_author or len(result.dmarc.domains) > 1:
            return ""
        for hop in reversed(result.arc.hops):
            if not _below_any(hop.domain, self.sealers):
                return ""
            if any(_is_pass_for(author, found) for found in _findings(hop)):
                return f"{hop.domain} is a trusted ARC sealer and found dmarc=pass for {author}"
        return ""


def _findings(hop: ArcHop) -> tuple[MethodResult, ...]:
    try:
        return parse(hop.findings).results
    except InvalidInput:
        return ()


def _is_pass_for(author: str, found: MethodResult) -> bool:
    if (found.method, found.result) != ("dmarc", "pass"):
        return False
    named = [item.value for item in found.properties if (item.ptype, item.name) == ("header", "from")]
    return all(name.rstrip(".").lower() == author for name in named) and bool(named)


def _vouched(result: AuthenticationResult, spf: SpfStatus, dkim: DkimStatus) -> list[str]:
    domains = [signature.domain for signature in result.dkim if signature.status is dkim]
    if result.spf.status is spf:
        domains.append(result.spf.domain)
    return [domain for domain in domains if domain]


def _below_any(domain: str, names: Iterable[str]) -> bool:
    return any(domain == name or domain.endswith(f".{name}") for name in names)


def _domain(text: str) -> str:
    return DomainName.parse(text).name
