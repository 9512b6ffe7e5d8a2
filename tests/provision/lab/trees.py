"""Root file systems of fresh Debian servers, made once by debootstrap and kept.

A tree is what a cloud's Debian image is: systemd, ssh, Python, no mail. It is kept by suite and package list, so a change of
either makes a new one; servers get a copy-on-write layer over it (`machines.py`) and never write to it. Nothing here
knows of networks or of Smailor.
"""

import fcntl
import functools
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

KEPT = Path("/var/cache/smailor/trees")
SUITES = ("trixie", "bookworm")
PACKAGES = (
    "ca-certificates curl dbus iproute2 libpam-systemd locales nftables openssh-server procps python3 python3-apt sudo "
    "systemd systemd-sysv"
).split()


def tree(suite: str) -> Path:
    """The root directory of a fresh server, to be used read-only; about two minutes when there is none yet.

    Args:
        suite: Debian's code name, "trixie" or "bookworm".
    """
    archive, security = _mirrors()
    wanted = hashlib.sha256("\n".join([suite, archive, security, *PACKAGES, _script()]).encode()).hexdigest()[:12]
    directory = KEPT / f"{suite}-{wanted}"
    KEPT.mkdir(parents=True, exist_ok=True)
    with (KEPT / f"{suite}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not directory.is_dir():
            for old in KEPT.glob(f"{suite}-*"):
                shutil.rmtree(old)
            unfinished = KEPT / f"{suite}-unfinished"
            _make(unfinished, suite, archive, security)
            unfinished.rename(directory)
    return directory


def _make(directory: Path, suite: str, archive: str, security: str) -> None:
    log = KEPT / f"{suite}.log"
    with log.open("w") as output:
        subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", suite, directory, archive],
            stdout=output,
            stderr=subprocess.STDOUT,
            check=True,
            env=os.environ | {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"},
        )
        (directory / "etc/apt/sources.list").write_text(
            f"deb {archive} {suite} main\ndeb {archive} {suite}-updates main\ndeb {security} {suite}-security main\n"
        )
        _copy_host_settings(directory)
        subprocess.run(
            ["chroot", directory, "sh", "-ec", _script()], stdout=output, stderr=subprocess.STDOUT, check=True
        )


def _script() -> str:
    # Each server has keys and an identity of its own, made at its first start.
    return """
update-ca-certificates
apt-get update --quiet
rm -f /etc/ssh/ssh_host_*
: >/etc/machine-id
passwd --lock root
echo LANG=C.UTF-8 >/etc/default/locale
# Nobody mourns what such a server loses when the power fails: a third of the time of each package.
echo force-unsafe-io >/etc/dpkg/dpkg.cfg.d/laboratory
"""


def _copy_host_settings(directory: Path) -> None:
    """What this machine needs to reach package archives, the server behind it needs too: certificates, proxies."""
    for file in Path("/usr/local/share/ca-certificates").glob("*.crt"):
        shutil.copy(file, directory / "usr/local/share/ca-certificates")
    for file in Path("/etc/apt/apt.conf.d").iterdir():
        if "Acquire::" in file.read_text():
            shutil.copy(file, directory / "etc/apt/apt.conf.d")
    if Path("/etc/pip.conf").exists():
        shutil.copy("/etc/pip.conf", directory / "etc/pip.conf")
    shutil.copy("/etc/resolv.conf", directory / "etc/resolv.conf")


@functools.cache
def _mirrors() -> tuple[str, str]:
    """The archive and the security archive that this machine's own apt uses."""
    done = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)"], capture_output=True, text=True, check=True
    )
    addresses = {line.rstrip("/") for line in done.stdout.split()}
    archive = [address for address in sorted(addresses) if address.endswith("/debian")]
    security = [address for address in sorted(addresses) if address.endswith("/debian-security")]
    if not archive or not security:
        raise RuntimeError(f"apt on this machine names no Debian archive: {sorted(addresses)}")
    return archive[0], security[0]
