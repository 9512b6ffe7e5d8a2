"""What is used of limits at the moment, for people to see. Units that a daemon holds in lease count as used."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import bindparam, text
from sqlalchemy.orm import Session

from smailor.sending.limits import RECIPIENTS, TODAY
from smailor.sending.plans import WINDOWS
from smailor.sending.tally import MEASURES, SLOT_SECONDS, Tally

_COUNTS = text("SELECT key, counts FROM sending_counts WHERE key IN :keys").bindparams(
    bindparam("keys", expanding=True)
)
_DIFFERENT = text("SELECT count(*) FROM sending_recipients WHERE account = :key AND day = :day")
_AT_ONCE = 30_000
"""Values that one statement may have: SQLite takes 32,766, PostgreSQL 65,535."""
USED_TODAY = "recipients/today"
"""What a warm-up's cap is about."""
_NAMES = {index: name for name, measure in WINDOWS.items() for index, known in enumerate(MEASURES) if known == measure}
_NAMES[MEASURES.index((RECIPIENTS, TODAY))] = USED_TODAY
Used = Mapping[str, Mapping[str, int]]
"""What is used, by key and measure."""


def used_in(session: Session, keys: Sequence[str], now: datetime) -> dict[str, dict[str, int]]:
    """Return what is used of each measure under each key.

    Args:
        session: to read by.
        keys: `account:ada@example.com`, `domain:example.com` or `workspace:acme`.
        now: the present moment.
    """
    rows: dict[str, bytes] = {}
    for start in range(0, len(keys), _AT_ONCE):
        for key, counts in session.execute(_COUNTS, {"keys": keys[start : start + _AT_ONCE]}):
            rows[key] = bytes(counts)
    return {key: _used(rows.get(key), now) for key in keys}


def different_recipients_in(session: Session, key: str, now: datetime) -> int:
    """Return how many different recipients an account has named today, UTC; arguments as in `used_in`."""
    day = int(now.timestamp()) // TODAY.slot_seconds
    count: int = session.execute(_DIFFERENT, {"key": key, "day": day}).scalar_one()
    return count


def _used(counts: bytes | None, now: datetime) -> dict[str, int]:
    tally = Tally(counts)
    tally.advance(int(now.timestamp()) // SLOT_SECONDS)
    return {name: tally.totals[index] for index, name in _NAMES.items()}
