"""Services side by side: while other tests are at work, the playbooks for the later ones run, one service after the other."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Self

from tests.provision.lab.laboratory import Laboratory
from tests.provision.lab.machine import Machine
from tests.provision.lab.service import Service, backup_target, one_host, several_hosts

# Short name and number of the server, and of the one that keeps its backups; and the database's kind.
SUITES = {
    "trixie": ("mx1", 11, "keeper1", 12, "postgresql"),
    "bookworm": ("mx3", 13, "keeper3", 14, "sqlite"),
}


class Yard:
    """All services of a run of the tests.

    Args:
        laboratory: where they are.
        ahead: names of those whose playbooks run from the start, in that order: suites, `several`.
    """

    def __init__(self, laboratory: Laboratory, ahead: Sequence[str]) -> None:
        self._laboratory = laboratory
        self._ahead = ahead
        self._made: dict[str, tuple[Service, list[Machine]]] = {}
        # One thread: two playbooks at once, that of the tests and this one, are as many as two processors carry.
        self._beside = ThreadPoolExecutor(1)

    def __enter__(self) -> Self:
        for name in self._ahead:
            self._make(name).begin(self._beside)
        return self

    def __exit__(self, *exc: object) -> None:
        self._beside.shutdown(cancel_futures=True)

    def service(self, name: str) -> Service:
        """The service of this name, on bare servers if no playbook for it is on its way."""
        return self._made[name][0] if name in self._made else self._make(name)

    def close(self, name: str) -> None:
        """Lose the servers of a service."""
        service, others = self._made[name]
        for machine in (*service.machines.values(), *others):
            machine.destroy()

    def _make(self, name: str) -> Service:
        if name == "several":
            service, others = several_hosts(self._laboratory), []
        else:
            short, number, keeper_name, keeper_number, database = SUITES[name]
            service = one_host(self._laboratory, short, number, name, service_database=database)
            keeper = self._laboratory.machine(keeper_name, keeper_number)
            keeper.start()
            backup_target(service, keeper)
            others = [keeper]
        self._made[name] = (service, others)
        return service
