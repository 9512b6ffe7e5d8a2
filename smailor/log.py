"""Logging of all our processes: one line an event, `key=value`, to standard error (systemd or the stack keeps it).

Bodies, secrets and credentials are never logged. A value that came from the network is quoted, so that it can
neither start a new line nor forge a field.
"""

import logging
import sys
from collections.abc import Mapping

LEVELS: Mapping[str, int] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@:/+-<>=")


def set_up(level: str, program: str) -> None:
    """Send this process's log to standard error.

    Args:
        level: one of `LEVELS`.
        program: name put in front of each line, such as `policyd`.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(f"%(asctime)s {program}[%(process)d] %(levelname)s %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LEVELS[level])


def event(logger: logging.Logger, level: int, queue_id: str | None, name: str, /, **fields: object) -> None:
    """Log one event with its fields, the queue id first so that `grep ID` finds a message's whole story.

    Args:
        logger: the module's logger.
        level: a `logging` level.
        queue_id: Postfix queue id, or None where there is none.
        name: the event in a word or two, constant per call site.
        fields: what there is to know of it; never bodies or secrets.
    """
    if logger.isEnabledFor(level):
        parts = [f"{queue_id}:"] if queue_id else []
        parts.append(name)
        parts += [f"{key}={quote(value)}" for key, value in fields.items()]
        logger.log(level, "%s", " ".join(parts))


def quote(value: object) -> str:
    """Return the value as one word: as it is where harmless, otherwise escaped and in double quotes."""
    text = str(value)
    if text and _PLAIN.issuperset(text):
        return text
    escaped = text.encode("unicode_escape").decode("ascii").replace('"', '\\"')
    return f'"{escaped}"'
