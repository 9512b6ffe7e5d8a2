"""Counts of the policy daemon, and their page in Prometheus' text format. No addresses in labels, no sockets here.

Source: Prometheus, "Exposition formats", text-based format 0.0.4.
"""

from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Callable, Iterator

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
"""Upper bounds in seconds."""


class Counts:
    """A counter with one label.

    Args:
        name: of the metric, ending in `_total`.
        meaning: a sentence for the one who reads the page.
        label: name of the label.
    """

    def __init__(self, name: str, meaning: str, label: str) -> None:
        self._name, self._meaning, self._label = name, meaning, label
        self._values: Tally[str] = Tally()

    def add(self, value: str) -> None:
        """Count one more under this value of the label; values are few and our own, never from the network."""
        self._values[value] += 1

    def __getitem__(self, value: str) -> int:
        return self._values[value]

    def lines(self) -> Iterator[str]:
        """Yield the metric's lines."""
        yield from _head(self._name, self._meaning, "counter")
        for value, count in sorted(self._values.items()):
            yield f'{self._name}{{{self._label}="{value}"}} {count}'


class Durations:
    """A histogram of seconds."""

    def __init__(self, name: str, meaning: str) -> None:
        self._name, self._meaning = name, meaning
        self._counts = [0] * (len(BUCKETS) + 1)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self._counts[bisect_left(BUCKETS, seconds)] += 1
        self._sum += seconds

    def lines(self) -> Iterator[str]:
        """Yield the metric's lines."""
        yield from _head(self._name, self._meaning, "histogram")
        below = 0
        for bound, count in zip((*map(str, BUCKETS), "+Inf"), self._counts, strict=True):
            below += count
            yield f'{self._name}_bucket{{le="{bound}"}} {below}'
        yield f"{self._name}_sum {self._sum}"
        yield f"{self._name}_count {below}"


class Reading:
    """A number that is asked for when the page is."""

    def __init__(self, name: str, meaning: str, kind: str, read: Callable[[], int]) -> None:
        self._name, self._meaning, self._kind, self._read = name, meaning, kind, read

    def lines(self) -> Iterator[str]:
        """Yield the metric's lines."""
        yield from _head(self._name, self._meaning, self._kind)
        yield f"{self._name} {self._read()}"


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
        metrics: list[Counts | Durations | Reading] = [
            self.decisions,
            self.lookups,
            self.closed,
            self.answer_seconds,
            *self.readings,
        ]
        return "".join(f"{line}\n" for metric in metrics for line in metric.lines())


def _head(name: str, meaning: str, kind: str) -> tuple[str, str]:
    return f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"
