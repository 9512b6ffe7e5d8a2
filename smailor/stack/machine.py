"""What this machine has: the packages' programs, their users and versions, and the way to our own interpreter."""

import grp
import pwd
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from smailor.errors import NotFound

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PACKAGES = {
    "postfix": "postfix",
    "dovecot": "dovecot-core",
    "rspamd": "rspamd",
    "unbound": "unbound",
    "valkey-server": "valkey-server",
    "redis-server": "redis-server",
    "setpriv": "util-linux",
    "unshare": "mount",
}


_APPARMOR = Path("/sys/module/apparmor/parameters/enabled")
_PROFILES = Path("/etc/apparmor.d")


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this machine.

    Attributes:
        name: as in /etc/passwd.
        uid: number of the user.
        gid: number of the user's own group.
    """

    name: str
    uid: int
    gid: int


def program(*names: str) -> str:
    """The path of the first of these programs that is installed.

    Raises:
        NotFound: none is; the text names the package.
    """
    for name in names:
        if found := shutil.which(name, path=_PATH):
            return found
    raise NotFound(f"{names[0]} is not installed (package {_PACKAGES.get(names[0], names[0])}): make setup")


def account(name: str) -> Account:
    """A user that a package brings.

    Raises:
        NotFound: there is none of that name.
    """
    try:
        entry = pwd.getpwnam(name)
    except KeyError as error:
        raise NotFound(f"this machine has no user {name}: make setup installs the packages that bring it") from error
    return Account(name, entry.pw_uid, entry.pw_gid)


def key_value_store() -> tuple[str, Account]:
    """The program that keeps Rspamd's statistics and its user: Valkey (Debian 13), or Redis, which speaks the same.

    Raises:
        NotFound: neither is installed.
    """
    found = program("valkey-server", "redis-server")
    return found, account("valkey" if found.endswith("valkey-server") else "redis")


def group(name: str) -> int:
    """The number of a group that a package brings; raises NotFound."""
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError as error:
        raise NotFound(f"this machine has no group {name}: make setup installs the packages that bring it") from error


def dovecot_dialect() -> str:
    """The dialect of the installed Dovecot's configuration: 2.3 or 2.4.

    Raises:
        NotFound: Dovecot is not installed, or of a release with another language.
    """
    answer = subprocess.run([program("dovecot"), "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"2\.[34]\b", answer)
    if found is None:
        raise NotFound(f"Dovecot 2.3 or 2.4 is needed, this machine has: {answer.strip() or 'none'}")
    return found[0]


def postfix_version() -> tuple[int, int]:
    """Major and minor version of the installed Postfix.

    Raises:
        NotFound: Postfix is not installed.
    """
    command = [program("postconf"), "-h", "-d", "mail_version"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = re.match(r"(\d+)\.(\d+)", answer)
    if found is None:
        raise NotFound("this machine has no Postfix that tells its version")
    return int(found[1]), int(found[2])


def is_confined(path: str, *, kernel: Path = _APPARMOR, profiles: Path = _PROFILES) -> bool:
    """Whether AppArmor holds a program to its usual files, by a profile for its path (unbound's package brings one).

    Args:
        path: the program.
        kernel: what tells whether AppArmor is on.
        profiles: where the profiles are; one for /usr/sbin/unbound is named usr.sbin.unbound.
    """
    on = kernel.exists() and kernel.read_text(encoding="ascii").startswith("Y")
    return on and (profiles / path.lstrip("/").replace("/", ".")).exists()


def others_can_read_us() -> bool:
    """Whether a user without rights may run this interpreter and read this code (not so in a clone below /root)."""
    ours = {Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve(), Path(__file__).resolve()}
    places = {place for path in ours for place in (path, *path.parents)}
    return all(place.stat().st_mode & 0o001 for place in places if place.is_dir())
