"""The processes that a supervisor leaves when it is killed: found by what it had noted, and ended."""

import json
from pathlib import Path

import psutil

from smailor.stack.supervisor import end_processes


def end_orphans(root: Path) -> None:
    """End what still runs of a service whose supervisor is gone.

    Args:
        root: its run directory, which this process has locked.
    """
    found: list[psutil.Process] = []
    for noted in _noted(root):
        try:
            process = psutil.Process(int(noted["pid"]))
            # The number may have gone to another program since.
            if abs(process.create_time() - noted["created"]) < 1.0:
                found += [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess:
            continue
    # A program may have died after its supervisor and left children, which no longer tell whose they were; those
    # of Postfix have their queue as working directory.
    found += [process for process in psutil.process_iter() if process not in found and _works_in(process, root)]
    for process in found:
        try:
            process.terminate()
        except psutil.NoSuchProcess:
            continue
    end_processes(found)


def _noted(root: Path) -> list[dict[str, float]]:
    try:
        return list(json.loads((root / "run.json").read_text(encoding="utf-8"))["processes"].values())
    except (OSError, ValueError, KeyError):
        return []


def _works_in(process: psutil.Process, root: Path) -> bool:
    try:
        return Path(process.cwd()).is_relative_to(root)
    except (psutil.Error, OSError):
        return False
