"""The laboratory: a world with DNS, a DNS provider, a certificate authority and a mail host of strangers, and the servers in it."""

import fcntl
import os
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import dns.reversename

from tests.fakes.cloudflare import Cloudflare
from tests.provision.lab.authority import Authority
from tests.provision.lab.machine import Machine
from tests.provision.lab.name_server import NameServer
from tests.provision.lab.network import NUMBER, WORLD4, WORLD6, Network
from tests.provision.lab.sink import Sink
from tests.provision.lab.trees import SUITES, tree

DIRECTORY = Path(f"/var/tmp/smailor-laboratory-{NUMBER}")
ZONES = ("test", "100.51.198.in-addr.arpa", "8.b.d.0.1.0.0.2.ip6.arpa")
STRANGERS = "strangers.test"
PROGRAMS = ("debootstrap", "systemd-nspawn", "nft", "pebble", "ip", "ssh", "curl")


def missing() -> str:
    """Why there can be no laboratory here; empty if there can."""
    if os.geteuid() != 0:
        return "servers are made by root"
    absent = [program for program in PROGRAMS if shutil.which(program) is None]
    if absent:
        return f"{', '.join(absent)} not installed (packages.txt, section provision)"
    if subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True, check=False).returncode != 0:
        return "this machine allows no network namespaces"
    return ""


class Laboratory:
    """Open while it is used as a context manager; then the calling thread is in its world. One a process of the tests; another run waits."""

    def __init__(self) -> None:
        self.directory = DIRECTORY
        self.network = Network()
        self.names = NameServer([WORLD4, WORLD6], ZONES)
        self.authority = Authority(self.directory / "authority", WORLD4)
        self.sink = Sink(WORLD4, WORLD6)
        self.machines: list[Machine] = []
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self._lock = Path(f"/run/smailor-laboratory-{NUMBER}.lock").open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._clear()
        self.directory.mkdir(mode=0o700)
        key = self.directory / "id_ed25519"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        with ExitStack() as opening:
            opening.callback(self._lock.close)
            # Those that are not kept yet take two minutes each: together, while the world is made.
            trees = opening.enter_context(ThreadPoolExecutor(len(SUITES)))
            for suite in SUITES:
                trees.submit(tree, suite)
            opening.callback(self.network.close)
            self.network.open()
            # Listens as soon as it is made, so it can be made in the world only.
            self.dns_provider = Cloudflare(
                ["smailor.test"],
                listen=WORLD4,
                on_change=lambda name, kind, values: self.names.put(name, kind, *values),
            )
            for part in (self.names, self.authority, self.sink, self.dns_provider):
                opening.enter_context(part)
            opening.callback(self._switch_off)
            self._open = opening.pop_all()
        self._strangers()
        return self

    def __exit__(self, *exc: object) -> None:
        self._open.close()

    def machine(self, name: str, number: int, suite: str = "trixie") -> Machine:
        """A server that has not been switched on yet."""
        machine = Machine(self.directory, name, number, suite)
        self.machines.append(machine)
        return machine

    def _strangers(self) -> None:
        """A domain of the world: what it sends comes from here, and what it is sent is kept here."""
        self.names.put(f"mx.{STRANGERS}", "A", WORLD4)
        self.names.put(f"mx.{STRANGERS}", "AAAA", WORLD6)
        self.names.put(STRANGERS, "MX", f"10 mx.{STRANGERS}.")
        self.names.put(STRANGERS, "TXT", f'"v=spf1 ip4:{WORLD4} ip6:{WORLD6} -all"')
        self.names.put(reverse(WORLD4), "PTR", f"mx.{STRANGERS}.")
        self.names.put(reverse(WORLD6), "PTR", f"mx.{STRANGERS}.")

    def _switch_off(self) -> None:
        for machine in self.machines:
            machine.destroy()

    def _clear(self) -> None:
        """Take away what a run that was killed has left."""
        for file in self.directory.glob("*.pid"):
            pid = int(file.read_text())
            command = Path(f"/proc/{pid}/cmdline")
            if command.exists() and b"systemd-nspawn" in command.read_bytes():
                os.kill(pid, signal.SIGTERM)
                deadline = time.monotonic() + 60
                while command.exists() and time.monotonic() < deadline:
                    time.sleep(0.1)
        for mounted in Path("/proc/self/mounts").read_text().splitlines():
            target = mounted.split()[1]
            if target.startswith(f"{self.directory}/"):
                subprocess.run(["umount", target], check=True)
        shutil.rmtree(self.directory, ignore_errors=True)


def reverse(address: str) -> str:
    """The name under which an address's PTR record is."""
    return dns.reversename.from_address(address).to_text(omit_final_dot=True)
