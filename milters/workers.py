"""Worker processes that share one listening socket: started, restarted, and ended without dropping what they hold.

The parent holds one end of a pipe to each worker, its lifeline. When that end closes, because the parent was told to
stop or because it died, the worker takes no new connection, finishes the messages in hand and leaves. Signals are not
used between them: libmilter takes SIGTERM, SIGINT and SIGHUP for itself, looks at them every five seconds and then
leaves with messages in hand. No mail and no protocol here.
"""

import itertools
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from milters import events

LEAVE_SECONDS = 4.0
"""A worker finishes what it has in hand for at most this long; all of them are gone in under five seconds."""
KILL_SECONDS = 4.5
QUIET_SECONDS = 0.1
"""After the last message's end its answer has still to be written: libmilter does that after the callback."""
MIN_LIFE_SECONDS = 1.0
"""A worker that dies younger is not replaced before that time, so that a broken start is no fork storm."""

_LOG = logging.getLogger(__name__)
_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}


class InFlight:
    """Counts the messages in hand; used by many threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = 0
        self._ended_at = 0.0

    def begin(self) -> None:
        """Count a message."""
        with self._changed:
            self._count += 1

    def end(self) -> None:
        """Count one less."""
        with self._changed:
            self._count -= 1
            self._ended_at = time.monotonic()
            if not self._count:
                self._changed.notify_all()

    def wait_until_quiet(self, seconds: float) -> bool:
        """Wait until no message is in hand and the last answer is written, at most so many seconds.

        Returns:
            Whether it is quiet.
        """
        deadline = time.monotonic() + seconds
        with self._changed:
            while (now := time.monotonic()) < deadline:
                quiet_at = self._ended_at + QUIET_SECONDS
                if not self._count and now >= quiet_at:
                    return True
                self._changed.wait(min(deadline, deadline if self._count else quiet_at) - now)
        return False


@dataclass(frozen=True, slots=True)
class Lifeline:
    """A worker's end of the pipe from its parent.

    Attributes:
        descriptor: of that end.
        number: the worker's among those that run at the same time, from 0; one that has ended leaves its to another.
    """

    descriptor: int
    number: int

    def wait(self) -> None:
        """Return when the parent has let go."""
        while os.read(self.descriptor, 1):
            pass


def leave_when_told(lifeline: Lifeline, listener: int, in_flight: InFlight, *, last: Callable[[], object]) -> None:
    """In a worker: start the thread that ends this process when its parent lets go.

    Args:
        lifeline: from the parent.
        listener: descriptor of the listening socket; replaced by one that never has a connection.
        in_flight: the messages in hand.
        last: called when these are finished; if it hangs, the parent kills.
    """

    def leave() -> None:
        lifeline.wait()
        never_ready, _kept_open = os.pipe()
        os.dup2(never_ready, listener)
        in_flight.wait_until_quiet(LEAVE_SECONDS)
        try:
            last()
        except Exception:  # noqa: BLE001 - whatever it was, the process ends now
            events.failed(_LOG, None, "leaving")
        os._exit(0)

    threading.Thread(target=leave, name="leave-when-told", daemon=True).start()


def supervise(
    count: int, work: Callable[[Lifeline], None], *, before_stop: Callable[[], object], died: Callable[[], object]
) -> None:
    """Keep workers running until SIGTERM or SIGINT; SIGHUP replaces them one for one. To be called without threads.

    Args:
        count: how many.
        work: what a worker does; it ends when that returns.
        before_stop: called once when told to stop, before the workers are, such as to take the socket's name away.
        died: called for each worker that ended unasked.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    crew = _Crew(work, died)
    due = [time.monotonic()] * count
    while True:
        now = time.monotonic()
        for _ in range(sum(moment <= now for moment in due)):
            crew.start()
        due = [moment for moment in due if moment > now]
        received = _next_signal(min(due) - now if due else None)
        if received in {signal.SIGTERM, signal.SIGINT}:
            break
        if received == signal.SIGHUP:
            events.stopping(_LOG, "SIGHUP")
            crew.let_go()
        due += crew.reap()
    events.stopping(_LOG, "SIGTERM" if received == signal.SIGTERM else "SIGINT")
    before_stop()
    crew.let_go()
    crew.wait_for_the_last()


@dataclass(slots=True)
class _Member:
    """One worker as its parent knows it."""

    number: int
    started_at: float
    lifeline: int | None

    def let_go(self) -> None:
        if self.lifeline is not None:
            os.close(self.lifeline)
            self.lifeline = None


class _Crew:
    """The workers that are running, known to the parent by pid."""

    def __init__(self, work: Callable[[Lifeline], None], died: Callable[[], object]) -> None:
        self._work = work
        self._died = died
        self._members: dict[int, _Member] = {}

    def start(self) -> None:
        """Start one worker."""
        taken = {member.number for member in self._members.values()}
        number = next(number for number in itertools.count() if number not in taken)
        read_end, write_end = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(write_end)
            self._be_worker(Lifeline(read_end, number))
        os.close(read_end)
        self._members[pid] = _Member(number, time.monotonic(), write_end)

    def let_go(self) -> None:
        """Tell all workers to finish and leave."""
        for member in self._members.values():
            member.let_go()

    def reap(self) -> list[float]:
        """Forget the workers that have ended; return for each when another one is due."""
        due = []
        for pid, status in _ended():
            member = self._members.pop(pid)
            member.let_go()
            if status:
                events.worker_died(_LOG, pid, status)
                self._died()
            due.append(member.started_at + MIN_LIFE_SECONDS if status else 0.0)
        return due

    def wait_for_the_last(self) -> None:
        """Return when all have ended; those that are late are killed."""
        deadline = time.monotonic() + KILL_SECONDS
        while self._members:
            self.reap()
            seconds = deadline - time.monotonic()
            if self._members and seconds <= 0:
                for pid in self._members:
                    events.worker_killed(_LOG, pid)
                    os.kill(pid, signal.SIGKILL)
                return
            if self._members:
                signal.sigtimedwait({signal.SIGCHLD}, seconds)

    def _be_worker(self, lifeline: Lifeline) -> NoReturn:
        status = 1
        try:
            self.let_go()  # our copies of the others' lifelines; the parent's stay
            os.setpgid(0, 0)  # a terminal's ctrl-C is for the parent, who then lets go
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
            self._work(lifeline)
            status = 0
        except BaseException:  # noqa: BLE001 - whatever it was, this process must not become a second parent
            events.failed(_LOG, None, "worker")
        finally:
            os._exit(status)


def _next_signal(seconds: float | None) -> int | None:
    """Wait for a signal, at most so many seconds; return its number or None."""
    received = signal.sigwaitinfo(_SIGNALS) if seconds is None else signal.sigtimedwait(_SIGNALS, max(0.0, seconds))
    return received.si_signo if received else None


def _ended() -> list[tuple[int, int]]:
    """Return (pid, exit status or minus the signal) of all children that have ended."""
    ended: list[tuple[int, int]] = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if not pid:
            return ended
        ended.append((pid, os.waitstatus_to_exitcode(status)))
