"""The path in the file system that a milter's socket stands at: read, made free, recognised. No protocol here."""

import os
import socket
import stat
from pathlib import Path

from smailor.errors import ConfigError

MAX_SOCKET_PATH = 107
"""Octets of a unix socket's path (struct sockaddr_un, less the final NUL)."""
SOCKET_MODE = 0o660
"""Owner and group: the directory gives the socket its group (set-group-id), which is Postfix's."""


def socket_path(address: str) -> Path:
    """Return the path of a `unix:/path` address.

    Raises:
        ConfigError: it is another kind of address, relative or too long.
    """
    kind, _, text = address.partition(":")
    if kind != "unix" or not text.startswith("/"):
        # Over TCP libmilter's two writes and Nagle's algorithm cost 45 ms a message.
        raise ConfigError(f"milter socket {address}: expected unix:/absolute/path")
    if len(os.fsencode(text)) > MAX_SOCKET_PATH:
        raise ConfigError(f"milter socket {text}: the path is longer than {MAX_SOCKET_PATH} octets")
    return Path(text)


def clear(path: Path) -> None:
    """Remove a socket that a dead process left; refuse to take over one that is served.

    Raises:
        ConfigError: another process listens there, or it is no socket.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigError(f"milter socket {path}: {error.strerror}") from error
    if not stat.S_ISSOCK(mode):
        raise ConfigError(f"milter socket {path}: there is a file in its place")
    with socket.socket(socket.AF_UNIX) as probe:
        if probe.connect_ex(str(path)) == 0:
            raise ConfigError(f"milter socket {path}: another process listens there already")
    path.unlink()


def listens_on(descriptor: int, path: Path) -> bool:
    """Tell whether a descriptor of this process is the socket that stands at the path."""
    try:
        with socket.socket(fileno=os.dup(descriptor)) as candidate:
            return bool(candidate.getsockname() == str(path))
    except OSError:
        return False
