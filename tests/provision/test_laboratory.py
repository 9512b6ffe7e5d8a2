"""The laboratory itself: fresh servers on both Debians, both address families, a disk that a restart keeps and a loss loses."""

from collections.abc import Iterator

import pytest

from tests.provision.lab import network
from tests.provision.lab.laboratory import STRANGERS, Laboratory
from tests.provision.lab.machine import Machine
from tests.provision.lab.outside import Outside
from tests.provision.lab.service import Service
from tests.system.running import until


@pytest.fixture(scope="module", params=["trixie", "bookworm"])
def fresh(request: pytest.FixtureRequest, laboratory: Laboratory) -> Iterator[Machine]:
    machine = laboratory.machine("fresh", 39, request.param)
    machine.start()
    yield machine
    machine.destroy()


def test_a_fresh_server_is_what_its_name_says_and_answers_ssh_only(laboratory: Laboratory, fresh: Machine) -> None:
    assert fresh.output(". /etc/os-release; echo $VERSION_CODENAME; ps --pid 1 --format comm=").split() == [
        fresh.suite,
        "systemd",
    ]
    name = "fresh.smailor.test"
    service = Service(laboratory, "smailor.test", {name: fresh}, {"mx": [name]})
    for family in (4, 6):
        assert Outside(service, family).open_ports("mx", range(1, 1024)) == {22}


def test_servers_see_the_world_and_the_archives(fresh: Machine) -> None:
    fresh.run(f"ping -c 1 -W 2 {network.WORLD6} || ip -6 route get {network.WORLD6}")
    assert network.WORLD6 in fresh.output(f"getent ahosts mx.{STRANGERS}")
    fresh.run("apt-get update --quiet", seconds=300)


def test_a_restart_keeps_the_disk_and_not_the_firewall(fresh: Machine) -> None:
    fresh.run("touch /root/kept && nft add table inet gone")
    fresh.reboot()
    fresh.run("test -e /root/kept")
    assert "gone" not in fresh.output("nft list tables")


def test_a_cut_cable_is_noticed_and_put_back(laboratory: Laboratory, fresh: Machine) -> None:
    name = "fresh.smailor.test"
    outside = Outside(Service(laboratory, "smailor.test", {name: fresh}, {"mx": [name]}), 4)
    network.cut(fresh.name, off=True)
    assert outside.open_ports("mx", [22]) == set()
    network.cut(fresh.name, off=False)
    until(lambda: outside.open_ports("mx", [22]), "ssh", 30)


def test_a_lost_server_comes_back_empty(fresh: Machine) -> None:
    fresh.destroy()
    fresh.start()
    fresh.run("test ! -e /root/kept")
