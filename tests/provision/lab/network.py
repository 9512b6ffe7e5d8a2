"""The network of the laboratory: a world of its own, with documentation addresses, and a way out for package archives.

    this machine --(veth, 100.64.213.0/30)-- world: bridge `public` 198.51.100.1, 2001:db8:51:1::1 -- eth0 of each server
                                                    bridge `private` (no address) -- eth1 of each server

As at Hetzner, a server has one IPv4 address and an IPv6 network of its own, of which it uses the first address, and its
IPv6 gateway is fe80::1. Everything lives in network namespaces named smailor-NUMBER-*. The tests themselves enter the
world's: to the servers they are the outside, and may listen on port 25 or 53 there whatever this machine has on them. On
the machine itself there is one veth and one nftables table, taken back by `close`, and IPv4 forwarding, which
scripts/test-provision takes back. Processes of the tests that run side by side have a world each, with the same addresses.
"""

import ctypes
import os
import subprocess
from pathlib import Path

NUMBER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
"""Of this process's world, 0 to 63."""
_NAMES = f"smailor-{NUMBER}-"
WORLD = f"{_NAMES}world"
UPLINK = f"smailor-up{NUMBER}"
TABLE = f"smailor_lab_{NUMBER}"
PUBLIC4, PUBLIC6, PRIVATE = "198.51.100.{}", "2001:db8:51:{}::1", "10.77.0.{}"
WORLD4, WORLD6 = PUBLIC4.format(1), PUBLIC6.format(1)
_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
_CLONE_NEWNET = 0x40000000


class Network:
    """The world's namespace and what hangs on it; open while it is used as a context manager."""

    def __init__(self) -> None:
        self._home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    def open(self) -> None:
        """Make the world, after what an interrupted run may have left is gone."""
        self._take_down()
        ip("netns", "add", WORLD)
        ip("link", "add", UPLINK, "type", "veth", "peer", "name", "uplink", "netns", WORLD)
        net, here, there = (f"100.64.213.{4 * NUMBER + last}" for last in (0, 1, 2))
        ip("address", "add", f"{here}/30", "dev", UPLINK)
        ip("link", "set", UPLINK, "up")
        _FORWARD.write_text("1")
        _nft(TABLE, f"{net}/30")

        inside("link", "set", "lo", "up")
        inside("address", "add", f"{there}/30", "dev", "uplink")
        inside("link", "set", "uplink", "up")
        inside("route", "add", "default", "via", here)
        for bridge in ("public", "private"):
            inside("link", "add", bridge, "type", "bridge")
            inside("link", "set", bridge, "up")
        inside("address", "add", f"{WORLD4}/24", "dev", "public")
        inside("address", "add", f"{WORLD6}/64", "dev", "public", "nodad")
        inside("address", "add", "fe80::1/64", "dev", "public", "nodad")
        inside("route", "add", "2001:db8:51::/48", "dev", "public")
        self.enter()
        _FORWARD.write_text("1")
        # Each server has a network of its own, so between servers IPv6 goes by the gateway.
        Path("/proc/sys/net/ipv6/conf/all/forwarding").write_text("1")
        _nft(TABLE, "198.51.100.0/24")

    def enter(self) -> None:
        """Move the calling thread, and what it starts from now on, into the world."""
        with Path(f"/run/netns/{WORLD}").open("rb") as namespace:
            _setns(namespace.fileno())

    def close(self) -> None:
        """Come home and take everything back."""
        _setns(self._home)
        self._take_down()

    def _take_down(self) -> None:
        listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
        for name in (line.split()[0] for line in listed.splitlines()):
            if name.startswith(_NAMES):
                ip("netns", "delete", name)
        # The veth goes with the namespace that holds its other end, a moment later.
        subprocess.run(["ip", "link", "delete", UPLINK], stderr=subprocess.DEVNULL, check=False)
        subprocess.run(["nft", "delete", "table", "ip", TABLE], stderr=subprocess.DEVNULL, check=False)


def plug_in(name: str, number: int) -> str:
    """Make the namespace of a server, with both its interfaces up, and return the namespace's path.

    Args:
        name: the server's short name, 10 characters at most (an interface is named after it).
        number: 2 to 254; the last part of each of its addresses.
    """
    namespace = f"{_NAMES}{name}"
    unplug(name)
    ip("netns", "add", namespace)
    for interface, bridge in (("eth0", "public"), ("eth1", "private")):
        port = f"{name}-{interface[-1]}"
        # Always the same hardware address: neighbours remember who had these addresses before.
        address = f"02:00:00:00:0{interface[-1]}:{number:02x}"
        inside("link", "add", port, "type", "veth", "peer", "name", interface, "address", address, "netns", namespace)
        inside("link", "set", port, "master", bridge, "up")
    commands = [
        "link set lo up",
        f"address add {PUBLIC4.format(number)}/24 dev eth0",
        f"address add {PUBLIC6.format(number)}/64 dev eth0 nodad",
        f"address add {PRIVATE.format(number)}/24 dev eth1",
        "link set eth0 up",
        "link set eth1 up",
        f"route add default via {WORLD4}",
        "-6 route add default via fe80::1 dev eth0",
    ]
    for command in commands:
        ip("-n", namespace, *command.split())
    return f"/run/netns/{namespace}"


def unplug(name: str) -> None:
    """Take a server's namespace away, if there is one."""
    if Path(f"/run/netns/{_NAMES}{name}").exists():
        ip("netns", "delete", f"{_NAMES}{name}")


def cut(name: str, *, off: bool) -> None:
    """Pull a server's cables, the public one and the private one, or put them back."""
    for end in ("0", "1"):
        inside("link", "set", f"{name}-{end}", "down" if off else "up")


def ip(*arguments: str) -> None:
    """Run iproute2's `ip`."""
    subprocess.run(["ip", *arguments], check=True)


def inside(*arguments: str) -> None:
    """Run it in the world."""
    ip("-n", WORLD, *arguments)


def _nft(table: str, source: str) -> None:
    rules = f"""
table ip {table} {{
    chain out {{
        type nat hook postrouting priority srcnat;
        ip saddr {source} ip daddr != {{ {source} }} masquerade
    }}
}}
"""
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)


def _setns(descriptor: int) -> None:
    # os.setns is there from Python 3.12 on.
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
