"""What a milter counts, kept in memory that all its processes share, and the page that is made of it.

Each worker writes in a part of its own, so none waits for another; a worker that takes a dead one's place goes on from
its numbers. The page adds the parts up. Bounded: the numbers are known beforehand. No sockets here, no mail.
"""

import mmap
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from smailor.metrics import BUCKETS, bucket, head, histogram, labelled

_NAME = "smailor_milter_"
_OCTETS = 8
"""Of a number (double)."""


@dataclass(frozen=True, slots=True)
class Family:
    """One metric.

    Attributes:
        name: behind `smailor_milter_`.
        meaning: a sentence for the one who reads the page.
        label: name of its label; empty: it has none.
        values: of the label.
        gauge: whether it goes up and down and says how things are now; else it counts.
    """

    name: str
    meaning: str
    label: str = ""
    values: tuple[str, ...] = ("",)
    gauge: bool = False

    def lines(self, numbers: Mapping[str, float]) -> list[str]:
        """Return its lines, given all numbers by series (see `SERIES`)."""
        kind = "gauge" if self.gauge else "counter"
        if self.label:
            own = {value: numbers[f"{self.name}.{value}"] for value in self.values}
            return list(labelled(_NAME + self.name, self.meaning, kind, self.label, own))
        return [*head(_NAME + self.name, self.meaning, kind), f"{_NAME}{self.name} {numbers[self.name]:.15g}"]


OUTCOMES = ("accepted", "unsigned", "junk", "refused", "deferred", "failed", "abandoned")
"""What becomes of a message: `unsigned` and `junk` are accepted, too; `failed` is a 451 that nobody expected."""

FAMILIES = (
    Family("messages_total", "Messages, by what became of them.", "outcome", OUTCOMES),
    Family("key_failures_total", "Times that a key to sign with was missing or could not be read: mail had to wait."),
    Family("keys", "Domains whose keys are in memory, all workers together.", gauge=True),
    Family("dns_questions_total", "DNS questions, by who answered.", "outcome", ("cached", "answered", "failed")),
    Family("dns_seconds_total", "Time spent waiting for DNS servers, all threads together."),
    Family("evaluations_dropped_total", "Messages that no aggregate report will tell of."),
    Family("worker_deaths_total", "Worker processes that ended unasked."),
)
_GAUGES = frozenset(family.name for family in FAMILIES if family.gauge)
_SECONDS = "answer_seconds"
_SUM = "answer_seconds.sum"
SERIES = (
    *(f"{family.name}.{value}" if value else family.name for family in FAMILIES for value in family.values),
    *(f"{_SECONDS}.{number}" for number in range(len(BUCKETS) + 1)),
    _SUM,
)
"""Every number by its place."""
_PLACE = {name: place for place, name in enumerate(SERIES)}


class Board:
    """The numbers of all processes of a milter; made before they fork.

    Args:
        workers: how many run at the same time, as a rule. While they are replaced there may be twice as many; should
            there be more still, those share a part, and some of what they count is lost.
    """

    def __init__(self, workers: int) -> None:
        self._parts = 2 * workers + 2
        self._numbers = memoryview(mmap.mmap(-1, self._parts * len(SERIES) * _OCTETS)).cast("d")

    def meter(self, number: int) -> "Meter":
        """Return what counts for one worker, given its number; to be called in that worker."""
        part = min(number, self._parts - 2)
        return Meter(self._numbers[part * len(SERIES) : (part + 1) * len(SERIES)])

    def worker_died(self) -> None:
        """Count a worker that ended unasked; for the parent alone."""
        self._numbers[(self._parts - 1) * len(SERIES) + _PLACE["worker_deaths_total"]] += 1

    def page(self) -> str:
        """Return the page."""
        numbers = {name: sum(self._numbers[place :: len(SERIES)]) for name, place in _PLACE.items()}
        lines = [line for family in FAMILIES for line in family.lines(numbers)]
        counts = [numbers[f"{_SECONDS}.{place}"] for place in range(len(BUCKETS) + 1)]
        meaning = "From the end of a message to the verdict on it."
        lines += histogram(_NAME + _SECONDS, meaning, counts, numbers[_SUM])
        return "".join(f"{line}\n" for line in lines)


class Meter:
    """Counts for one worker. Used by many threads at once.

    Args:
        numbers: the worker's part of the board; what stands there already was counted by the one before.
    """

    def __init__(self, numbers: "memoryview[float]") -> None:
        self._numbers = numbers
        self._guard = threading.Lock()
        self._watched: Callable[[], Mapping[str, float]] = dict
        self._before = list(numbers)
        for name in _GAUGES:
            self._numbers[_PLACE[name]] = 0

    def watch(self, read: Callable[[], Mapping[str, float]]) -> None:
        """Take numbers that others keep, whenever a message ends.

        Args:
            read: returns them by series (see `SERIES`), counted since this process began.
        """
        self._watched = read

    def ended(self, outcome: str, seconds: float = 0.0) -> None:
        """Count a message.

        Args:
            outcome: one of `OUTCOMES`.
            seconds: from its end to the verdict; 0: it has none.
        """
        with self._guard:
            self._numbers[_PLACE[f"messages_total.{outcome}"]] += 1
            if seconds:
                self._numbers[_PLACE[f"{_SECONDS}.{bucket(seconds)}"]] += 1
                self._numbers[_PLACE[_SUM]] += seconds
            for name, number in self._watched().items():
                place = _PLACE[name]
                self._numbers[place] = number if name in _GAUGES else self._before[place] + number
