"""How fast the policy daemon is, beside others, each with eight limits a request: `make bench-policyd`.

    .venv/bin/python -m bench.policyd [--rounds N]

All daemons run at the same time and are loaded one after the other, round by round, so that what disturbs the machine
disturbs them all. A figure is the median of the rounds; a ratio is the median of each round's ratio to the faster of
the two others. Exit status 1: a bar was missed.
"""

import argparse
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from bench import policyd_programs as programs
from bench import processes
from bench.policy_load import Load, Outcome, accounts, drive
from bench.policyd_programs import Program
from tests.postgresql import remove

WARM = accounts(1000)
ACTIVE = 100_000


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of load.

    Attributes:
        title: in the table.
        load: as such; of a cold one, the accounts are new in each round.
        bar: how many times as fast as the faster of the others ours has to be.
    """

    title: str
    load: Load
    bar: float
    cold: bool = False


CASES = (
    Case("1 connection, cold", Load(1, 5, 0, (), in_order=True), 1, cold=True),
    Case("1 connection, warm", Load(1, 3, 8, WARM), 4),
    Case("16 connections", Load(16, 3, 3, WARM), 30),
    Case("100 connections", Load(100, 3, 3, WARM), 40),
)
COLD_ACCOUNTS = 1000
CPU_BAR = 20
P99_BAR_MS = 5
MEMORY_BAR_MB = 150


class Table:
    """What was measured: outcomes by case and program, one a round."""

    def __init__(self, others: Sequence[str]) -> None:
        self._others = others
        self._found: dict[tuple[str, str], list[Outcome]] = {}

    def add(self, case: Case, program: Program, outcome: Outcome) -> None:
        """Take in one."""
        self._found.setdefault((case.title, program.name), []).append(outcome)

    def median(self, case: Case, name: str, figure: Callable[[Outcome], float]) -> float:
        """Return the median of a figure."""
        return statistics.median(map(figure, self._found[case.title, name]))

    def faster(self, case: Case, name: str) -> float:
        """Return how many times as fast a program is as the faster of the others."""
        rounds = zip(*(self._found[case.title, other] for other in (name, *self._others)), strict=True)
        return statistics.median(mine.per_second / max(o.per_second for o in others) for mine, *others in rounds)

    def cheaper(self, case: Case, name: str) -> float:
        """Return how many times as much processor time a request of the cheaper of the others takes."""
        rounds = zip(*(self._found[case.title, other] for other in (name, *self._others)), strict=True)
        return statistics.median(min(o.cpu_per_10k for o in others) / mine.cpu_per_10k for mine, *others in rounds)


def main() -> int:
    """Measure and print; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="smailor-bench-")))
        directory.chmod(0o755)
        cluster = _cluster(stack)
        started = [
            programs.postfwd(directory / "postfwd"),
            programs.rate_limit(directory / "rate-limit", cluster),
            programs.smailor(directory / "sqlite", f"sqlite:///{directory}/smailor.db", "Smailor, SQLite"),
            programs.smailor(directory / "postgresql", cluster.new_database(), "Smailor, PostgreSQL"),
        ]
        for program in started:
            stack.callback(program.stop)
        table = Table([program.name for program in started if not program.ours])
        for number in range(options.rounds):
            for case in CASES:
                load = (
                    replace(case.load, accounts=accounts(COLD_ACCOUNTS, f"cold{number}-")) if case.cold else case.load
                )
                for program in started:
                    outcome = drive(program.address, replace(load, state=program.state), program.pid)
                    table.add(case, program, outcome)
                    sys.stderr.write(f"round {number + 1}, {case.title}, {program.name}: {outcome.per_second:,.0f}\n")
        memory = {program.name: _memory(program) for program in started if program.ours}
    return _report(table, started, memory, options.rounds)


def _cluster(stack: ExitStack) -> programs.DurableCluster:
    directory = Path(tempfile.mkdtemp(prefix="smailor-bench-pg-"))
    stack.callback(remove, directory)
    cluster = programs.DurableCluster(directory)
    cluster.create()
    cluster.start()
    stack.callback(cluster.stop)
    return cluster


def _memory(program: Program) -> float:
    """Return the megabytes that it takes while so many accounts are active."""
    with processes.watched(program.pid) as peak:
        for _ in range(2):
            drive(program.address, Load(100, 60, 0, accounts(ACTIVE, "active"), in_order=True), program.pid)
    return peak.rss * 1.048576


def _report(table: Table, started: Sequence[Program], memory: dict[str, float], rounds: int) -> int:
    missed = []
    print(f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}, {rounds} rounds\n")
    print("| load | daemon | requests/s | p50 ms | p99 ms | s of CPU for 10,000 | times as fast | bar |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for case in CASES:
        for program in started:

            def figure(of: Callable[[Outcome], float], case: Case = case, name: str = program.name) -> float:
                return table.median(case, name, of)

            line = f"| {case.title} | {program.name} | {figure(lambda o: o.per_second):,.0f}"
            line += f" | {figure(lambda o: o.latency_ms(0.5)):.2f} | {figure(lambda o: o.latency_ms(0.99)):.2f}"
            line += f" | {figure(lambda o: o.cpu_per_10k):.3f}"
            if program.ours:
                ratio = table.faster(case, program.name)
                line += f" | {ratio:.1f} | {case.bar:g}"
                if ratio < case.bar:
                    missed.append(f"{case.title}, {program.name}: {ratio:.1f} times as fast, not {case.bar:g}")
            else:
                line += " | | "
            print(line + " |")
    sixteen = CASES[2]
    for program in started:
        if not program.ours:
            continue
        less = table.cheaper(sixteen, program.name)
        p99 = table.median(sixteen, program.name, lambda o: o.latency_ms(0.99))
        used = memory[program.name]
        print(
            f"\n{program.name}: processor time of a request at 16 connections 1/{less:.0f} of the cheaper of the others"
            f" (bar 1/{CPU_BAR}), p99 {p99:.2f} ms (bar {P99_BAR_MS}), {used:.0f} MB with {ACTIVE:,} active accounts"
            f" (bar {MEMORY_BAR_MB})"
        )
        missed += [f"{program.name}: processor time"] * (less < CPU_BAR)
        missed += [f"{program.name}: p99"] * (p99 >= P99_BAR_MS)
        missed += [f"{program.name}: memory"] * (used >= MEMORY_BAR_MB)
    for text in missed:
        print(f"\nMissed: {text}")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
