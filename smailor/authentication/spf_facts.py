"""Whom an SPF check is about, and what macros make of it (RFC 7208 sections 2.4 and 7.2). Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, ip_address

import idna

from smailor.authentication.results import SpfIdentity

MAX_NAME = 255
"""Characters of a HELO name and of a local part that count: no name of the DNS is longer."""

_REVERSE = {4: "in-addr", 6: "ip6"}


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of one check.

    Attributes:
        address: the client; an IPv4 address in IPv6 form is one of IPv4 (section 5).
        identity: where the domain comes from.
        domain: the domain to ask, lower-case A-labels as far as it can be written so.
        sender: the address checked.
        helo: what the client said in HELO or EHLO.
        receiver: our host name.
        now: the time of the check.
    """

    address: IPv4Address | IPv6Address
    identity: SpfIdentity
    domain: str
    sender: str
    helo: str
    receiver: str
    now: datetime

    @classmethod
    def of(cls, client_ip: str, *, helo: str, mail_from: str, receiver: str, now: datetime) -> "Facts":
        """Read an envelope; an empty sender stands for `postmaster` at the HELO name (section 2.4).

        Raises:
            ValueError: `client_ip` is no address.
        """
        address = ip_address(client_ip.partition("%")[0])
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        path = mail_from.strip().removeprefix("<").removesuffix(">")
        if path.startswith("@"):
            path = path.partition(":")[2] or path  # a source route (RFC 5321 appendix C)
        identity = SpfIdentity.MAIL_FROM if path else SpfIdentity.HELO
        local_part, _, domain = path.rpartition("@") if path else ("", "", helo)
        domain = _a_labels(domain)
        sender = f"{local_part[:MAX_NAME] or 'postmaster'}@{domain}"
        return cls(address, identity, domain, sender, helo[:MAX_NAME], receiver, now)

    @property
    def kind(self) -> str:
        """The kind of DNS record that holds addresses of the client's family."""
        return "A" if self.address.version == 4 else "AAAA"

    def value(self, letter: str, domain: str) -> str:
        """Return what a macro stands for, except `p`, which needs the DNS.

        Args:
            letter: lower case.
            domain: whose record is looked at.
        """
        match letter:
            case "s":
                return self.sender
            case "l":
                return self.sender.rpartition("@")[0]
            case "o":
                return self.domain
            case "d":
                return domain
            case "i":
                return _dotted(self.address)
            case "v":
                return _REVERSE[self.address.version]
            case "h":
                return self.helo
            case "c":
                return str(self.address)
            case "r":
                return self.receiver
            case "t":
                return str(int(self.now.timestamp()))
            case _:
                raise ValueError(letter)


def is_host_name(name: str) -> bool:
    """Tell whether section 4.3 lets a domain be asked: two labels or more, none empty or too long."""
    if name.startswith("["):
        return False  # an address literal
    labels = name.split(".")
    return len(labels) > 1 and len(name) <= 253 and name.isascii() and all(0 < len(label) < 64 for label in labels)


def is_below(name: str, domain: str) -> bool:
    """Tell whether a name is the domain or below it."""
    return name == domain or name.endswith(f".{domain}")


def preferred_name(names: Sequence[str], domain: str) -> str:
    """Pick among the client's validated names the one that `%{p}` stands for (section 7.3)."""
    below = [name for name in names if is_below(name, domain)]
    return domain if domain in names else next(iter(below or names), "unknown")


def _a_labels(domain: str) -> str:
    """Return a domain in lower-case A-labels, without the final dot; as it is where it has no such form."""
    plain = domain.strip().removesuffix(".").lower()
    if plain.isascii():
        return plain
    try:
        return idna.encode(plain, uts46=True).decode("ascii")
    except idna.IDNAError:
        return plain


def _dotted(address: IPv4Address | IPv6Address) -> str:
    if isinstance(address, IPv4Address):
        return str(address)
    return ".".join(address.exploded.replace(":", "").upper())
