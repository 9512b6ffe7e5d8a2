"""`smailor down`: asks the service of a run directory to end, and cleans up after one that ended without doing so."""

import json
import os
import signal
import time
from pathlib import Path

import psutil

from smailor.errors import InvalidInput, NotFound, PermissionDenied, TemporaryFailure
from smailor.stack import directory, state
from smailor.stack.orphans import end_orphans

WAIT_SECONDS = 40.0
_POLL_SECONDS = 0.05


def down(run_directory: Path) -> None:
    """Stop the service of a run directory and wait until nothing of it is left.

    Args:
        run_directory: what `smailor up` was given.

    Raises:
        NotFound: no service runs there, and there is nothing to clean up.
        InvalidInput: not a run directory of ours.
        PermissionDenied: the caller is not root.
        TemporaryFailure: the service does not end.
    """
    root = run_directory.absolute()
    if not root.is_dir():
        raise NotFound(f"no service runs in {root}")
    if not directory.is_ours(root):
        raise InvalidInput("--run-dir", f"{root} was not made by smailor up")
    if os.geteuid() != 0:
        raise PermissionDenied("the service runs as root: sudo smailor down")
    if directory.is_running(root):
        _end(root)
        return
    # Its supervisor was killed, or it never came up: take away what they left.
    end_orphans(root)
    claim = directory.claim_for_removal(root)
    if claim.kept:
        claim.release()
        raise NotFound(f"no service runs in {root}; its data are kept")
    if claim.database:
        state.clear(claim.database)
    claim.remove()
    claim.release()


def _end(root: Path) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    asked = 0
    while directory.is_running(root):
        # While the service is starting there is no file yet, or an old one's: asked for again each time.
        pid = _supervisor(root)
        if pid and pid != asked:
            os.kill(pid, signal.SIGTERM)
            asked = pid
        if time.monotonic() > deadline:
            raise TemporaryFailure(f"the service in {root} does not end (pid {pid or 'unknown'})")
        time.sleep(_POLL_SECONDS)
    while asked and _is_alive(asked) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)


def _is_alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has reaped (a container without an init) does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _supervisor(root: Path) -> int:
    try:
        return int(json.loads((root / "run.json").read_text(encoding="utf-8"))["pid"])
    except (OSError, ValueError, KeyError):
        return 0
