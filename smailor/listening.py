"""Sockets to listen on, bound by address or path. No protocol here."""

import socket
import stat
from pathlib import Path

from smailor.errors import ConfigError

SOCKET_MODE = 0o660
"""Owner and group: the directory gives the socket its group (set-group-id), which is Postfix's."""


def bind(listen_on: str) -> socket.socket:
    """Return a socket bound to `unix:/path` or `host:port`, in place of one that a dead process has left behind.

    Raises:
        ConfigError: it is neither, or the path or port is taken; the text names it.
    """
    kind, _, where = listen_on.partition(":")
    try:
        if kind == "unix":
            return _bind_unix(Path(where))
        host, _, port = listen_on.rpartition(":")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((host.strip("[]"), int(port)))
        except BaseException:
            sock.close()
            raise
    except (OSError, ValueError, OverflowError) as error:
        raise ConfigError(f"cannot listen on {listen_on}: {error}") from error
    return sock


def _bind_unix(path: Path) -> socket.socket:
    if path.exists():
        _remove_dead_socket(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(str(path))
        path.chmod(SOCKET_MODE)
    except BaseException:
        sock.close()
        raise
    return sock


def _remove_dead_socket(path: Path) -> None:
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise OSError("a file that is not a socket is in the way")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        if probe.connect_ex(str(path)) == 0:
            raise OSError("another process is listening there")
    path.unlink()
