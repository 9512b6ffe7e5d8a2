"""How commands print: a table for people, JSON with `--json` for programs; the same values in both."""

import dataclasses
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import click

json_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON."
)


def show(value: Any, *, as_json: bool) -> None:
    """Print one value (a dataclass or mapping) or a sequence of them.

    Args:
        value: what to print.
        as_json: JSON rather than text.
    """
    plain = _plain(value)
    if as_json:
        click.echo(json.dumps(plain, indent=2, ensure_ascii=False))
    elif isinstance(plain, list):
        _table(plain)
    else:
        width = max(map(len, plain), default=0)
        for key, entry in plain.items():
            click.echo(f"{key:<{width}}  {_cell(entry)}")


def _table(rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        click.echo("none")
        return
    cells = [list(rows[0])] + [[_cell(entry) for entry in row.values()] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    for row in cells:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _plain(value: Any) -> Any:
    """Turn dataclasses into mappings and times into ISO 8601 text, all the way down."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {entry.name: _plain(getattr(value, entry.name)) for entry in dataclasses.fields(value)}
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value


def _cell(entry: Any) -> str:
    if entry is None:
        return "-"
    if isinstance(entry, dict):
        return ", ".join(f"{key}={_cell(value)}" for key, value in entry.items())
    if isinstance(entry, list):
        return ", ".join(map(_cell, entry))
    return str(entry)
