"""What processes cost: processor time and memory of a process and its descendants, from /proc."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


class Peak:
    """The most memory that was seen, in MiB.

    Attributes:
        rss: of all processes added up; what they share is counted once for each.
        pss: of all processes added up; what they share is counted once. This is what the machine has to have.
    """

    rss = 0.0
    pss = 0.0


def family(root: int) -> list[int]:
    """Return the process and all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def cpu_seconds(root: int) -> float:
    """Return the processor time, user and system, that the family has used."""
    return sum(int(fields[11]) + int(fields[12]) for pid in family(root) if (fields := _stat(pid))) / TICKS


class Disturbance:
    """How much of the machine other programs took.

    Attributes:
        share: of all processors, 0 to 1.
    """

    share = 0.0


@contextmanager
def disturbance() -> Iterator[Disturbance]:
    """Look at what runs beside this process and its descendants while the block does."""
    seen = Disturbance()
    busy, own, started = _busy_seconds(), cpu_seconds(os.getpid()), time.monotonic()
    yield seen
    foreign = (_busy_seconds() - busy) - (cpu_seconds(os.getpid()) - own)
    seen.share = max(0.0, foreign / (time.monotonic() - started) / (os.cpu_count() or 1))


@contextmanager
def watched(root: int) -> Iterator[Peak]:
    """Look at the family's memory every 20 ms while the block runs."""
    peak = Peak()
    done = threading.Event()

    def look() -> None:
        pids = family(root)
        while not done.wait(0.02):
            rss, pss = memory(pids)
            peak.rss, peak.pss = max(peak.rss, rss), max(peak.pss, pss)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def memory(pids: list[int]) -> tuple[float, float]:
    """Return (RSS, PSS) of the processes in MiB; see `Peak`."""
    totals = {"Rss": 0, "Pss": 0}
    for pid in pids:
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        except OSError:
            continue  # it has just ended
        for line in text.splitlines():
            name, _, rest = line.partition(":")
            if name in totals:
                totals[name] += int(rest.split()[0])
    return totals["Rss"] / 1024, totals["Pss"] / 1024


def _busy_seconds() -> float:
    """Return the time that all processors were busy, or not given to us."""
    fields = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _waiting, irq, softirq, steal = map(int, fields[:8])
    return (user + nice + system + irq + softirq + steal) / TICKS


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the third on (state, parent, …); empty where it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []
