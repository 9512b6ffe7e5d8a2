"""What became of a message of the service's own that was handed over for delivery. A value, nothing more."""

import enum
from collections.abc import Callable


class Delivery(enum.Enum):
    """What became of a message that was handed over."""

    SENT = "sent"
    REFUSED = "refused"
    """For good."""
    LATER = "later"
    """Not now; nothing more should be tried in this run."""
    UNKNOWN = "unknown"
    """It may have been taken; nothing more should be tried in this run."""


Deliver = Callable[[str, bytes], Delivery]
"""Hands a message over to a recipient."""
