"""Where mail for an address of ours ends: here, or outside because an alias says so. As Postfix expands aliases."""

from sqlalchemy import bindparam, text
from sqlalchemy.orm import Session

from smailor.database.engine import Database

MAX_ROUNDS = 20
"""Aliases of aliases of …"""
MAX_ADDRESSES = 1_000
"""That one recipient may become: Postfix's virtual_alias_expansion_limit."""

_ALIASES = text("SELECT source, destination FROM mta_aliases WHERE source IN :keys").bindparams(
    bindparam("keys", expanding=True)
)
_DOMAINS = text("SELECT name FROM mta_domains WHERE name IN :names").bindparams(bindparam("names", expanding=True))


def is_forwarded_outside(database: Database, *, recipient: str) -> bool:
    """Tell whether an alias of ours sends a recipient's mail, or some of it, to a domain that is not ours.

    Args:
        database: where to look (the views `mta_aliases`, `mta_domains`).
        recipient: an address as SMTP gives it, without angle brackets.

    Raises:
        TemporaryFailure: the database does not answer.
    """
    with database.reading() as session:
        ends = _ends(session, recipient.lower())
        names = {address.rpartition("@")[2] for address in ends}
        if not names:
            return False
        ours = set(session.scalars(_DOMAINS, {"names": sorted(names)}))
    return not names <= ours


def _ends(session: Session, recipient: str) -> set[str]:
    """Return the addresses that a recipient's mail ends at by way of aliases; none where no alias is for it."""
    ends: set[str] = set()
    seen = {recipient}
    waiting = {recipient}
    for _ in range(MAX_ROUNDS):
        found: dict[str, set[str]] = {}
        wanted = {key for address in waiting for key in _keys(address)}
        for source, destination in session.execute(_ALIASES, {"keys": sorted(wanted)}):
            found.setdefault(source, set()).add(destination)
        coming: set[str] = set()
        for address in waiting:
            targets = next((found[key] for key in _keys(address) if key in found), None)
            if targets is None:
                ends |= {address} - {recipient}
            else:
                ends |= targets & {address, _plain(address)}  # an inbox is an alias of itself
                coming |= targets - seen
        seen |= coming
        waiting = coming
        if not waiting or len(seen) > MAX_ADDRESSES:
            break
    return ends


def _keys(address: str) -> tuple[str, ...]:
    """Return what Postfix looks for in turn: the address, without its extension, its domain's catch-all."""
    return tuple(dict.fromkeys((address, _plain(address), f"@{address.rpartition('@')[2]}")))


def _plain(address: str) -> str:
    local, at, domain = address.rpartition("@")
    return f"{local.partition('+')[0] or local}{at}{domain}"
