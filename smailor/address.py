"""Domain names and mailbox addresses: parsed once at the edge, one normal form, one way to compare.

A domain is kept as lower-case A-labels (RFC 5890), an address as `local-part@domain` with the local part in lower
case: our mailboxes are case-insensitive (RFC 5321 section 2.4 leaves that to the receiving host). No I/O here.
"""

import re
from dataclasses import dataclass

import idna

from smailor.errors import InvalidInput

MAX_DOMAIN = 253
"""Octets of a domain name in text form (RFC 1035 section 2.3.4, less the root's dot)."""
MAX_LOCAL_PART = 64
"""Octets of a local part (RFC 5321 section 4.5.3.1.1)."""

_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*\Z")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\Z")


@dataclass(frozen=True, slots=True, order=True)
class DomainName:
    """A fully qualified domain name, lower-case A-labels, without the final dot."""

    name: str

    @classmethod
    def parse(cls, text: str) -> "DomainName":
        """Read a domain name as a person or a protocol gives it.

        Args:
            text: A-labels or U-labels, any case, with or without the final dot.

        Returns:
            The name in its normal form.

        Raises:
            InvalidInput: it is not a host name with at least two labels (RFC 1123 section 2.1, RFC 5891).
        """
        stripped = text.strip().removesuffix(".")
        if not stripped or len(stripped) > MAX_DOMAIN:
            raise InvalidInput("domain", f"a domain name has 1 to {MAX_DOMAIN} characters")
        try:
            name = stripped.lower() if stripped.isascii() else idna.encode(stripped, uts46=True).decode("ascii")
            for label in name.split("."):
                if label.startswith("xn--"):
                    idna.ulabel(label)
        except idna.IDNAError as error:
            raise InvalidInput("domain", f"not a valid domain name ({error})") from error
        labels = name.split(".")
        if len(name) > MAX_DOMAIN or len(labels) < 2 or not all(_LABEL.match(label) for label in labels):
            raise InvalidInput("domain", "not a valid domain name, such as example.com")
        if labels[-1].isdigit():
            raise InvalidInput("domain", "an IP address is not a domain name")
        return cls(name)

    @property
    def unicode(self) -> str:
        """The name as people write it (U-labels), for display only."""
        return idna.decode(self.name) if "xn--" in self.name else self.name

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """A mailbox address in normal form: lower-case local part and A-label domain.

    Attributes:
        local_part: dot-atom in lower case (RFC 5322 section 3.2.3); quoted local parts are refused for our mailboxes.
        domain: the domain's normal form.
    """

    local_part: str
    domain: DomainName

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read `local-part@domain`.

        Args:
            text: the bare address, without display name or angle brackets.

        Returns:
            The address in its normal form.

        Raises:
            InvalidInput: it is not a dot-atom at a domain name.
        """
        local_part, at, domain = text.strip().rpartition("@")
        if not at:
            raise InvalidInput("address", "an address looks like name@example.com")
        return cls(parse_local_part(local_part), DomainName.parse(domain))

    def without_extension(self, delimiter: str = "+") -> "Address":
        """Return the address without its sub-address: `ada+news@x` is `ada@x` (RFC 5233)."""
        base, _, _ = self.local_part.partition(delimiter)
        return Address(base, self.domain) if base else self

    def __str__(self) -> str:
        return f"{self.local_part}@{self.domain.name}"


def parse_local_part(text: str) -> str:
    """Return the local part in normal form.

    Args:
        text: a dot-atom of ASCII characters.

    Raises:
        InvalidInput: it is empty, longer than 64 octets, quoted, or has characters outside a dot-atom.
    """
    if not text or len(text) > MAX_LOCAL_PART:
        raise InvalidInput("address", f"the part before the @ has 1 to {MAX_LOCAL_PART} characters")
    if not _ATOM.match(text):
        raise InvalidInput("address", "the part before the @ has letters, digits, dots, hyphens and underscores")
    return text.lower()
