"""The run directory: whose it is, that only one service uses it, and how it comes and goes.

A marker file says that `smailor up` made the directory; only such a one is ever emptied. A lock on the marker says that
a service is using it; the kernel drops it whatever way the service ends.
"""

import fcntl
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from smailor.errors import Conflict, InvalidInput
from smailor.stack.layout import LONGEST_SOCKET_PATH, Layout

_MARKER = ".smailor-run-directory"


@dataclass(frozen=True, slots=True)
class Claim:
    """A run directory in use by this process.

    Attributes:
        root: the directory.
        kept: an earlier service left its data here on purpose (`--keep`), and this one goes on with them.
        database: URL of the PostgreSQL database that an earlier service filled and left so, against its will.
        marker: the open marker file that holds the lock.
    """

    root: Path
    kept: bool
    database: str
    marker: int

    def empty(self) -> None:
        """Delete what an earlier service has left, all but the marker."""
        for entry in self.root.iterdir():
            if entry.name == _MARKER:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def remember(self, *, keep: bool, database: str = "") -> None:
        """Write down what becomes of the data should this service end without cleaning up.

        Args:
            keep: they are to be gone on with.
            database: PostgreSQL URL that is to be emptied as this directory is.
        """
        os.ftruncate(self.marker, 0)
        os.pwrite(self.marker, json.dumps({"keep": keep, "database": database}).encode(), 0)

    def remove(self) -> None:
        """Delete the directory with all it holds; the marker last, for until then it says that somebody is here."""
        self.empty()
        (self.root / _MARKER).unlink()
        self.root.rmdir()

    def release(self) -> None:
        """Let go of the lock."""
        os.close(self.marker)


def check_place(layout: Layout) -> None:
    """Make sure that a service can run in this directory, before anything is made there.

    Raises:
        InvalidInput: a path would be too long for a socket, or other users cannot come in.
    """
    longest = len(bytes(layout.longest_socket()))
    if longest > LONGEST_SOCKET_PATH:
        longest_root = LONGEST_SOCKET_PATH - (longest - len(bytes(layout.root)))
        raise InvalidInput("--run-dir", f"{layout.root} is too long: sockets below it allow {longest_root} characters")
    for parent in layout.root.parents:
        if parent.exists() and not parent.stat().st_mode & 0o001:
            raise InvalidInput(
                "--run-dir", f"only its owner may enter {parent}; the mail programs' own users must, too"
            )


def claim(root: Path, *, keep: bool) -> Claim:
    """Take a run directory for this process; it is made if it is not there.

    Args:
        root: the directory, absolute.
        keep: whether its data are to outlive the service.

    Returns:
        The claim; `kept` when data of an earlier service are there to go on with.

    Raises:
        Conflict: another service runs in it.
        InvalidInput: it holds something that `smailor up` did not make.
    """
    marker = root / _MARKER
    if root.is_dir() and not marker.exists() and any(root.iterdir()):
        raise InvalidInput("--run-dir", f"{root} is not empty and was not made by smailor up")
    root.mkdir(mode=0o755, parents=True, exist_ok=True)
    root.chmod(0o755)
    descriptor = lock(root)
    if descriptor is None:
        raise Conflict(f"a service is running in {root} already: smailor status --run-dir {root}")
    found = _found(root, descriptor)
    found.remember(keep=keep or found.kept, database=found.database)
    return found


def claim_for_removal(root: Path) -> Claim:
    """Take a run directory that nobody uses, in order to delete it.

    Raises:
        Conflict: a service has started in it meanwhile.
    """
    descriptor = lock(root)
    if descriptor is None:
        raise Conflict(f"a service has just started in {root}")
    return _found(root, descriptor)


def _found(root: Path, descriptor: int) -> Claim:
    content = _read(descriptor)
    return Claim(root, bool(content.get("keep")), str(content.get("database", "")), descriptor)


def lock(root: Path) -> int | None:
    """Lock a run directory's marker; returns its descriptor, or None while a service runs there."""
    while True:
        descriptor = os.open(root / _MARKER, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        try:
            if os.path.sameopenfile(descriptor, (again := os.open(root / _MARKER, os.O_RDONLY))):
                os.close(again)
                return descriptor
            os.close(again)
        except FileNotFoundError:
            pass
        # Somebody removed the directory between open and lock; a lock on a deleted file locks nothing.
        os.close(descriptor)
        root.mkdir(mode=0o755, parents=True, exist_ok=True)


def is_ours(root: Path) -> bool:
    """Whether `smailor up` made this directory."""
    return (root / _MARKER).exists()


def is_running(root: Path) -> bool:
    """Whether a service is using this directory now; makes nothing, for the directory may be going at this moment."""
    try:
        descriptor = os.open(root / _MARKER, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _read(descriptor: int) -> dict[str, object]:
    try:
        content = json.loads(os.pread(descriptor, 4096, 0) or b"{}")
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
