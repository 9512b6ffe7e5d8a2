"""Where everything of one local service lies: paths below its run directory, ports above its base port, names.

Values only: nothing here makes a directory or opens a socket.
"""

from dataclasses import dataclass
from pathlib import Path

DEFAULT_DIRECTORY = Path("/var/tmp/smailor")  # noqa: S108 - guarded by marker and lock, see directory.py
DEFAULT_BASE_PORT = 25000

MAIL_UID = 24000
"""Uid and gid of our processes and of the mail: numeric, so that the machine's list of users stays as it is."""

SERVICE_DOMAIN = "smailor.test"
MX_NAME = "mx.smailor.test"
MAIL_NAME = "mail.smailor.test"
SPF_INCLUDE = "_spf.smailor.test"
SRS_DOMAIN = "srs.smailor.test"
INTERNET_MX_NAME = "mx.internet.test"
OPERATOR = "operator@smailor.test"
LETTERS = f"service@letters.{SERVICE_DOMAIN}"
"""The demonstration's inbox that letters about accounts come from."""

HYPERSCAN_CACHE = Path("/var/cache/smailor/rspamd")
"""Rspamd's compiled expressions. Building them takes 13 s, so they are shared between run directories and survive them:
the one thing that a local service leaves behind. Deleting it costs those seconds at the next start, nothing else."""

LONGEST_SOCKET_PATH = 107
"""Bytes in a unix socket's address (unix(7): sun_path, less its final zero)."""

_OFFSETS = {
    "smtp": 25,
    "internet": 26,
    "resolver": 53,
    "web": 80,
    "imap": 143,
    "managesieve": 190,
    "doveadm": 280,
    "rspamd": 332,
    "submissions": 465,
    "submission": 587,
    "policyd_metrics": 901,
    "signing_metrics": 902,
    "dmarc_metrics": 903,
    "imaps": 993,
}
HIGHEST_BASE_PORT = 65535 - max(_OFFSETS.values())


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of one local service, all on 127.0.0.1.

    Attributes:
        base: the others are this plus what the service's port is in the world, or near it.
    """

    base: int = DEFAULT_BASE_PORT

    def of(self, name: str) -> int:
        """The port of a service, by the names that `names` lists."""
        return self.base + _OFFSETS[name]

    def at(self, name: str) -> str:
        """`127.0.0.1:port` of a service."""
        return f"127.0.0.1:{self.of(name)}"

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that has a port."""
        return tuple(_OFFSETS)

    @property
    def resolver_address(self) -> str:
        """The loopback address of the resolver on port 53, one a base port: resolv.conf takes no port."""
        return f"127.{self.base >> 8}.{self.base & 255}.53"


@dataclass(frozen=True, slots=True)
class Layout:
    """The run directory of one local service.

    Attributes:
        root: the run directory, absolute.
        ports: its ports.
    """

    root: Path
    ports: Ports

    @property
    def etc(self) -> Path:
        """Rendered configuration, a folder a program."""
        return self.root / "etc"

    @property
    def config(self) -> Path:
        """Configuration of our own processes."""
        return self.etc / "smailor.toml"

    @property
    def log(self) -> Path:
        """One log a program."""
        return self.root / "log"

    @property
    def sockets(self) -> Path:
        """The unix sockets that programs meet at."""
        return self.root / "sock"

    @property
    def tls(self) -> Path:
        """Certificates and keys."""
        return self.root / "tls"

    @property
    def ca(self) -> Path:
        """The authority's certificate, for clients."""
        return self.root / "ca.pem"

    @property
    def database_file(self) -> Path:
        """The SQLite database."""
        return self.root / "db" / "smailor.db"

    @property
    def unbound(self) -> Path:
        """Configuration and zones of unbound; the watcher of the zones writes here, too."""
        return self.root / "unbound"

    @property
    def unbound_program(self) -> Path:
        """A copy of the program, where AppArmor lets the installed one read nothing of this directory."""
        return self.root / "bin" / "unbound"

    @property
    def forwarder(self) -> Path:
        """Configuration of the unbound that hands on to a resolver outside, where one was asked for."""
        return self.root / "forwarder"

    @property
    def zones(self) -> Path:
        """Where zone files of the small internet are dropped."""
        return self.root / "internet" / "zones"

    @property
    def internet_mail(self) -> Path:
        """Where mail to the small internet arrives, one file a message."""
        return self.root / "internet" / "mail"

    @property
    def endpoints(self) -> Path:
        """What outside tools read: addresses, ports, passwords."""
        return self.root / "endpoints.json"

    @property
    def run(self) -> Path:
        """What `status` and `down` read: processes and times."""
        return self.root / "run.json"

    def socket(self, name: str) -> Path:
        """The unix socket of that name."""
        return self.sockets / f"{name}.sock"

    def longest_socket(self) -> Path:
        """The longest socket path that any program makes below the run directory (Dovecot's, in its base_dir)."""
        return self.root / "dovecot" / "base" / "token-login" / "imap-urlauth"
