"""Running the project's playbooks as an operator does, and reading what they say they did."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.provision.lab.machine import Machine

PROJECT = Path(__file__).resolve().parents[3]
_RECAP = re.compile(r"^(\S+)\s+: (ok=.*)$", re.MULTILINE)


class PlaybookError(Exception):
    """A playbook failed."""


@dataclass(frozen=True, slots=True)
class Recap:
    """What a run has done.

    Args:
        hosts: host -> count of each outcome (`ok`, `changed`, `failed`, …).
        seconds: of wall-clock time.
        output: all that Ansible printed.
    """

    hosts: dict[str, dict[str, int]]
    seconds: float
    output: str

    @property
    def changed(self) -> int:
        """Tasks that changed something, over all hosts."""
        return sum(counts["changed"] for counts in self.hosts.values())

    def changes(self) -> str:
        """The tasks that changed something, to read after a surprise."""
        task, found = "", []
        for line in self.output.splitlines():
            if line.startswith(("TASK [", "RUNNING HANDLER [")):
                task = line.rstrip(" *")
            elif line.startswith("changed:"):
                found.append(f"{task} {line}")
        return "\n".join(found)


def play(
    name: str, inventory: Path, *options: str, environment: Mapping[str, str] | None = None, seconds: float = 1500
) -> Recap:
    """Run ansible/NAME and return what it did.

    Args:
        name: the playbook's file name.
        inventory: folder with hosts.yml and group_vars.
        options: for ansible-playbook.
        environment: variables besides this process's.
        seconds: after which it is broken off, as by ctrl-C.

    Raises:
        PlaybookError: it ended with another status than 0; the message holds the end of what it printed.
    """
    command = _command(name, inventory, options)
    started = time.monotonic()
    done = subprocess.run(
        command,
        cwd=PROJECT / "ansible",
        env=_environment(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=False,
    )
    took = time.monotonic() - started
    inventory.with_suffix(".log").write_text(done.stdout)
    if done.returncode != 0:
        end = "\n".join(done.stdout.splitlines()[-60:])
        raise PlaybookError(f"{' '.join(command)} ended with {done.returncode} after {took:.0f} s:\n{end}")
    hosts = {
        host: {outcome: int(count) for outcome, count in re.findall(r"(\w+)=(\d+)", counts)}
        for host, counts in _RECAP.findall(done.stdout)
    }
    return Recap(hosts, took, done.stdout)


def interrupt(
    name: str, inventory: Path, *, task: str, environment: Mapping[str, str] | None = None, seconds: float = 1500
) -> None:
    """Run ansible/NAME and break it off as ctrl-C does, when this task has begun.

    Raises:
        PlaybookError: it ended, or the time was over, before that task.
    """
    started = time.monotonic()
    with subprocess.Popen(
        _command(name, inventory, ()),
        cwd=PROJECT / "ansible",
        env=_environment(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(f"TASK [{task}]"):
                # To all of them, as a terminal does.
                os.killpg(process.pid, signal.SIGINT)
                process.stdout.read()
                return
            if time.monotonic() - started > seconds:
                os.killpg(process.pid, signal.SIGTERM)
                break
    raise PlaybookError(f"{name} did not come to {task}")


def _command(name: str, inventory: Path, options: Sequence[str]) -> list[str]:
    return [str(PROJECT / ".venv/bin/ansible-playbook"), "-i", str(inventory), name, *options]


def _environment(more: Mapping[str, str] | None) -> dict[str, str]:
    home = PROJECT / ".cache/ansible"
    return os.environ | {"ANSIBLE_HOME": str(home), "ANSIBLE_NOCOLOR": "1", "LC_ALL": "C.UTF-8"} | dict(more or {})


def write_inventory(
    directory: Path, machines: Mapping[str, Machine], groups: Mapping[str, list[str]], variables: Mapping[str, Any]
) -> Path:
    """Write an inventory as those in ansible/inventories are, and return its folder.

    Args:
        directory: the folder, made if it is missing.
        machines: the server's full name -> the server.
        groups: group -> full names.
        variables: of the group `smailor`.
    """
    hosts = {}
    for name, machine in machines.items():
        options = ["-F", "none", "-o", f"UserKnownHostsFile={machine.known_hosts}", "-o", "StrictHostKeyChecking=yes"]
        hosts[name] = {
            "ansible_host": machine.ipv4,
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(machine.key),
            "ansible_ssh_common_args": " ".join(options),
            "service_private_address": machine.private if len(machines) > 1 else "127.0.0.1",
        }
    children = {group: {"hosts": dict.fromkeys(members, None)} for group, members in groups.items()}
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "hosts.yml").write_text(yaml.safe_dump({"smailor": {"hosts": hosts, "children": children}}))
    (directory / "group_vars/smailor").mkdir(parents=True, exist_ok=True)
    (directory / "group_vars/smailor/service.yml").write_text(yaml.safe_dump(dict(variables)))
    return directory
