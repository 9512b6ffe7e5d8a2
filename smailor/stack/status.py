"""`smailor status`: what runs in a run directory, since when, how often restarted, with how much memory. Reads only."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from smailor.errors import NotFound
from smailor.stack import directory


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """One program.

    Attributes:
        name: what people call it.
        up: whether it runs.
        pid: of its first process; None: it does not run.
        processes: how many there are with its children.
        restarts: how often it was started again.
        given_up: it died too often and is no longer started.
        memory: bytes that it and its children use, shared pages counted by share (PSS).
        ready_seconds: from its start until it answered.
        log: its log file.
    """

    name: str
    up: bool
    pid: int | None
    processes: int
    restarts: int
    given_up: bool
    memory: int
    ready_seconds: float | None
    log: str


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One local service.

    Attributes:
        run_directory: where it lies.
        ready: it has come up and answers.
        pid: of the supervisor.
        seconds_up: since the supervisor's start.
        memory: bytes of all processes together, the supervisor's included.
        phases: seconds from the start to the end of each phase of starting.
        processes: each program.
    """

    run_directory: str
    ready: bool
    pid: int
    seconds_up: float
    memory: int
    phases: dict[str, float]
    processes: tuple[ProcessStatus, ...]

    @property
    def well(self) -> bool:
        """Whether everything that should run does."""
        return self.ready and all(process.up for process in self.processes)


def status(run_directory: Path) -> ServiceStatus:
    """Look at the service of a run directory.

    Args:
        run_directory: what `smailor up` was given.

    Raises:
        NotFound: no service runs there.
    """
    root = run_directory.absolute()
    if not directory.is_running(root):
        raise NotFound(f"no service runs in {root}; start one with smailor up --run-dir {root}")
    try:
        noted = json.loads((root / "run.json").read_text(encoding="utf-8"))
        supervisor = psutil.Process(noted["pid"])
        since = supervisor.create_time()
    except (OSError, ValueError, psutil.NoSuchProcess) as error:
        raise NotFound(f"the service in {root} is only just starting or ending") from error
    processes = tuple(_process(name, facts) for name, facts in noted["processes"].items())
    return ServiceStatus(
        run_directory=str(root),
        ready="ready" in noted["phases"],
        pid=supervisor.pid,
        seconds_up=round(time.time() - since, 1),
        memory=sum(process.memory for process in processes) + _memory(supervisor),
        phases=noted["phases"],
        processes=processes,
    )


def table(found: ServiceStatus) -> list[str]:
    """The status as lines for a person."""
    lines = [f"{'program':<10} {'state':<8} {'pid':>7} {'processes':>9} {'restarts':>8} {'ready s':>7} {'MiB':>6}"]
    for process in found.processes:
        state = "up" if process.up else "given up" if process.given_up else "down"
        ready = "" if process.ready_seconds is None else f"{process.ready_seconds:.1f}"
        lines.append(
            f"{process.name:<10} {state:<8} {process.pid or '':>7} {process.processes:>9} {process.restarts:>8} "
            f"{ready:>7} {process.memory / 2**20:>6.1f}"
        )
    lines.append(
        f"{'in all':<10} {'':<8} {'':>7} {sum(p.processes for p in found.processes) + 1:>9} {'':>8} {'':>7} "
        f"{found.memory / 2**20:>6.1f}"
    )
    phases = ", ".join(f"{name} {seconds:.1f}" for name, seconds in found.phases.items())
    lines += [f"{'ready' if found.ready else 'starting'}; seconds from the start: {phases}"]
    lines += [f"{process.name} is down; log: {process.log}" for process in found.processes if not process.up]
    return lines


def _process(name: str, facts: dict[str, Any]) -> ProcessStatus:
    try:
        process = psutil.Process(facts["pid"])
        up = process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - facts["created"]) < 1.0
        family = [process, *process.children(recursive=True)] if up else []
    except psutil.NoSuchProcess:
        up, family = False, []
    return ProcessStatus(
        name=name,
        up=up,
        pid=facts["pid"] if up else None,
        processes=len(family),
        restarts=facts["restarts"],
        given_up=facts["given_up"],
        memory=sum(map(_memory, family)),
        ready_seconds=None if facts["ready_seconds"] is None else round(facts["ready_seconds"], 2),
        log=facts["log"],
    )


def _memory(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0
