"""How fast the milters are, beside others, on unix sockets and with signatures verified: `make bench-milters`.

    .venv/bin/python -m bench.milters [--rounds N] [--only signing|dmarc]

All milters run at the same time and are loaded one after the other, round by round, so that what disturbs the machine
disturbs them all. A figure is the median of the rounds; a ratio is the median of each round's ratio.
"""

import argparse
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from bench import arrivals, processes
from bench import milter_programs as programs
from bench.milter_load import Load, Outcome
from bench.milter_messages import draw_message

DOMAINS = tuple(f"d{number:03d}.example.com" for number in range(20))
WORKERS = 2


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of load.

    Attributes:
        title: in the table.
        size: octets of the body.
        kind: see `draw_message`.
        templates: different messages.
        sessions: at the same time.
        per_session: messages in each.
        seconds: how long in each round.
        sample: signatures verified in each round.
    """

    title: str
    size: int
    kind: str
    templates: int
    sessions: int
    per_session: int
    seconds: float
    sample: int


@dataclass(frozen=True, slots=True)
class Measured:
    """One milter in one round."""

    per_second: float
    cpu_ms: float
    p99_ms: float


CASES = (
    Case("2 KiB text", 2 * 1024, "text", 20, 8, 20, 3.0, 20),
    Case("50 KiB text", 50 * 1024, "text", 20, 8, 20, 2.0, 10),
    Case("1 MiB base64", 1024 * 1024, "base64", 4, 8, 20, 2.0, 2),
)
# What has to be reached: messages/s of ours against each of the others', CPU of a 2 KiB message, memory.
BARS = {
    ("2 KiB text", "OpenDKIM"): 2.5,
    ("2 KiB text", "Rspamd"): 1.0,
    ("50 KiB text", "OpenDKIM"): 1.8,
    ("50 KiB text", "Rspamd"): 3.0,
    ("1 MiB base64", "OpenDKIM"): 0.8,
}
MAX_DISTURBANCE = 0.08
"""Share of the machine that other programs may take; rounds in which they take more are repeated."""
MAX_REPEATED = 6
"""As often as there are rounds; after that a disturbed one has to do."""
CPU_BAR_MS = 0.5
MEMORY_BAR_MIB = 100
STARTERS: Sequence[Callable[[Path, programs.Domains, int], programs.Program]] = (
    programs.opendkim,
    programs.rspamd,
    programs.smailor,
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=WORKERS, help="processes of Rspamd and of ours")
    parser.add_argument("--only", choices=("signing", "dmarc"), help="one milter instead of both")
    options = parser.parse_args()
    for program in ("opendkim", "rspamd"):
        if shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin") is None:
            raise SystemExit(f"{program} is missing: scripts/install-packages service bench")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}")
    print(f"one RSA-2048 signature: {_signature_ms():.2f} ms CPU, which every signing milter has to pay", flush=True)
    missed: list[str] = []
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        known = programs.make_domains(directory, DOMAINS)
        if options.only != "signing":
            place = directory / "dmarc"
            place.mkdir()
            missed += arrivals.compare(place, known, rounds=options.rounds, workers=options.workers)
        if options.only != "dmarc":
            missed += _signing(directory, known, options.rounds, options.workers)
    print("\nmissed: " + "; ".join(missed) if missed else "\nall bars are reached")
    return 0


def _signing(directory: Path, known: programs.Domains, rounds: int, workers: int) -> list[str]:
    """Measure our signing milter beside the others, return what was missed."""
    missed: list[str] = []
    with ExitStack() as stack:
        milters = []
        for start in STARTERS:
            place = directory / start.__name__
            place.mkdir()
            milters.append(start(place, known, workers))
            stack.callback(milters[-1].stop)
        for case in CASES:
            missed += _compare(case, milters, known, rounds)
        missed += _memory(milters, known)
    return missed


def _compare(case: Case, milters: Sequence[programs.Program], known: programs.Domains, rounds: int) -> list[str]:
    """Load each milter in each round, print the table, return what was missed."""
    loads = {milter.name: _load(milter, case, known) for milter in milters}
    results: dict[str, list[Measured]] = {milter.name: [] for milter in milters}
    disturbed = 0
    while len(results["Smailor"]) < rounds:
        with processes.disturbance() as others:
            found = {milter.name: _measure(milter, loads[milter.name], case, known) for milter in milters}
        if others.share > MAX_DISTURBANCE and disturbed < MAX_REPEATED * rounds:
            disturbed += 1
            continue
        for name, measured in found.items():
            results[name].append(measured)
    missed = []
    print(f"\n{case.title}, {case.sessions} sessions of {case.per_session} messages, median of {rounds}", end="")
    print(f" (and {disturbed} rounds left out, disturbed by other programs)" if disturbed else "")
    print(f"{'':12} {'messages/s':>10} {'CPU ms':>8} {'p99 ms':>8} {'ours/it: speed':>15} {'CPU it/ours':>12}")
    ours = results["Smailor"]
    for name, theirs in results.items():
        speed = statistics.median(a.per_second / b.per_second for a, b in zip(ours, theirs, strict=True))
        cpu = statistics.median(b.cpu_ms / a.cpu_ms for a, b in zip(ours, theirs, strict=True))
        values = [statistics.median(getattr(one, key) for one in theirs) for key in ("per_second", "cpu_ms", "p99_ms")]
        bar = BARS.get((case.title, name))
        wanted = f"  (wanted: {bar})" if bar else ""
        print(
            f"{name:12} {values[0]:10.0f} {values[1]:8.3f} {values[2]:8.2f} {speed:15.2f} {cpu:12.2f}{wanted}",
            flush=True,
        )
        if bar and speed < bar:
            missed.append(f"{case.title}: {speed:.2f} of {name}, wanted {bar}")
        if name == "Smailor" and case is CASES[0] and values[1] > CPU_BAR_MS:
            missed.append(f"{case.title}: {values[1]:.2f} ms CPU, wanted {CPU_BAR_MS}")
    return missed


def _memory(milters: Sequence[programs.Program], known: programs.Domains) -> list[str]:
    """Send four messages of 25 MiB at the same time; print the peak, return what was missed."""
    case = Case("25 MiB base64", 25 * 1024 * 1024, "base64", 1, 4, 1, 0, 1)
    missed = []
    print("\nPeak memory with four messages of 25 MiB, all processes, MiB")
    print(f"{'':12} {'RSS':>8} {'PSS':>8}")
    for milter in milters:
        load = _load(milter, case, known)
        with processes.watched(milter.pid) as peak:
            _checked(milter, load.run(sessions=4, per_session=1, messages=4))
        wanted = ""
        if milter.name == "Smailor":
            wanted = f"  (wanted: {MEMORY_BAR_MIB})"
            if peak.pss > MEMORY_BAR_MIB:
                missed.append(f"{peak.pss:.0f} MiB, wanted {MEMORY_BAR_MIB}")
        print(f"{milter.name:12} {peak.rss:8.1f} {peak.pss:8.1f}{wanted}", flush=True)
    return missed


def _signature_ms() -> float:
    """Return what the signature itself takes on this machine, the best of a few tries."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    best = float("inf")
    for _ in range(5):
        before = time.process_time()
        for _ in range(100):
            key.sign(b"x" * 900, padding.PKCS1v15(), hashes.SHA256())
        best = min(best, (time.process_time() - before) * 1000 / 100)
    return best


def _load(milter: programs.Program, case: Case, known: programs.Domains) -> Load:
    drawn = [
        draw_message(number, known.names[number % len(known.names)], case.size, case.kind)
        for number in range(case.templates)
    ]
    return Load(milter.socket, drawn)


def _measure(milter: programs.Program, load: Load, case: Case, known: programs.Domains) -> Measured:
    load.run(sessions=case.sessions, per_session=case.per_session, messages=2 * case.sessions)  # keys and caches
    before = processes.cpu_seconds(milter.pid)
    outcome = load.run(
        sessions=case.sessions,
        per_session=case.per_session,
        seconds=case.seconds,
        dns=known.dns,
        sample=case.sample,
    )
    after = processes.cpu_seconds(milter.pid)
    _checked(milter, outcome)
    return Measured(outcome.per_second, (after - before) / outcome.messages * 1000, outcome.percentile(0.99))


def _checked(milter: programs.Program, outcome: Outcome) -> None:
    """A fast wrong answer does not count."""
    if outcome.errors or outcome.failures or set(outcome.verdicts) - {"c", "a"}:
        raise SystemExit(f"{milter.name}: {outcome.errors} errors, {outcome.verdicts}, {outcome.failures}")


if __name__ == "__main__":
    sys.exit(main())
