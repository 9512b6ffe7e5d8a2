"""What the policy daemon counts. No addresses in labels, no sockets here."""

from smailor import metrics
from smailor.metrics import Counts, Durations, Reading


class Metrics:
    """All that the daemon counts."""

    def __init__(self) -> None:
        self.decisions = Counts("smailor_policyd_decisions_total", "Answers given, by their kind.", "kind")
        self.lookups = Counts("smailor_policyd_lookups_total", "Look-ups of rewritten senders, by outcome.", "outcome")
        self.closed = Counts(
            "smailor_policyd_closed_total", "Connections closed because something was wrong, by what was wrong.", "kind"
        )
        self.answer_seconds = Durations("smailor_policyd_answer_seconds", "From a request's arrival to its answer.")
        self.readings: list[Reading] = []

    def page(self) -> str:
        """Return the page."""
        return metrics.page([self.decisions, self.lookups, self.closed, self.answer_seconds, *self.readings])
