"""Slowing down guesses at a form: what of the request counts, and what somebody is told who has to wait."""

from dataclasses import dataclass

from flask_babel import gettext as _
from flask_babel import ngettext

from smailor.accounts import attempts
from smailor.accounts.attempts import Kind
from webui import known_device, people
from webui.context import context


@dataclass(frozen=True, slots=True)
class Throttle:
    """Tries of one kind at one address from this browser.

    Attributes:
        kind: what is tried.
        address: at which address, as typed.
    """

    kind: Kind
    address: str

    def wait(self) -> int:
        """Return for how many seconds it may not be tried; 0: it may."""
        return attempts.wait_seconds(
            context().database,
            address=self.address,
            source=people.source(),
            now=context().clock(),
            kind=self.kind,
            device=known_device.mark_for(self.address),
        )

    def failed(self) -> None:
        """Count a try."""
        attempts.note_failure(
            context().database,
            address=self.address,
            source=people.source(),
            now=context().clock(),
            kind=self.kind,
            device=known_device.mark_for(self.address),
        )

    def passed(self) -> None:
        """It was right: forget what this browser tried before."""
        attempts.forget(
            context().database,
            address=self.address,
            source=people.source(),
            kind=self.kind,
            device=known_device.mark_for(self.address),
        )


def source_wait(kind: Kind) -> int:
    """Return for how many seconds nothing of a kind may be tried from this source; 0: it may."""
    return attempts.source_wait_seconds(context().database, source=people.source(), now=context().clock(), kind=kind)


def too_many(wait_seconds: int) -> str:
    """Return what somebody is told who tried too often."""
    minutes = -(-wait_seconds // 60)
    return (
        str(_("Too many attempts."))
        + " "
        + str(ngettext("Try again in a minute.", "Try again in %(num)s minutes.", minutes))
    )
