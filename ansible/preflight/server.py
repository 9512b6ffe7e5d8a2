"""What `check.yml` asks of a server before it becomes one: runs there, with nothing but Debian's own Python.

Its argument is a JSON object of wishes; it writes a JSON list of findings: what is wrong, and how to put it right. It
changes nothing. A finding with `blocks` false is worth knowing, but the service works without.
"""

import concurrent.futures
import ipaddress
import json
import os
import shutil
import socket
import sys
import time
from pathlib import Path
from typing import Any

Finding = dict[str, Any]
TEST_ENTRY = "2.0.0.127.zen.spamhaus.org"
"""Listed for ever, so that one can see whether the list answers."""
MEBIBYTE = 1024 * 1024


def finding(what: str, fix: str, *, blocks: bool = True) -> Finding:
    """Return a finding: a sentence each."""
    return {"what": what, "fix": fix, "blocks": blocks}


def check_port_25(hosts: list[str], *, seconds: float) -> list[Finding]:
    """Try to reach other mail servers; one that answers is enough."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        if not hosts or any(pool.map(lambda host: connects(host, 25, seconds), hosts)):
            return []
    return [
        finding(
            f"Outgoing connections to port 25 do not get through (tried {', '.join(hosts)}).",
            "Hetzner blocks ports 25 and 465 on new Cloud accounts until about a month and one paid invoice: ask for"
            " them in the console under Limits. Until then set postfix_smarthost, by way of port 587.",
        )
    ]


def connects(host: str, port: int, seconds: float) -> bool:
    """Tell whether anything answers there."""
    try:
        with socket.create_connection((host, port), timeout=seconds):
            return True
    except OSError:
        return False


def check_names(hostname: str, addresses: list[str]) -> list[Finding]:
    """See that the addresses that the DNS has for the name are this server's, and lead back to the name."""
    found = []
    for address in addresses:
        if not is_own(address):
            what = f"{hostname} leads to {address}, which is not this server's."
            found.append(finding(what, "Correct its A or AAAA record."))
        elif (name := reverse(address)) != hostname:
            what = (
                f"The PTR record of {address} is {name or 'missing'}, but HELO says {hostname}: many refuse such mail."
            )
            fix = f"Set the reverse DNS of {address} to {hostname} (Hetzner: in the console, or by provision.yml)."
            found.append(finding(what, fix))
    return found


def is_own(address: str) -> bool:
    """Tell whether an address is one of this server's: only those can be bound."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def reverse(address: str) -> str:
    """Return the PTR record's name; empty: there is none."""
    try:
        return socket.gethostbyaddr(address)[0].rstrip(".").lower()
    except OSError:
        return ""


def check_resolver(resolv_conf: Path, *, spamhaus: bool) -> list[Finding]:
    """See that the resolver is this server's own once the service is on it, and that blocklists answer it."""
    words = [line.split() for line in resolv_conf.read_text(encoding="utf-8").splitlines() if line.strip()]
    servers = [line[1] for line in words if line[0] == "nameserver" and len(line) > 1]
    if not all(ipaddress.ip_address(server.partition("%")[0]).is_loopback for server in servers):
        return [
            finding(
                f"The resolver is not on this server ({', '.join(servers)}); DANE and blocklists need one that is.",
                "site.yml installs unbound and puts it into /etc/resolv.conf. If it has run: who has written it since?",
                blocks=False,
            )
        ]
    if spamhaus:
        try:
            answers = socket.gethostbyname_ex(TEST_ENTRY)[2]
        except OSError:
            answers = []
        if not answers or any(answer.startswith("127.255.255.") for answer in answers):
            return [
                finding(
                    f"Spamhaus does not answer this server ({', '.join(answers) or 'nothing'}).",
                    "Get a free DQS key from Spamhaus and set postfix_spamhaus_dqs_key and rspamd_spamhaus_dqs_key.",
                    blocks=False,
                )
            ]
    return []


def check_room(disks: dict[str, int], memory: int) -> list[Finding]:
    """See that there is room; both in MiB. A folder that is not there yet counts as its parent."""
    found = []
    for name, least in disks.items():
        folder = Path(name)
        while not folder.exists():
            folder = folder.parent
        free = shutil.disk_usage(folder).free // MEBIBYTE
        if free < least:
            fix = "Give the server a larger disk or volume; docs/operations.md says what which size of service needs."
            found.append(finding(f"{name} has {free} MiB free; {least} are wanted.", fix))
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MEBIBYTE
    if total < memory:
        what = f"The server has {total} MiB of memory; {memory} are wanted."
        found.append(finding(what, "Choose a larger server type."))
    return found


def check_clock(now_elsewhere: float, *, seconds: float) -> list[Finding]:
    """See that the clock is right: signatures and certificates have times."""
    apart = time.time() - now_elsewhere
    if abs(apart) <= seconds:
        return []
    fix = "Run `timedatectl set-ntp true`, see `timedatectl timesync-status`; or it is your own machine that is wrong."
    return [finding(f"The clock is {apart:+.0f} s away from that of the machine that Ansible runs on.", fix)]


def main() -> None:
    """Do all checks that are asked for."""
    wishes = json.loads(sys.argv[1])
    found = check_clock(wishes["now"], seconds=wishes["clock_seconds"])
    found += check_room(wishes["disks"], wishes["memory"])
    if wishes["mx_hostname"]:
        found += check_port_25(wishes["port_25_hosts"], seconds=wishes["connect_seconds"])
        found += check_names(wishes["mx_hostname"], wishes["addresses"])
        found += check_resolver(Path("/etc/resolv.conf"), spamhaus=wishes["spamhaus"])
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
