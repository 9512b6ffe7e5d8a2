"""What is used of limits at the moment, for people to see. Units that a daemon holds in lease count as used."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from smailor.sending.limits import RECIPIENTS, TODAY
from smailor.sending.plans import WINDOWS
from smailor.sending.tally import MEASURES, SLOT_SECONDS, Tally

_COUNTS = text("SELECT counts FROM sending_counts WHERE key = :key")
USED_TODAY = "recipients/today"
"""What a warm-up's cap is about."""
_NAMES = {index: name for name, measure in WINDOWS.items() for index, known in enumerate(MEASURES) if known == measure}
_NAMES[MEASURES.index((RECIPIENTS, TODAY))] = USED_TODAY


def used_in(session: Session, key: str, now: datetime) -> dict[str, int]:
    """Return what is used of each measure under a key.

    Args:
        session: to read by.
        key: `account:ada@example.com`, `domain:example.com` or `workspace:acme`.
        now: the present moment.
    """
    counts = session.scalar(_COUNTS, {"key": key})
    tally = Tally(bytes(counts) if counts is not None else None)
    tally.advance(int(now.timestamp()) // SLOT_SECONDS)
    return {name: tally.totals[index] for index, name in _NAMES.items()}
