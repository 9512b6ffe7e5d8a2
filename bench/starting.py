"""How long the whole service takes to start and what memory it then has: `make bench-starting`, as root.

    .venv/bin/python -m bench.starting [--rounds N] [--database postgresql://…]

Starts the service with its demonstration in a directory of its own, asks `smailor status`, and stops it; every figure
is the median of the rounds. The first round also pays for what the machine has not read yet.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SMAILOR = Path(sys.executable).with_name("smailor")
BASE_PORT = "29000"


def run_round(database: str) -> dict[str, Any]:
    """Start, ask, stop; return what `smailor status --json` says.

    Raises:
        CalledProcessError: the service did not start, or not stop.
    """
    with tempfile.TemporaryDirectory(prefix="sm-", dir="/tmp") as parent:
        Path(parent).chmod(0o755)  # the programs' own users pass through it
        place = ["--run-dir", f"{parent}/r"]
        chosen = ["--database", database] if database else []
        subprocess.run([SMAILOR, "up", "--detach", *place, "--base-port", BASE_PORT, *chosen], check=True, text=True)
        try:
            status = [SMAILOR, "status", "--json", *place]
            found: dict[str, Any] = json.loads(subprocess.run(status, check=True, capture_output=True).stdout)
        finally:
            subprocess.run([SMAILOR, "down", *place], check=True)
        return found


def table(rounds: list[dict[str, Any]]) -> str:
    """Return the medians as a table in Markdown."""
    lines = ["| phase | ready after, s |", "| --- | ---: |"]
    for phase in rounds[0]["phases"]:
        seconds = statistics.median(one["phases"][phase] for one in rounds)
        lines.append(f"| {phase} | {seconds:.1f} |")
    lines += ["", "| program | processes | memory (PSS), MiB |", "| --- | ---: | ---: |"]
    for index, program in enumerate(rounds[0]["processes"]):
        memory = statistics.median(one["processes"][index]["memory"] for one in rounds) / 2**20
        lines.append(f"| {program['name']} | {program['processes']} | {memory:.0f} |")
    total = statistics.median(one["memory"] for one in rounds) / 2**20
    return "\n".join([*lines, f"| in all, with the supervisor | | {total:.0f} |"])


def main() -> None:
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(prog="bench.starting", description="Time and memory of the whole service")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--database", default="", metavar="URL", help="PostgreSQL; SQLite unless given")
    options = parser.parse_args()
    print(table([run_round(options.database) for _ in range(options.rounds)]))


if __name__ == "__main__":
    main()
