"""Reading the audit trail: filtered, newest first, a page or a stream at a time, never more in memory than a batch."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Select, select, tuple_

from smailor.accounts.audit import Entry, entry_view
from smailor.accounts.models import AuditEntry
from smailor.database.engine import Database
from smailor.errors import InvalidInput

MAX_PAGE = 200
BATCH = 500
_CURSOR = re.compile(r"([0-9]{1,17})-([0-9]{1,18})\Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the list: behind this entry.

    Attributes:
        at: the entry's time.
        sequence: its number.
    """

    at: datetime
    sequence: int

    def __str__(self) -> str:
        return f"{(self.at - _EPOCH) // timedelta(microseconds=1)}-{self.sequence}"

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Read what `str` wrote; raises InvalidInput."""
        found = _CURSOR.match(text)
        if found is None:
            raise InvalidInput("cursor", "is none that was given out here")
        return cls(_EPOCH + timedelta(microseconds=int(found[1])), int(found[2]))


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entries.

    Attributes:
        workspace: of this workspace; None: of all.
        actor: by whom.
        action: what; `noun.verb`.
        actions: any of these.
        object: on what.
        since: from this moment on.
        until: before this moment.
    """

    workspace: str | None = None
    actor: str = ""
    action: str = ""
    actions: tuple[str, ...] = ()
    object: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def apply(self, query: Select[Any]) -> Select[Any]:
        """Return the query for these entries only."""
        equal = ((AuditEntry.actor, self.actor), (AuditEntry.action, self.action), (AuditEntry.object, self.object))
        if self.workspace is not None:
            query = query.where(AuditEntry.workspace == self.workspace)
        for column, value in equal:
            if value:
                query = query.where(column == value)
        if self.actions:
            query = query.where(AuditEntry.action.in_(self.actions))
        if self.since is not None:
            query = query.where(AuditEntry.at >= self.since)
        if self.until is not None:
            query = query.where(AuditEntry.at < self.until)
        return query


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the list.

    Attributes:
        next: where the next one begins; None: there is none.
    """

    entries: tuple[Entry, ...]
    next: Cursor | None


def search(database: Database, wanted: Filter, *, after: Cursor | None = None, limit: int = 50) -> Page:
    """Return a page of entries, newest first.

    Args:
        database: where they are.
        wanted: which.
        after: where to begin: the page before gave it.
        limit: how many at most, up to 200.
    """
    limit = max(1, min(limit, MAX_PAGE))
    found = _fetch(database, wanted, after, limit + 1)
    more = len(found) > limit
    found = found[:limit]
    return Page(tuple(found), Cursor(found[-1].at, found[-1].sequence) if more else None)


def stream(database: Database, wanted: Filter, *, limit: int) -> Iterator[Entry]:
    """Return entries one after another, newest first; what is added meanwhile is not among them.

    Args:
        database: where they are.
        wanted: which.
        limit: how many at most.
    """
    after: Cursor | None = None
    while limit > 0:
        found = _fetch(database, wanted, after, min(BATCH, limit))
        yield from found
        limit -= len(found)
        if len(found) < BATCH:
            return
        after = Cursor(found[-1].at, found[-1].sequence)


def _fetch(database: Database, wanted: Filter, after: Cursor | None, limit: int) -> list[Entry]:
    if after is not None:
        # The bare comparison of times lets the index begin there; the pair decides among entries of one moment.
        later = min(wanted.until, after.at + timedelta(microseconds=1)) if wanted.until else None
        wanted = replace(wanted, until=later or _next_moment(after.at))
    query = wanted.apply(select(AuditEntry))
    if after is not None:
        place = tuple_(AuditEntry.at, AuditEntry.sequence)
        query = query.where(place < tuple_(after.at, after.sequence))
    query = query.order_by(AuditEntry.at.desc(), AuditEntry.sequence.desc()).limit(limit)
    with database.reading() as session:
        return [entry_view(row) for row in session.scalars(query)]


def _next_moment(at: datetime) -> datetime:
    try:
        return at + timedelta(microseconds=1)
    except OverflowError:
        return at
