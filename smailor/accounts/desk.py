"""What the use cases around sign-up, passwords and addresses need beside the database, in one value. No rules here."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from smailor.accounts.breached import Breached
from smailor.accounts.letters import Letterhead
from smailor.config import Settings
from smailor.sealing import Sealer


@dataclass(frozen=True, slots=True)
class Desk:
    """Who writes and what with.

    Attributes:
        head: under which letters go out.
        sealer: seals them while they wait.
        breached: the passwords that are refused.
    """

    head: Letterhead
    sealer: Sealer
    breached: Breached


@dataclass(frozen=True, slots=True)
class Asked:
    """The circumstances of a request.

    Attributes:
        language: in which the person is written to.
        source: the client's IP address.
        now: the present moment.
    """

    language: str
    source: str
    now: datetime


def letterhead(settings: Settings) -> Letterhead:
    """Return under which head this service writes."""
    service = settings.service
    return Letterhead(
        service=service.name,
        sender=settings.login.letters_from or service.contact,
        contact=service.contact,
        public_url=settings.web.public_url.rstrip("/"),
    )


def breached(settings: Settings) -> Breached:
    """Return the passwords that this service refuses."""
    path = settings.login.breached_passwords
    return Breached(Path(path) if path else None)
