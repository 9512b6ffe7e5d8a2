"""Writing Postfix's queue into a file that the operator console reads: whole, bounded, and never half of it.

It is run by who may ask Postfix: root, or a member of the group `postdrop`. The web application is not one, and may not
become one by starting Postfix's set-group-id program.
"""

import os
import subprocess
import tempfile
from pathlib import Path

from smailor.errors import TemporaryFailure

MAX_BYTES = 20 * 1024 * 1024
SECONDS = 20
COMMAND = ("postqueue", "-j")


def write(file: Path, command: tuple[str, ...] = COMMAND) -> int:
    """Put the queue in the file's place, readable by its directory's group; return its size in bytes.

    Args:
        file: where to; the directory is there.
        command: what prints the queue, a message a line.

    Raises:
        TemporaryFailure: Postfix does not say, or the file cannot be written.
    """
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=True)
        text = done.stdout
        if len(text) > MAX_BYTES:
            text = text[: text.rindex(b"\n", 0, MAX_BYTES) + 1]
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(text)
                # A set-group-id directory has done it already; where the process is locked in, it may not.
                if os.fstat(stream.fileno()).st_gid != (group := file.parent.stat().st_gid):
                    os.fchown(stream.fileno(), -1, group)
                os.fchmod(stream.fileno(), 0o640)
            Path(name).replace(file)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise TemporaryFailure(f"the queue cannot be written down: {error}") from error
    return len(text)
