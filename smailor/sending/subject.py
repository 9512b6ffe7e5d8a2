"""Whom a rule of sending is about: an account, a domain or a whole workspace. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from smailor.address import Address, DomainName
from smailor.errors import InvalidInput


class Scope(StrEnum):
    """How wide a limit or a suspension reaches."""

    ACCOUNT = "account"
    DOMAIN = "domain"
    WORKSPACE = "workspace"


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """One account, domain or workspace.

    Attributes:
        scope: which of the three.
        name: an inbox's address, a domain's name or a workspace's slug, in normal form.
    """

    scope: Scope
    name: str

    @classmethod
    def parse(cls, text: str) -> "Subject":
        """Read a subject as people write it: an address has an @, a domain a dot, a workspace's slug neither.

        Raises:
            InvalidInput: it is none of them.
        """
        text = text.strip()
        if "@" in text:
            return cls(Scope.ACCOUNT, str(Address.parse(text)))
        if "." in text:
            return cls(Scope.DOMAIN, DomainName.parse(text).name)
        if not text:
            raise InvalidInput("subject", "an address, a domain or a workspace")
        return cls(Scope.WORKSPACE, text)

    def __str__(self) -> str:
        return f"{self.scope}:{self.name}"
