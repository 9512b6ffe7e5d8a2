"""How many different people an account writes to on a day, UTC: exact up to its limit, kept as digests of addresses.

A recipient counts from the moment it is named, as only then its name is known; named again that day, in whichever
message, it counts no more. There are at most as many rows for an account and a day as its limit says.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import NamedTuple

from smailor.database.plain import Plain, marks
from smailor.sending.decision import Decision, limit_reached
from smailor.sending.limits import TODAY, Limit
from smailor.sending.store import DAY_SECONDS, Batch, Store

_AT_ONCE = 400


class Named(NamedTuple):
    """A recipient that was named.

    Attributes:
        account: key of the account.
        digest: of the recipient.
        limit: of the account.
    """

    account: str
    digest: bytes
    limit: Limit


def digest(recipient: str) -> bytes:
    """Return 16 bytes that stand for an address, in whatever case it was written."""
    return blake2b(recipient.lower().encode("utf-8", "surrogateescape"), digest_size=16).digest()


def count(store: Store, named: Sequence[Named], now: float) -> dict[Named, Decision]:
    """Count recipients, each once a day.

    Args:
        store: holds the counts.
        named: recipients.
        now: seconds since 1970 by the store's clock, of a moment ago.

    Returns:
        The refusals of those for whom there is no room.

    Raises:
        TemporaryFailure: the database does not answer.
    """
    known = _known(store.connection, named, int(now) // DAY_SECONDS)
    new = [item for item in dict.fromkeys(named) if (item.account, item.digest) not in known]
    refused: dict[Named, Decision] = {}

    def work(batch: Batch) -> Iterable[str]:
        refused.clear()
        refused.update(_add(store.connection, new, batch.now))
        return {item.account for item in new}  # written in any case, so that there is a row to be locked

    if new:
        store.transact(sorted({item.account for item in new}), work)
    return refused


def _add(connection: Plain, new: Sequence[Named], now: float) -> dict[Named, Decision]:
    day = int(now) // DAY_SECONDS
    known = _known(connection, new, day)
    accounts = sorted({item.account for item in new})
    used = dict.fromkeys(accounts, 0)
    for account in accounts:
        statement = "SELECT count(*) FROM sending_recipients WHERE account = ? AND day = ?"
        used[account] = connection.rows(statement, (account, day))[0][0]
    refused = {}
    for item in new:
        if (item.account, item.digest) in known:
            continue
        if used[item.account] >= item.limit.maximum:
            refused[item] = _refusal(item, day)
            continue
        used[item.account] += 1
        statement = "INSERT INTO sending_recipients (account, day, digest) VALUES (?, ?, ?)"
        connection.rows(statement, (item.account, day, item.digest))
    return refused


def _refusal(item: Named, day: int) -> Decision:
    limit = Limit("unique recipients", TODAY, item.limit.maximum)
    return limit_reached(limit, item.account.partition(":")[2], TODAY.start(day + 1))


def _known(connection: Plain, named: Sequence[Named], day: int) -> set[tuple[str, bytes]]:
    found: set[tuple[str, bytes]] = set()
    wanted = sorted({item.digest for item in named})
    accounts = sorted({item.account for item in named})
    for start in range(0, len(wanted), _AT_ONCE):
        part = wanted[start : start + _AT_ONCE]
        places = "(" + marks(len(accounts)) + ") AND digest IN (" + marks(len(part)) + ")"
        statement = "SELECT account, digest FROM sending_recipients WHERE day = ? AND account IN " + places  # noqa: S608
        found.update((account, bytes(value)) for account, value in connection.rows(statement, (day, *accounts, *part)))
    return found
