"""Postfix's queue, read from the file into which a timer puts what `postqueue -j` prints. Bounded, whatever is in it.

The web application is not let into Postfix's queue: it runs without the right to start set-group-id programs.
"""

import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

MAX_BYTES = 20 * 1024 * 1024
MAX_LINE = 1024 * 1024
SHOWN = 100


@dataclass(frozen=True, slots=True)
class Message:
    """A message that waits. Its sender and recipients are for the queue's keeper, not for this page: only domains."""

    queue_id: str
    queue: str
    arrived: datetime
    size: int
    sender_domain: str
    recipient_domains: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Queue:
    """The queue at one moment.

    Attributes:
        as_of: when it was written down; None: never.
        counts: messages by queue.
        messages: the oldest ones.
        problem: why there is nothing to see; empty: there is.
        cut: whether there was more than is read.
    """

    as_of: datetime | None = None
    counts: tuple[tuple[str, int], ...] = ()
    messages: tuple[Message, ...] = ()
    problem: str = ""
    cut: bool = False


def read(file: str) -> Queue:
    """Read the file; whatever is wrong with it is said in the answer."""
    if not file:
        return Queue(problem="not configured")
    try:
        with Path(file).open("rb") as stream:
            as_of = datetime.fromtimestamp(Path(file).stat().st_mtime, UTC)
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        return Queue(problem=error.strerror or "cannot be read")
    counts: Counter[str] = Counter()
    messages = []
    for line in data[:MAX_BYTES].splitlines():
        found = _message(line) if len(line) <= MAX_LINE else None
        if found is not None:
            counts[found.queue] += 1
            messages.append(found)
    messages.sort(key=lambda message: message.arrived)
    return Queue(as_of, tuple(sorted(counts.items())), tuple(messages[:SHOWN]), cut=len(data) > MAX_BYTES)


def _message(line: bytes) -> Message | None:
    try:
        found: dict[str, Any] = json.loads(line)
        recipients = found["recipients"]
        return Message(
            queue_id=str(found["queue_id"])[:30],
            queue=str(found["queue_name"])[:20],
            arrived=datetime.fromtimestamp(int(found["arrival_time"]), UTC),
            size=int(found["message_size"]),
            sender_domain=_domain(found["sender"]),
            recipient_domains=tuple(sorted({_domain(entry["address"]) for entry in recipients[:100]}))[:5],
            why=next((str(entry["delay_reason"])[:300] for entry in recipients if entry.get("delay_reason")), ""),
        )
    except (AttributeError, KeyError, OverflowError, OSError, TypeError, ValueError):
        return None


def _domain(address: object) -> str:
    return str(address).rpartition("@")[2][:253] or "<>"
