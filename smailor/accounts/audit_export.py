"""The audit trail written out: CSV for spreadsheets, JSON Lines for programs. Entries in, lines out.

A cell of a CSV file that begins as a formula is one to spreadsheets, whoever wrote it. Such cells get an apostrophe in
front (OWASP, CSV Injection); JSON Lines has every value as it is.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from smailor.accounts.audit import Entry

COLUMNS = ("sequence", "at", "actor", "source", "action", "object", "workspace", "reason", "outcome", "details")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
LIMIT = 1_000_000
"""Entries in one export."""


def csv_lines(entries: Iterable[Entry]) -> Iterator[str]:
    """Return a CSV file (RFC 4180) in UTF-8 with a mark in front, by which spreadsheets know it."""
    yield "\N{ZERO WIDTH NO-BREAK SPACE}" + _row(COLUMNS)
    for entry in entries:
        values = as_mapping(entry)
        values["details"] = json.dumps(entry.details, ensure_ascii=False, sort_keys=True)
        yield _row([_safe(values[name]) for name in COLUMNS])


def json_lines(entries: Iterable[Entry]) -> Iterator[str]:
    """Return one JSON object a line, with the names of `COLUMNS`."""
    for entry in entries:
        yield json.dumps(as_mapping(entry), ensure_ascii=False) + "\n"


def as_mapping(entry: Entry) -> dict[str, object]:
    """Return an entry with the names of `COLUMNS`; times in ISO 8601, UTC."""
    return {name: _plain(getattr(entry, name)) for name in COLUMNS}


def _plain(value: object) -> object:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value


def _safe(value: object) -> str:
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA) else text


def _row(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue()
