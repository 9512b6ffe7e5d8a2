"""Whether the ports of a local service are free, asked before anything starts."""

import errno
import socket

from smailor.errors import Conflict, InvalidInput
from smailor.stack.layout import HIGHEST_BASE_PORT, Ports

LOWEST_BASE_PORT = 1024


def check_ports(ports: Ports) -> None:
    """Make sure that every port can be listened on.

    Raises:
        InvalidInput: the base port leaves no room for all.
        Conflict: ports are taken; the text names each, and what wanted it.
    """
    if not LOWEST_BASE_PORT <= ports.base <= HIGHEST_BASE_PORT:
        raise InvalidInput("--base-port", f"choose one from {LOWEST_BASE_PORT} to {HIGHEST_BASE_PORT}")
    wanted = [(name, "127.0.0.1", ports.of(name)) for name in ports.names]
    wanted.append(("resolver for Postfix", ports.resolver_address, 53))
    taken = [f"{host}:{port} ({name})" for name, host, port in wanted if not _free(name, host, port)]
    if taken:
        verb = "is" if len(taken) == 1 else "are"
        raise Conflict(f"{', '.join(taken)} {verb} taken by another program; choose other ports with --base-port")


def _free(name: str, host: str, port: int) -> bool:
    kinds = [socket.SOCK_STREAM]
    if name.startswith("resolver"):
        kinds.append(socket.SOCK_DGRAM)
    for kind in kinds:
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                # As servers do: a connection that ended a moment ago does not hold the port.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                if error.errno != errno.EACCES:  # a low port, and we are not root: nothing says that it is taken
                    return False
    return True
