"""Who acts where a command changes something, and the options that such commands share."""

import getpass
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from smailor.accounts.audit import Actor
from smailor.errors import InvalidInput

reason_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--reason", required=True, help="Why; the tenant reads it, and the audit trail keeps it."
)
optional_reason_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--reason", default="", help="Why; the audit trail keeps it."
)


def actor() -> Actor:
    """Return who runs the command: the system's account."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = "unknown"
    return Actor(f"operator ({name})", "command line")


def expiry(text: str | None, now: datetime) -> datetime | None:
    """Read when something ends: a date (its beginning, UTC), a date with a time, or so many days (`7d`) from now.

    Raises:
        InvalidInput: it is none of them.
    """
    if text is None:
        return None
    if text.endswith("d") and text[:-1].isdigit() and len(text) <= 5:
        return now + timedelta(days=int(text[:-1]))
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput("expires", "a date such as 2026-12-31, or a number of days such as 7d") from error
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found
