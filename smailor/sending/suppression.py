"""The list of addresses that a workspace does not write to: reading and writing it as CSV, and its words. Pure.

A file has one address a line, optionally followed by a reason and a date; the first line may name the columns. What
other services export is read as well: column names decide there (`email`, `created`, `timestamp` …).
"""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from smailor.address import Address
from smailor.errors import InvalidInput

MAX_ROWS = 100_000
MAX_REASON = 200
MAX_PROBLEMS = 20
BY_HAND = "added by hand"
_NAMES = {
    "address": ("address", "email", "e-mail", "recipient", "mail"),
    "reason": ("reason", "error", "description", "comment", "type"),
    "since": ("since", "created", "created_at", "date", "timestamp", "time"),
}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Source(StrEnum):
    """Where an entry comes from."""

    HAND = "hand"
    CSV = "csv"
    BOUNCE = "bounce"
    COMPLAINT = "complaint"


@dataclass(frozen=True, slots=True)
class Suppressed:
    """An address that is not written to.

    Attributes:
        address: in normal form.
        reason: in words that can follow "is on your suppression list (…)".
        source: where the entry comes from.
        since: from when on.
    """

    address: str
    reason: str
    source: Source
    since: datetime


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file holds.

    Attributes:
        entries: the addresses, each once, with reason and date.
        problems: lines that could not be read, in words; at most MAX_PROBLEMS of them.
        unread: how many lines could not be read.
    """

    entries: tuple[Suppressed, ...]
    problems: tuple[str, ...]
    unread: int


def clean_reason(text: str) -> str:
    """Return a reason in one line of printable characters, cut to its length; empty: added by hand."""
    folded = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(folded.split())[:MAX_REASON].rstrip() or BY_HAND


def read_csv(text: str, *, now: datetime) -> Imported:
    """Read a list.

    Args:
        text: the file's text; commas, semicolons or tabs between the columns.
        now: the date of entries that have none.

    Returns:
        The entries; lines that cannot be read are told, and the others are not lost for them.

    Raises:
        InvalidInput: it has more than MAX_ROWS lines.
    """
    text = text.removeprefix("\ufeff")
    separator = max(",;\t", key=text.lstrip().partition("\n")[0].count)
    columns = {"address": 0, "reason": 1, "since": 2}
    found: dict[str, Suppressed] = {}
    problems: list[str] = []
    unread = 0
    reader = csv.reader(io.StringIO(text), delimiter=separator)
    try:
        for number, row in enumerate(reader, start=1):
            if number > MAX_ROWS:
                raise InvalidInput("file", f"has more than {MAX_ROWS} lines; split it")
            if not any(cell.strip() for cell in row):
                continue
            if number == 1 and (named := _columns(row)):
                columns = named
                continue
            try:
                entry = _entry(row, columns, now)
            except InvalidInput as error:
                unread += 1
                if len(problems) < MAX_PROBLEMS:
                    problems.append(f"line {number}: {error.message}")
            else:
                found.setdefault(entry.address, entry)
    except csv.Error as error:
        raise InvalidInput("file", f"is no CSV file ({error})") from error
    return Imported(tuple(found.values()), tuple(problems), unread)


def write_csv(entries: Iterable[Suppressed]) -> str:
    """Return a list as CSV, in the columns that `read_csv` reads."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(("address", "reason", "since", "source"))
    for entry in entries:
        # A spreadsheet takes what begins so for a formula; a reason may come from a stranger's server.
        reason = f"'{entry.reason}" if entry.reason.startswith(_FORMULA) else entry.reason
        writer.writerow((entry.address, reason, entry.since.date().isoformat(), entry.source))
    return out.getvalue()


def _columns(row: list[str]) -> dict[str, int]:
    """Return which column is which where the row names them; nothing where it holds an address already."""
    names = [cell.strip().strip('"').lower() for cell in row]
    found = {
        meaning: next(index for index, name in enumerate(names) if name in known)
        for meaning, known in _NAMES.items()
        if any(name in known for name in names)
    }
    return found if "address" in found else {}


def _entry(row: list[str], columns: dict[str, int], now: datetime) -> Suppressed:
    cells = {meaning: row[index].strip() for meaning, index in columns.items() if index < len(row)}
    return Suppressed(
        address=str(Address.parse(cells.get("address", ""))),
        reason=clean_reason(cells.get("reason", "")),
        source=Source.CSV,
        since=_date(cells.get("since", ""), now),
    )


def _date(text: str, now: datetime) -> datetime:
    if not text:
        return now
    try:
        seconds = float(text) if text.replace(".", "", 1).isdigit() else None
        found = datetime.fromtimestamp(seconds, UTC) if seconds is not None else datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError) as error:
        raise InvalidInput("since", f"{text[:40]!r} is no date such as 2026-11-02") from error
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    return min(found.astimezone(UTC), now)
