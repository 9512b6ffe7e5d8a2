"""`smailor up`: in the foreground until ctrl-C, or as a daemon that its starter waits for."""

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

from smailor.errors import SmailorError
from smailor.stack.service import LocalService, Options

_DONE = "\0ready\n"
_LOG_NAME = "supervisor.log"


def up(options: Options, *, detach: bool = False) -> int:
    """Run a local service.

    Args:
        options: what it is to be like.
        detach: return when it is ready and leave it running.

    Returns:
        Exit status: 0, or 1 when it could not start (said on standard error, nothing is left running).
    """
    if not detach:
        return _run(options, lambda: None)
    reader, writer = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.close(reader)
        status = 1
        try:
            status = _daemon(options, writer)
        finally:
            # Not sys.exit: the copy of the caller's stack above us is not ours to unwind.
            os._exit(status)
    os.close(writer)
    return _watch(child, reader)


def _run(options: Options, ready: Callable[[], None]) -> int:
    try:
        LocalService(options, _say).run(ready)
    except SmailorError as error:
        for line in str(error).splitlines():
            sys.stderr.write(f"smailor: {line}\n")
        return 1
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _daemon(options: Options, writer: int) -> int:
    """Be the daemon: what it says goes to its starter until it is ready, then to its log."""
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(writer, 1)
    os.dup2(writer, 2)
    os.close(writer)

    def ready() -> None:
        sys.stdout.write(_DONE)
        sys.stdout.flush()
        log = os.open(options.run_directory / "log" / _LOG_NAME, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)

    return _run(options, ready)


def _watch(child: int, reader: int) -> int:
    """Repeat what the daemon says until it is ready or has ended; ctrl-C meanwhile stops it."""

    def hand_on(number: int, frame: FrameType | None) -> None:
        del number, frame
        os.kill(child, signal.SIGTERM)

    previous = signal.signal(signal.SIGINT, hand_on)
    try:
        with os.fdopen(reader, encoding="utf-8") as said:
            for line in said:
                if line == _DONE:
                    return 0
                # Refusals and progress come by one pipe; only refusals begin with our name.
                stream = sys.stderr if line.startswith("smailor: ") else sys.stdout
                stream.write(line)
                stream.flush()
    finally:
        signal.signal(signal.SIGINT, previous)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) or 1
