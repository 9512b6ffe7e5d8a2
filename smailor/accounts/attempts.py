"""Slowing down whoever guesses passwords, without a way to lock an owner out.

Failures are counted for a pair of address and source, and for a source alone; never for an address alone, for then
anybody could lock its owner out from afar. A source is an IPv4 address or an IPv6 /64: one household, not one of its
2^64 addresses. Failures count for a quarter of an hour.
"""

import hashlib
import ipaddress
from datetime import datetime, timedelta

from sqlalchemy import delete, select

from smailor.accounts.models import LoginAttempt
from smailor.database.engine import Database

WINDOW = timedelta(minutes=15)
PER_PAIR = 10
PER_SOURCE = 50
"""Failed log-ins within the window after which there is no further one."""
_IPV6_SITE_BITS = 64


def wait_seconds(database: Database, *, address: str, source: str, now: datetime) -> int:
    """Return for how many seconds this source may not try this address; 0: it may.

    Args:
        database: where failures are counted, over all web hosts.
        address: the e-mail address tried, as typed.
        source: the client's IP address.
        now: the present moment.
    """
    pair, alone = _keys(address, source)
    waits = [0]
    with database.snapshot() as session:
        for key, most in ((pair, PER_PAIR), (alone, PER_SOURCE)):
            query = (
                select(LoginAttempt.failed_at)
                .where(LoginAttempt.key == key, LoginAttempt.failed_at > now - WINDOW)
                .order_by(LoginAttempt.failed_at.desc())
                .limit(most)
            )
            failures = session.scalars(query).all()
            if len(failures) == most:
                waits.append(int((failures[-1] + WINDOW - now).total_seconds()) + 1)
    return max(waits)


def note_failure(database: Database, *, address: str, source: str, now: datetime) -> None:
    """Count a failed log-in, and forget those that count no more; arguments as in `wait_seconds`."""
    with database.transaction() as session:
        session.execute(delete(LoginAttempt).where(LoginAttempt.failed_at <= now - WINDOW))
        session.add_all(LoginAttempt(key=key, failed_at=now) for key in _keys(address, source))


def forget(database: Database, *, address: str, source: str) -> None:
    """Forget the failures of a pair, because the right password came; the source's own count stays."""
    with database.transaction() as session:
        session.execute(delete(LoginAttempt).where(LoginAttempt.key == _keys(address, source)[0]))


def _keys(address: str, source: str) -> tuple[str, str]:
    site = _site(source)
    return _digest(f"pair {address.strip().lower()} {site}"), _digest(f"source {site}")


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
