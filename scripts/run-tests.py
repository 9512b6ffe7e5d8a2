"""Run the stages of `make test` one after another and end with one table.

    scripts/run-tests.py STAGE... [-- PYTEST-ARGUMENT...]

A stage is `lint` or a folder of tests/. Every stage runs, also after one that failed, so that one run tells all; the
exit status is 0 only if none failed. Stages that start the whole service run as root. This file runs and counts, it
decides nothing about tests.
"""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

PROJECT = Path(__file__).resolve().parent.parent
REPORTS = PROJECT / ".cache" / "tests"
AS_ROOT = frozenset({"system", "browser"})
# What may run side by side, in which portions, and how many at most: each has servers of its own, and a machine may
# have more processors than it lets us use. Tests that take seconds go to whoever is free. Daemon tests share ports.
ONE_BY_ONE = ["load", "--maxschedchunk=1"]
SIDE_BY_SIDE = {"service": (["loadfile"], 4), "system": (ONE_BY_ONE, 2), "browser": (ONE_BY_ONE, 2)}
NOTHING_COLLECTED = 5


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one stage: counts of tests (none for lint) and the wall-clock time in seconds."""

    stage: str
    ok: bool
    seconds: float
    passed: int = 0
    failed: int = 0
    skipped: int = 0


def run_lint() -> Outcome:
    """Run scripts/lint."""
    started = time.monotonic()
    status = subprocess.run([PROJECT / "scripts" / "lint"], cwd=PROJECT, check=False).returncode
    return Outcome("lint", status == 0, time.monotonic() - started)


def run_pytest(stage: str, arguments: list[str]) -> Outcome:
    """Run the tests of one folder; a folder without a selected test is no failure, one that breaks off is."""
    report = REPORTS / f"{stage}.xml"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", f"tests/{stage}", f"--junit-xml={report}", *arguments]
    if stage in SIDE_BY_SIDE:
        portions, most = SIDE_BY_SIDE[stage]
        command += ["--numprocesses", str(min(len(os.sched_getaffinity(0)), most)), "--dist", *portions]
    environment = dict(os.environ)
    if stage in AS_ROOT and os.geteuid() != 0:
        # Root leaves nothing in the clone that its owner could not remove.
        command = [str(PROJECT / "scripts" / "as-root"), *command, "-o", "cache_dir=/var/cache/smailor/pytest"]
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
    started = time.monotonic()
    status = subprocess.run(command, cwd=PROJECT, env=environment, check=False).returncode
    seconds = time.monotonic() - started
    if not report.exists():
        return Outcome(stage, ok=False, seconds=seconds)
    suites = ET.parse(report).getroot().iter("testsuite")  # noqa: S314 - pytest wrote it a moment ago
    total = failed = skipped = 0
    for suite in suites:
        total += int(suite.get("tests", "0"))
        failed += int(suite.get("failures", "0")) + int(suite.get("errors", "0"))
        skipped += int(suite.get("skipped", "0"))
    return Outcome(stage, status in {0, NOTHING_COLLECTED}, seconds, max(total - failed - skipped, 0), failed, skipped)


def main(arguments: list[str]) -> int:
    """Run the stages that the arguments name and print the table; return the exit status."""
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    stages, for_pytest = arguments[:cut], arguments[cut + 1 :]
    REPORTS.mkdir(parents=True, exist_ok=True)
    outcomes: list[Outcome] = []
    for stage in stages:
        if stage == "lint":
            print("\n===== lint", flush=True)
            outcomes.append(run_lint())
        elif (PROJECT / "tests" / stage).is_dir():
            print(f"\n===== {stage}", flush=True)
            outcomes.append(run_pytest(stage, for_pytest))
        else:
            print(f"There is no stage {stage!r}: tests/{stage} does not exist.", file=sys.stderr)
            return 2

    print("\nstage      result    passed  failed  skipped  seconds")
    for outcome in outcomes:
        result = "ok" if outcome.ok else "FAILED"
        counts = "" if outcome.stage == "lint" else f"{outcome.passed:6}  {outcome.failed:6}  {outcome.skipped:7}"
        print(f"{outcome.stage:10} {result:8} {counts:24} {outcome.seconds:7.1f}")
    broken = [outcome.stage for outcome in outcomes if not outcome.ok]
    if broken:
        print(f"failed: {' '.join(broken)}")
    passed, failed, skipped = (sum(getattr(o, name) for o in outcomes) for name in ("passed", "failed", "skipped"))
    print(f"total: {passed} passed, {failed} failed, {skipped} skipped", flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
