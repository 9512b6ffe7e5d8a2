"""The service on servers of the laboratory, as its operator has it: an inventory, playbooks, tenants, DNS records."""

import json
import os
import subprocess
import sys
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.provision.lab import network
from tests.provision.lab.laboratory import STRANGERS, Laboratory, reverse
from tests.provision.lab.machine import Machine
from tests.provision.lab.playbook import Recap, interrupt, play, write_inventory

SEVERAL = {"mxa": 31, "mxb": 32, "store": 33, "db": 34}
"""Short names and numbers of the servers of a service that has several."""
SEVERAL_DOMAIN = "smailor.test"
"""Its domain, which is at the DNS provider."""
PER_HOUR = 10
"""Messages that an account of that service may send in an hour."""
_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"


@dataclass(frozen=True, slots=True)
class Account:
    """An inbox and what opens it: `password` the web pages, `secret` mail programs."""

    address: str
    password: str
    secret: str


@dataclass(slots=True)
class Service:
    """The service.

    Args:
        laboratory: where it is.
        domain: its own domain; no two services of the laboratory have the same.
        machines: full name -> server, switched on.
        groups: of the inventory: group -> full names.
        variables: of the inventory, besides those that every service here has.
    """

    laboratory: Laboratory
    domain: str
    machines: dict[str, Machine]
    groups: dict[str, list[str]]
    variables: dict[str, Any] = field(default_factory=dict)
    accounts: list[Account] = field(default_factory=list)
    _ahead: Future[tuple[Recap, Recap]] | None = None

    @property
    def mail_name(self) -> str:
        """What mail programs and browsers call it."""
        return f"mail.{self.domain}"

    @property
    def tenant(self) -> str:
        """The domain of its tenant."""
        return f"tenant-of-{self.domain}"

    @property
    def inventory(self) -> Path:
        """The inventory's folder."""
        return self.laboratory.directory / f"inventory-{next(iter(self.machines.values())).name}"

    @property
    def root(self) -> Path:
        """File with the root certificate that everybody in this world trusts."""
        file = self.inventory.with_suffix(".root.pem")
        file.write_text(self.laboratory.authority.root())
        return file

    def host(self, group: str) -> Machine:
        """The first server of a group."""
        return self.machines[self.groups[group][0]]

    def prepare(self) -> None:
        """Write the inventory, draw the secrets, publish the service's own names."""
        names, authority = self.laboratory.names, self.laboratory.authority
        write_inventory(
            self.inventory,
            self.machines,
            self.groups,
            {
                "service_domain": self.domain,
                "service_mail_name": self.mail_name,
                # The world has no signed root; its name server stands for the roots.
                "unbound_forwarder": f"{network.WORLD4}@53",
                "unbound_root_anchor": "",
                "check_dns_servers": [network.WORLD4],
                "check_port_25_hosts": [f"mx.{STRANGERS}"],
                "check_spamhaus": False,
                "certificates_directory_url": authority.url,
                "certificates_environment": {
                    "REQUESTS_CA_BUNDLE": _AUTHORITIES,
                    "CLOUDFLARE_API_URL": self.laboratory.dns_provider.endpoint,
                },
                "smailor_pip_environment": {"PIP_CERT": _AUTHORITIES},
                **self.variables,
            },
        )
        self._secrets()
        for full_name, machine in self.machines.items():
            self._name(full_name, machine)
            names.put(reverse(machine.ipv4), "PTR", f"{full_name}.")
            names.put(reverse(machine.ipv6), "PTR", f"{full_name}.")
            self.trust(machine)
        for name in (self.mail_name, f"mta-sts.{self.domain}", f"autoconfig.{self.domain}"):
            self._name(name, self.host("web"))
        if submission := self.variables.get("service_submission_name"):
            hosts = [self.machines[name] for name in self.groups["mx"]]
            names.put(submission, "A", *(host.ipv4 for host in hosts))
            names.put(submission, "AAAA", *(host.ipv6 for host in hosts))
        senders = " ".join(f"ip4:{self.machines[n].ipv4} ip6:{self.machines[n].ipv6}" for n in self.groups["mx"])
        names.put(f"_spf.{self.domain}", "TXT", f'"v=spf1 {senders} -all"')
        for name in (self.domain, f"srs.{self.domain}"):
            names.put(name, "MX", *(f"10 {host}." for host in self.groups["mx"]))
            names.put(name, "TXT", f'"v=spf1 include:_spf.{self.domain} -all"')
        names.put(f"_dmarc.{self.domain}", "TXT", '"v=DMARC1; p=reject"')
        names.put(f"_mta-sts.{self.domain}", "TXT", '"v=STSv1; id=1"')

    def site(self, *options: str, playbook: str = "site.yml") -> Recap:
        """Run a playbook on all servers."""
        return play(playbook, self.inventory, *options, environment=self._environment)

    def two_runs(self) -> tuple[Recap, Recap]:
        """Run site.yml on fresh servers and once more, or wait for what `begin` has begun."""
        return self._run_twice() if self._ahead is None else self._ahead.result()

    def begin(self, beside: Executor) -> None:
        """Let the two runs go on while other tests are at work."""
        self._ahead = beside.submit(self._run_twice)

    def site_interrupted(self, task: str) -> None:
        """Begin site.yml and break it off at a task."""
        interrupt("site.yml", self.inventory, task=task, environment=self._environment)

    def rebuild(self, name: str) -> None:
        """Lose a server with its disk, and start a fresh one at the same addresses. Volumes stay."""
        machine = self.machines[name]
        machine.destroy()
        machine.start()
        self.trust(machine)

    def secret(self, name: str) -> str:
        """One of the secrets, as the operator looks it up."""
        program = Path(sys.executable).with_name("ansible-vault")
        command = [program, "view", self._vault]
        done = subprocess.run(command, capture_output=True, text=True, env=self._environment, check=False)
        assert done.returncode == 0, done.stderr
        values = yaml.safe_load(done.stdout)
        return str(values[name])

    def trust(self, machine: Machine) -> None:
        """Let a server believe the authority's front door and what it issues, as it believes Let's Encrypt's."""
        authority = self.laboratory.authority
        for name, certificate in (("door", authority.certificate.read_text()), ("root", authority.root())):
            machine.run(f"cat >/usr/local/share/ca-certificates/{name}.crt", data=certificate.encode())
        machine.run("update-ca-certificates")

    def operate(self, *arguments: str) -> Any:
        """An operator's command on the web host; its answer."""
        words = " ".join(f"'{argument}'" for argument in (*arguments, "--json"))
        said = self.host("web").output(f"smailor {words}")
        return json.loads(said) if said else None

    def people(self) -> None:
        """A tenant with a verified domain, and two people."""
        self.operate("workspace", "add", "tenant", "--name", "Tenant")
        self.operate("domain", "add", self.tenant, "--workspace", "tenant")
        zone = self.host("web").output(f"smailor domain records {self.tenant} --workspace tenant --zone")
        self.laboratory.names.put_zone(f"{zone}\n")
        self.operate("domain", "verify", self.tenant, "--workspace", "tenant")
        for name in ("ada", "grace"):
            address = f"{name}@{self.tenant}"
            person = self.operate("user", "add", address, "--name", name.title())
            self.operate("workspace", "add-member", "tenant", address)
            self.operate("inbox", "add", address, "--workspace", "tenant", "--name", name.title(), "--reader", address)
            secret = self.operate("app-password", "add", address, "--workspace", "tenant", "--label", "test")["secret"]
            self.accounts.append(Account(address, person["password"], secret))

    def _run_twice(self) -> tuple[Recap, Recap]:
        return self.site(), self.site()

    @property
    def _environment(self) -> dict[str, str]:
        """As in an activated virtual environment, by somebody whose vault's password is in a file."""
        return {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "ANSIBLE_VAULT_PASSWORD_FILE": str(self.inventory.with_suffix(".vault-password")),
        }

    @property
    def _vault(self) -> Path:
        return self.inventory / "group_vars/smailor/vault.yml"

    def _secrets(self) -> None:
        if not self._vault.exists():
            program = Path(sys.executable).with_name("smailor-secrets")
            command = [program, "init", "--file", self._vault]
            done = subprocess.run(command, capture_output=True, text=True, env=self._environment, check=False)
            assert done.returncode == 0, done.stderr

    def _name(self, name: str, machine: Machine) -> None:
        self.laboratory.names.put(name, "A", machine.ipv4)
        self.laboratory.names.put(name, "AAAA", machine.ipv6)


def one_host(laboratory: Laboratory, name: str, number: int, suite: str, **variables: Any) -> Service:
    """A service on one fresh server, which is switched on; no playbook has run."""
    domain = f"{suite}.test"
    machine = laboratory.machine(name, number, suite)
    machine.start()
    full_name = f"{name}.{domain}"
    groups = {group: [full_name] for group in ("mx", "mailstore", "web", "database")}
    service = Service(laboratory, domain, {full_name: machine}, groups, variables)
    service.prepare()
    return service


def several_hosts(laboratory: Laboratory) -> Service:
    """Four fresh servers: two for mail in and out, one for mailboxes and web, one for the database; no playbook has run."""
    domain = SEVERAL_DOMAIN
    machines = {f"{name}.{domain}": laboratory.machine(name, number) for name, number in SEVERAL.items()}
    for machine in machines.values():
        machine.start()
    mxa, mxb, store, db = machines
    groups = {"mx": [mxa, mxb], "mailstore": [store], "web": [store], "database": [db]}
    variables = {
        "service_database": "postgresql",
        "service_submission_name": f"smtp.{domain}",
        "service_private_networks": [network.PRIVATE.format(0) + "/24"],
        "smailor_messages_per_hour": PER_HOUR,
        "certificates_dns_credentials": f"dns_cloudflare_api_token = {laboratory.dns_provider.token}\n",
        "certificates_dns_seconds": 1,
    }
    service = Service(laboratory, domain, machines, groups, variables)
    service.prepare()
    return service


def backup_target(service: Service, machine: Machine) -> None:
    """Let a server of the laboratory keep the service's backups, as a Storage Box does, and write it into the inventory."""
    key = service.laboratory.directory / f"{machine.name}.backup-key"
    key.touch(mode=0o600)
    key.write_text(service.secret("vault_backup_ssh_key"))
    public = subprocess.run(["ssh-keygen", "-y", "-f", key], check=True, capture_output=True).stdout
    key.unlink()
    machine.run("useradd --create-home --shell /bin/sh keeper && install -d -o keeper -m 700 ~keeper/.ssh")
    machine.run("cat >~keeper/.ssh/authorized_keys && chown keeper: ~keeper/.ssh/authorized_keys", data=public)
    service.variables |= {
        "service_backup": True,
        "backup_host": machine.ipv4,
        "backup_port": 22,
        "backup_user": "keeper",
        "backup_host_keys": [machine.output("cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub")],
    }
    service.prepare()
