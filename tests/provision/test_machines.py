"""provision.yml against a small Hetzner Cloud: what it makes, that it makes nothing twice, and that it sees what others change."""

import copy
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.fakes.hcloud import HetznerCloud, Thing
from tests.provision.lab.laboratory import Laboratory
from tests.provision.lab.machine import Machine
from tests.provision.lab.network import PUBLIC4
from tests.provision.lab.playbook import PROJECT, Recap, play

NUMBERS = range(21, 30)
SERVERS = [
    {"name": "first.smailor.test", "roles": ["mx", "web"], "private_address": "10.24.0.11", "volume": 10},
    {"name": "second.smailor.test", "roles": ["mx"], "private_address": "10.24.0.12"},
]


@dataclass(frozen=True, slots=True)
class Project:
    """An operator's project at the cloud, and their inventory."""

    laboratory: Laboratory
    cloud: HetznerCloud
    inventory: Path
    machines: dict[str, Machine]

    @property
    def environment(self) -> dict[str, str]:
        options = f"-F none -o UserKnownHostsFile={self.laboratory.directory}/known_hosts"
        return {
            **self.cloud.environment,
            "ANSIBLE_PRIVATE_KEY_FILE": str(self.laboratory.directory / "id_ed25519"),
            "ANSIBLE_SSH_COMMON_ARGS": options,
        }

    def run(self, *options: str) -> Recap:
        return play("provision.yml", self.inventory, *options, environment=self.environment)

    def listed(self) -> dict:
        """What the inventory makes of the cloud's servers."""
        command = [PROJECT / ".venv/bin/ansible-inventory", "-i", self.inventory, "--list"]
        done = subprocess.run(command, env=os.environ | self.environment, capture_output=True, check=True)
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def project(laboratory: Laboratory) -> Iterator[Project]:
    """A new project: the key and the servers are in the inventory, nothing is at the cloud."""
    machines: dict[str, Machine] = {}

    def start(server: Thing) -> None:
        number = next(n for n in NUMBERS if PUBLIC4.format(n) == server["public_net"]["ipv4"]["ip"])
        name = server["name"].partition(".")[0]
        if name not in machines:
            machines[name] = laboratory.machine(name, number)
            if name == "first":
                volume = laboratory.directory / "volume"
                volume.mkdir()
                machines[name].volumes[volume] = "/srv"
        machines[name].start()

    inventory = laboratory.directory / "production"
    shutil.copytree(PROJECT / "ansible/inventories/production", inventory)
    given = inventory / "group_vars/all/provision.yml"
    settings = yaml.safe_load(given.read_text())
    settings["provision_ssh_keys"] = [
        {"name": "operator", "public_key": (laboratory.directory / "id_ed25519.pub").read_text().strip()}
    ]
    settings["provision_servers"] = SERVERS
    given.write_text(yaml.safe_dump(settings))
    addresses = {
        "ipv4": [PUBLIC4.format(number) for number in NUMBERS],
        "ipv6": [f"2001:db8:51:{number}::/64" for number in NUMBERS],
    }
    stop = lambda server: machines[server["name"].partition(".")[0]].stop()  # noqa: E731
    with HetznerCloud(addresses=addresses, on_start=start, on_stop=stop) as cloud:
        yield Project(laboratory, cloud, inventory, machines)
        for machine in machines.values():
            machine.destroy()


def test_a_dry_run_makes_nothing(project: Project) -> None:
    recap = project.run("--check")
    assert recap.changed > 0
    assert {method for method, _ in project.cloud.requests} == {"GET"}


def test_one_run_makes_machines_and_a_second_changes_nothing(project: Project) -> None:
    project.run()
    again = project.run()
    assert again.changed == 0, again.changes()
    looked = project.run("--check")
    assert looked.changed == 0, looked.changes()


def test_machines_are_apart_protected_and_named(project: Project) -> None:
    cloud = project.cloud
    for wanted in SERVERS:
        server = cloud.named("servers", wanted["name"])
        assert server["protection"] == {"delete": True, "rebuild": True}
        assert server["placement_group"]["type"] == "spread"
        assert server["private_net"][0]["ip"] == wanted["private_address"]
        for family in ("ipv4", "ipv6"):
            given = cloud.named("primary_ips", f"{wanted['name']}-{family}")
            assert server["public_net"][family]["ip"] == given["ip"]
            assert given["protection"]["delete"]
            assert not given["auto_delete"]
            assert {"ip": given["ip"].replace("/64", "1"), "dns_ptr": wanted["name"]} in given["dns_ptr"]
    volume = cloud.named("volumes", "first.smailor.test")
    assert volume["protection"]["delete"]
    assert volume["server"] == cloud.named("servers", "first.smailor.test")["id"]


def test_only_what_a_role_needs_is_let_in(project: Project) -> None:
    numbers = {thing["name"]: number for number, thing in project.cloud.things["firewalls"].items()}
    second = project.cloud.named("servers", "second.smailor.test")
    applied = {entry["id"] for entry in second["public_net"]["firewalls"]}
    assert applied == {numbers["smailor-everywhere"], numbers["smailor-mx"]}
    ports = {rule["port"] for number in applied for rule in project.cloud.things["firewalls"][number]["rules"]}
    assert ports == {None, "22", "25", "80", "465", "587"}


def test_the_machines_are_there_and_the_inventory_knows_them(project: Project) -> None:
    for name, machine in project.machines.items():
        assert machine.output("hostname") == name
    listed = project.listed()
    assert sorted(listed["mx"]["hosts"]) == ["first.smailor.test", "second.smailor.test"]
    assert listed["web"]["hosts"] == ["first.smailor.test"]
    host = listed["_meta"]["hostvars"]["second.smailor.test"]
    # What comes from outside is marked as not to be trusted as a template.
    given = [host[name]["__ansible_unsafe"] for name in ("ansible_host", "service_private_address")]
    assert given == ["198.51.100.22", "10.24.0.12"]


def test_what_others_change_is_reported_then_put_right(project: Project) -> None:
    cloud = project.cloud
    firewall = cloud.named("firewalls", "smailor-mx")
    address = cloud.named("primary_ips", "first.smailor.test-ipv4")
    volume = cloud.named("volumes", "first.smailor.test")
    before = copy.deepcopy([firewall, address, volume])
    firewall["rules"].append({**firewall["rules"][0], "port": "3306", "description": "somebody was here"})
    address["dns_ptr"][0]["dns_ptr"] = "static.21.100.51.198.clients.your-server.de"
    volume["protection"]["delete"] = False
    changed = copy.deepcopy([firewall, address, volume])

    looked = project.run("--check", "--diff")
    tasks = looked.changes()
    assert all(name in tasks for name in ("[Firewalls]", "[Reverse DNS]", "[Volumes]")), tasks
    assert [firewall, address, volume] == changed

    project.run()
    assert [firewall, address, volume] == before
