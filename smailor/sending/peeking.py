"""A look before a body is uploaded: suspended, suppressed, full already? And what is deleted when it is old.

Only one thing is counted here: a recipient that the account has not written to today (`smailor.sending.recipients`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from smailor.sending import recipients
from smailor.sending.decision import PERMITTED, Decision
from smailor.sending.leases import Route
from smailor.sending.recipients import Named, digest
from smailor.sending.store import Store
from smailor.sending.terms import TermsReader

PRUNE_SECONDS: Final = 600
KEPT_DAYS: Final = 3


@dataclass(frozen=True, slots=True)
class Asked:
    """One recipient under the terms of its sender."""

    route: Route
    recipient: str


def decide(store: Store, reader: TermsReader, asked: Sequence[Asked], now: float) -> list[Decision]:
    """Return the answers for recipients that were named.

    Args:
        store: holds the counts.
        reader: knows the suppression lists.
        asked: recipients, with their terms.
        now: monotonic time.

    Raises:
        TemporaryFailure: the database does not answer.
    """
    named = [item for item in asked if item.recipient and item.route.workspace]
    listed = reader.suppressed(store.connection, [(str(item.route.workspace), item.recipient) for item in named])
    suppressed = {id(item): refusal for item, refusal in zip(named, listed, strict=True) if refusal}
    lacking = [
        lease
        for item in asked
        for lease in item.route.leases
        if not (lease.until > now and lease.messages >= 1 and lease.recipients >= 1)
    ]
    batch = store.peek(sorted({lease.key for lease in lacking}))
    full = {lease.key: lease.shortage(batch.tallies[lease.key], 1) for lease in lacking}
    refused = [
        item.route.refusal
        or suppressed.get(id(item))
        or next((refusal for lease in item.route.leases if (refusal := full.get(lease.key))), None)
        for item in asked
    ]
    new = {
        id(item): Named(item.route.account, digest(item.recipient), item.route.unique_recipients)
        for item, refusal in zip(asked, refused, strict=True)
        if refusal is None and item.recipient and item.route.unique_recipients
    }
    too_many = recipients.count(store, list(new.values()), batch.now) if new else {}
    return [
        refusal or (too_many.get(new[id(item)]) if id(item) in new else None) or PERMITTED
        for item, refusal in zip(asked, refused, strict=True)
    ]


class Maintenance:
    """Deletes what is old, now and then."""

    def __init__(self) -> None:
        self._next = 0.0

    def run(self, store: Store, now: float) -> None:
        """Delete, if it is time to.

        Raises:
            TemporaryFailure: the database does not answer.
        """
        if now >= self._next:
            self._next = now + PRUNE_SECONDS
            store.prune(KEPT_DAYS)
