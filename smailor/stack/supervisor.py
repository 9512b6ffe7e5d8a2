"""Keeps processes: starts them, waits until they answer, starts again what dies, stops them all. Knows no mail.

What systemd does for a production server, for as long as `smailor up` runs.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from smailor.stack.readiness import Check

RESTARTS = 5
"""How often in a row a program that dies is started again."""
STEADY_SECONDS = 60.0
"""A program that has lived this long is taken for well: earlier deaths no longer count."""
START_SECONDS = 90.0
LAST_WORDS_SECONDS = 2.0
"""How long the others are still waited for after one has failed, so that one failure names all that there are."""
STOP_SECONDS = 10.0
_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Program:
    """One process to keep.

    Attributes:
        name: what people call it; also names its log.
        argv: the command.
        log: file that its output is added to.
        ready: whether it answers.
        environment: all of its environment.
        stop: signal that asks it to end.
        umask: bits that files which it makes do not get.
    """

    name: str
    argv: tuple[str, ...]
    log: Path
    ready: Check
    environment: Mapping[str, str]
    stop: signal.Signals = signal.SIGTERM
    umask: int = 0o022


@dataclass(slots=True)
class Kept:
    """A program with what became of it.

    Attributes:
        program: what it is.
        process: its present process.
        created: when the kernel made that, which tells it from a later process with the same number.
        started: time.monotonic() of its start.
        seconds: from start until it answered; None: not yet.
        restarts: how often it was started again.
        row: restarts since it last lived long enough.
        again: time.monotonic() of the next start while it is down; None: it runs, or was given up.
    """

    program: Program
    process: subprocess.Popen[bytes]
    created: float
    started: float
    seconds: float | None = None
    restarts: int = 0
    row: int = 0
    again: float | None = None
    given_up: bool = field(default=False)


class Supervisor:
    """The processes of one service.

    Args:
        report: gets a line for each thing that happens to a process while it is kept.
    """

    def __init__(self, report: Callable[[str], None]) -> None:
        self.kept: dict[str, Kept] = {}
        self._report = report

    def start(self, program: Program) -> None:
        """Start a program; whether it answers is `wait`'s to find out."""
        process = _spawn(program)
        self.kept[program.name] = Kept(program, process, psutil.Process(process.pid).create_time(), time.monotonic())

    def wait(
        self,
        names: Iterable[str],
        on_ready: Callable[[Kept], None],
        *,
        limit_seconds: float = START_SECONDS,
    ) -> list[Kept]:
        """Wait until programs answer.

        Args:
            names: which of those started.
            on_ready: called for each when it first answers.
            limit_seconds: for all of them together.

        Returns:
            Those that ended or did not answer in time, none if all is well.
        """
        waiting = [self.kept[name] for name in names]
        failed: list[Kept] = []
        deadline = time.monotonic() + limit_seconds
        while waiting and time.monotonic() < deadline:
            for kept in list(waiting):
                if kept.process.poll() is not None:
                    failed.append(kept)
                    waiting.remove(kept)
                    deadline = min(deadline, time.monotonic() + LAST_WORDS_SECONDS)
                elif kept.program.ready():
                    kept.seconds = time.monotonic() - kept.started
                    waiting.remove(kept)
                    on_ready(kept)
            time.sleep(_POLL_SECONDS)
        # When one has failed, the rest were only not waited for.
        return failed or waiting

    def revive(self) -> bool:
        """Notice what has died and start again what is due; returns whether anything changed."""
        changed = False
        for kept in self.kept.values():
            name, now = kept.program.name, time.monotonic()
            if kept.again is not None:
                if now >= kept.again:
                    kept.process = _spawn(kept.program)
                    kept.created = psutil.Process(kept.process.pid).create_time()
                    kept.started, kept.again = now, None
                    kept.restarts += 1
                    self._report(f"{name} started again (pid {kept.process.pid})")
                    changed = True
            elif not kept.given_up and kept.process.poll() is not None:
                changed = True
                _end_group(kept.process.pid)
                kept.row = 1 if now - kept.started > STEADY_SECONDS else kept.row + 1
                how = _how(kept.process.returncode)
                if kept.row > RESTARTS:
                    kept.given_up = True
                    self._report(f"{name} {how} and was given up after {RESTARTS} starts; log: {kept.program.log}")
                else:
                    delay = 0.5 * 2 ** (kept.row - 1)
                    kept.again = now + delay
                    self._report(f"{name} {how}; starting it again in {delay:g} s; log: {kept.program.log}")
        return changed

    def stop(self) -> None:
        """End all, the last started first, and whatever they have started; nothing of it is left afterwards."""
        running = [kept for kept in reversed(self.kept.values()) if kept.process.poll() is None]
        families = {kept.process.pid: _family(kept.process.pid) for kept in running}
        for kept in running:
            for member in families[kept.process.pid]:
                _ask(member, kept.program.stop)
            kept.process.send_signal(kept.program.stop)
        deadline = time.monotonic() + STOP_SECONDS
        for kept in running:
            try:
                kept.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self._report(f"{kept.program.name} did not end in {STOP_SECONDS:g} s and was killed")
                kept.process.kill()
                kept.process.wait()
        end_processes([member for family in families.values() for member in family])
        self.kept.clear()


def _spawn(program: Program) -> "subprocess.Popen[bytes]":
    with program.log.open("ab") as log:
        # A session of its own: ctrl-C on our terminal is ours to hand on, in order.
        return subprocess.Popen(
            program.argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=dict(program.environment),
            start_new_session=True,
            cwd="/",
            umask=program.umask,
        )


def end_processes(members: list[psutil.Process]) -> None:
    """Wait for processes that are ending already, then kill what is left of them."""
    _, alive = psutil.wait_procs(members, timeout=3.0)
    for member in alive:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(alive, timeout=3.0)


def _ask(member: psutil.Process, how: signal.Signals) -> None:
    """Ask a process to end if it leads a group of its own, as Postfix's master below a script that tells it nothing."""
    try:
        if os.getpgid(member.pid) == member.pid:
            member.send_signal(how)
    except (ProcessLookupError, psutil.NoSuchProcess):
        return


def _family(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _end_group(pid: int) -> None:
    """Kill what a dead program has left in its process group, so that its successor finds its ports free."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _how(status: int) -> str:
    return f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
