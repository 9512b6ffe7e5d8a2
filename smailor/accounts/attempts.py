"""Slowing down whoever guesses or floods, without a way to lock an owner out.

What counts against whom (docs/accounts.md):

- a *pair* of address and source, and a *source* alone: an IPv4 address or an IPv6 /64, which is one household and not
  one of its 2^64 addresses;
- an *address* from everywhere, far higher: whoever tries one account from ten thousand sources is slowed down, too;
- a *known device*, one that has logged in to this address before: it has a budget of its own, and none of the three
  above applies to it. So nobody from afar can keep an owner out of their own browser, whatever they send.

Keys are kept as digests: the table says how often, not who was tried from where.
"""

import hashlib
import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from smailor.accounts.models import LoginAttempt
from smailor.database.engine import Database

_IPV6_SITE_BITS = 64


class Kind(StrEnum):
    """What is tried. Each has budgets of its own."""

    LOGIN = "login"
    PROVIDER = "provider"
    """Coming back from a provider of log-ins with what is not believed; the address is the provider's name."""
    PASSKEY = "passkey"
    """Signing with a passkey that opens nothing; there is no address."""
    SECOND_FACTOR = "second-factor"
    SIGN_UP = "sign-up"
    RESET = "reset"
    VERIFICATION = "verification"


@dataclass(frozen=True, slots=True)
class Budget:
    """How often within a while; None: as often as they like.

    Attributes:
        window: for how long a try counts.
        pair: of an address from a source; of a known device, too.
        source: of a source in all.
        address: of an address from everywhere.
    """

    window: timedelta
    pair: int | None
    source: int | None
    address: int | None


BUDGETS = {
    Kind.LOGIN: Budget(timedelta(minutes=15), pair=10, source=50, address=100),
    Kind.PROVIDER: Budget(timedelta(minutes=15), pair=10, source=50, address=None),
    Kind.PASSKEY: Budget(timedelta(minutes=15), pair=None, source=50, address=None),
    Kind.SECOND_FACTOR: Budget(timedelta(minutes=15), pair=10, source=50, address=30),
    # Of these every try counts, and no more letters than that go to an address, whoever asks for them.
    Kind.SIGN_UP: Budget(timedelta(hours=1), pair=None, source=20, address=3),
    Kind.RESET: Budget(timedelta(hours=1), pair=None, source=20, address=3),
    Kind.VERIFICATION: Budget(timedelta(hours=1), pair=10, source=30, address=30),
}
WINDOW = BUDGETS[Kind.LOGIN].window
PER_PAIR = BUDGETS[Kind.LOGIN].pair or 0
PER_SOURCE = BUDGETS[Kind.LOGIN].source or 0
PER_ADDRESS = BUDGETS[Kind.LOGIN].address or 0
_LONGEST = max(budget.window for budget in BUDGETS.values())


def wait_seconds(
    database: Database, *, address: str, source: str, now: datetime, kind: Kind = Kind.LOGIN, device: str = ""
) -> int:
    """Return for how many seconds this may not be tried; 0: it may.

    Args:
        database: where tries are counted, over all web hosts.
        address: the e-mail address tried, as typed.
        source: the client's IP address.
        now: the present moment.
        kind: what is tried.
        device: a mark of the browser, if it has logged in to this address before; empty: it has not.
    """
    with database.reading() as session:
        limits = _limits(kind, address, source, device)
        return max((_wait(session, key, most, BUDGETS[kind].window, now) for key, most in limits.items()), default=0)


def source_wait_seconds(database: Database, *, source: str, now: datetime, kind: Kind) -> int:
    """Return for how many seconds a source may not try anything of a kind, whatever the address; 0: it may."""
    most = BUDGETS[kind].source
    with database.reading() as session:
        key = _digest(f"{kind} source {_site(source)}")
        return 0 if most is None else _wait(session, key, most, BUDGETS[kind].window, now)


def note_failure(
    database: Database, *, address: str, source: str, now: datetime, kind: Kind = Kind.LOGIN, device: str = ""
) -> None:
    """Count a try, and forget those that count no more; arguments as in `wait_seconds`."""
    with database.transaction() as session:
        session.execute(delete(LoginAttempt).where(LoginAttempt.failed_at <= now - _LONGEST))
        session.add_all(LoginAttempt(key=key, failed_at=now) for key in _limits(kind, address, source, device))


def forget(database: Database, *, address: str, source: str, kind: Kind = Kind.LOGIN, device: str = "") -> None:
    """Forget what was counted for a pair or a known device, because it was right; other counts stay."""
    key = _device_key(kind, address, device) if device else _pair_key(kind, address, source)
    with database.transaction() as session:
        session.execute(delete(LoginAttempt).where(LoginAttempt.key == key))


def _limits(kind: Kind, address: str, source: str, device: str) -> dict[str, int]:
    """What counts here, and how much of it is too much."""
    budget = BUDGETS[kind]
    if device and budget.pair is not None:
        return {_device_key(kind, address, device): budget.pair}
    keys = (
        (_pair_key(kind, address, source), budget.pair),
        (_digest(f"{kind} source {_site(source)}"), budget.source),
        (_digest(f"{kind} address {_same(address)}"), budget.address),
    )
    return {key: most for key, most in keys if most is not None}


def _wait(session: Session, key: str, most: int, window: timedelta, now: datetime) -> int:
    query = (
        select(LoginAttempt.failed_at)
        .where(LoginAttempt.key == key, LoginAttempt.failed_at > now - window)
        .order_by(LoginAttempt.failed_at.desc())
        .limit(most)
    )
    tries = session.scalars(query).all()
    return int((tries[-1] + window - now).total_seconds()) + 1 if len(tries) == most else 0


def _pair_key(kind: Kind, address: str, source: str) -> str:
    return _digest(f"{kind} pair {_same(address)} {_site(source)}")


def _device_key(kind: Kind, address: str, device: str) -> str:
    return _digest(f"{kind} device {_same(address)} {device}")


def _same(address: str) -> str:
    return address.strip().lower()


def _site(source: str) -> str:
    try:
        ip = ipaddress.ip_address(source)
    except ValueError:
        return "unknown"
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, _IPV6_SITE_BITS), strict=False))
    return str(ip)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
