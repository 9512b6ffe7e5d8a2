"""What our processes count, as lines of Prometheus' text format. Pure: numbers in, lines out; no addresses in labels.

Source: Prometheus, "Exposition formats", text-based format 0.0.4.
"""

from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
"""Upper bounds of durations, in seconds."""


class Metric(Protocol):
    """Whatever has a place on the page."""

    def lines(self) -> Iterator[str]:
        """Yield the metric's lines."""


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
        return labelled(self._name, self._meaning, "counter", self._label, dict(sorted(self._values.items())))


class Durations:
    """A histogram of seconds."""

    def __init__(self, name: str, meaning: str) -> None:
        self._name, self._meaning = name, meaning
        self._counts = [0] * (len(BUCKETS) + 1)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self._counts[bucket(seconds)] += 1
        self._sum += seconds

    def lines(self) -> Iterator[str]:
        """Yield the metric's lines."""
        return histogram(self._name, self._meaning, self._counts, self._sum)


class Reading:
    """A number that is asked for when the page is."""

    def __init__(self, name: str, meaning: str, kind: str, read: Callable[[], float]) -> None:
        self._name, self._meaning, self._kind, self._read = name, meaning, kind, read

    def lines(self) -> Iterator[str]:
        """Yield the metric's lines."""
        yield from head(self._name, self._meaning, self._kind)
        yield f"{self._name} {self._read():.15g}"


def page(metrics: Iterable[Metric]) -> str:
    """Return the page of these metrics."""
    return "".join(f"{line}\n" for metric in metrics for line in metric.lines())


def bucket(seconds: float) -> int:
    """Return which of `BUCKETS` a duration falls into; one past the last where it is longer than all."""
    return bisect_left(BUCKETS, seconds)


def labelled(name: str, meaning: str, kind: str, label: str, values: Mapping[str, float]) -> Iterator[str]:
    """Yield the lines of a metric with one label, given its numbers by the label's values."""
    yield from head(name, meaning, kind)
    for value, number in values.items():
        yield f'{name}{{{label}="{value}"}} {number:.15g}'


def histogram(name: str, meaning: str, counts: Sequence[float], total: float) -> Iterator[str]:
    """Yield the lines of a histogram.

    Args:
        name: of the metric.
        meaning: a sentence for the one who reads the page.
        counts: how many fell into each bucket, one more than `BUCKETS`.
        total: of all that was observed, in seconds.
    """
    yield from head(name, meaning, "histogram")
    below = 0.0
    for bound, count in zip((*map(str, BUCKETS), "+Inf"), counts, strict=True):
        below += count
        yield f'{name}_bucket{{le="{bound}"}} {below:.15g}'
    yield f"{name}_sum {total}"
    yield f"{name}_count {below:.15g}"


def head(name: str, meaning: str, kind: str) -> tuple[str, str]:
    """Return the two lines that tell about a metric."""
    return f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"
