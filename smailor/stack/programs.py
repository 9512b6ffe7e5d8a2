"""The programs of a local service: each one's command, user, and how it shows that it is ready. Starts nothing."""

import sys
from pathlib import Path

from smailor.stack import machine
from smailor.stack.layout import INTERNET_MX_NAME, MAIL_UID, MX_NAME, Layout
from smailor.stack.readiness import Check, accepts, all_of, greets, negotiates, pongs, resolves, serves
from smailor.stack.supervisor import Program

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_OURS = 0o007
"""Umask of our processes: the sockets and files that they make are for user and group only."""


class Programs:
    """Builds the list.

    Args:
        layout: where the service lies.
        resolver: `host:port` of a DNS server outside of the service; empty: its own.
    """

    def __init__(self, layout: Layout, resolver: str) -> None:
        self._layout = layout
        self._resolver = resolver
        # Only what is named here reaches a program: the caller's variables would make services differ.
        self._environment = {"PATH": _PATH, "LANG": "C.UTF-8", "HOME": "/nonexistent", "TZ": "UTC"}

    def before_database(self) -> list[Program]:
        """The programs that need no table to be there; the slowest first."""
        programs = [self._rspamd(), self._redis(), self._unbound(), self._postfix()]
        return [*programs, self._forwarder()] if self._resolver else programs

    def after_database(self) -> list[Program]:
        """Our own processes, and Dovecot, which connects to the database when it starts."""
        milters = [self._milter("signing"), self._milter("dmarc")]
        return [self._dovecot(), self._internet(), self._policyd(), *milters, self._web()]

    def _program(
        self, name: str, argv: tuple[str, ...], ready: Check, *, umask: int = 0o022, **environment: str
    ) -> Program:
        log = self._layout.log / f"{name}.log"
        return Program(name, argv, log, ready, {**self._environment, **environment}, umask=umask)

    def _redis(self) -> Program:
        server, account = machine.key_value_store()
        config = self._layout.etc / "redis.conf"
        argv = (*_as(account.name, machine.group("_rspamd")), server, str(config))
        return self._program("redis", argv, pongs(self._layout.root / "redis" / "redis.sock"))

    def _rspamd(self) -> Program:
        root = self._layout.root
        places = {
            "LOCAL_CONFDIR": self._layout.etc / "rspamd",
            "DBDIR": root / "rspamd" / "db",
            "RUNDIR": root / "rspamd" / "run",
            "LOGDIR": self._layout.log,
        }
        command = (machine.program("rspamd"), "-f", "-u", "_rspamd", "-g", "_rspamd", "-c", "/etc/rspamd/rspamd.conf")
        argv = (*command, *(f"--var={name}={path}" for name, path in places.items()))
        ready = all_of(
            negotiates(self._layout.socket("rspamd")), accepts(root / "rspamd" / "learn" / "controller.sock")
        )
        return self._program("rspamd", argv, ready)

    def _unbound(self) -> Program:
        argv = self._unbound_with(self._layout.unbound / "unbound.conf")
        return self._program("unbound", argv, resolves(self._layout.ports.at("resolver"), MX_NAME))

    def _forwarder(self) -> Program:
        argv = self._unbound_with(self._layout.forwarder / "unbound.conf")
        return self._program("forwarder", argv, accepts(self._layout.forwarder / "control.sock"))

    def _unbound_with(self, config: Path) -> tuple[str, ...]:
        copy = self._layout.unbound_program
        return (str(copy) if copy.exists() else machine.program("unbound"), "-d", "-p", "-c", str(config))

    def _postfix(self) -> Program:
        postfix = (machine.program("postfix"), "-c", str(self._layout.etc / "postfix"), "start-fg")
        argv = (*_with_resolv_conf(self._layout.etc / "resolv.conf"), *postfix)
        ports = self._layout.ports
        ready = all_of(greets(ports.at("smtp"), b"220"), greets(ports.at("submission"), b"220"))
        return self._program("postfix", argv, ready)

    def _dovecot(self) -> Program:
        argv = (machine.program("dovecot"), "-F", "-c", str(self._layout.etc / "dovecot" / "dovecot.conf"))
        ready = all_of(greets(self._layout.ports.at("imap"), b"* OK"), accepts(self._layout.socket("lmtp")))
        return self._program("dovecot", argv, ready)

    def _policyd(self) -> Program:
        argv = self._ours("-m", "policyd", "--config", str(self._layout.config))
        return self._program("policyd", argv, accepts(self._layout.socket("policyd")), umask=_OURS)

    def _milter(self, name: str) -> Program:
        argv = self._ours("-m", "milters", name, "--config", str(self._layout.config))
        return self._program(name, argv, negotiates(self._layout.socket(name)), umask=_OURS)

    def _web(self) -> Program:
        at = self._layout.ports.at("web")
        # One process with threads: people on one machine are few, and it is memory that a small server lacks.
        options = (
            "--bind",
            at,
            "--workers",
            "1",
            "--threads",
            "16",
            "--worker-tmp-dir",
            "/dev/shm",  # noqa: S108 - gunicorn makes an unnamed file there
            "--no-control-socket",
        )
        argv = self._ours("-m", "gunicorn", *options, "webui:create_app()")
        return self._program("web", argv, serves(at), umask=_OURS, SMAILOR_CONFIG=str(self._layout.config))

    def _internet(self) -> Program:
        """The world outside runs as unbound's user: it tells unbound of zones, and may read nothing of ours."""
        layout = self._layout
        arguments = {
            "listen": layout.ports.at("internet"),
            "hostname": INTERNET_MX_NAME,
            "maildir": layout.internet_mail,
            "zones": layout.zones,
            "unbound-control": layout.unbound / "unbound.conf",
            "certificate": layout.tls / "internet.crt",
            "key": layout.tls / "internet.key",
        }
        words = tuple(word for name, value in arguments.items() for word in (f"--{name}", str(value)))
        unbound = machine.account("unbound")
        argv = (
            *_as(str(unbound.uid), unbound.gid, readers=True),
            sys.executable,
            "-m",
            "smailor.stack.internet",
            *words,
        )
        return self._program("internet", argv, greets(layout.ports.at("internet"), b"220"))

    def _ours(self, *arguments: str) -> tuple[str, ...]:
        """A Python process of ours: the mail's user, and group postfix for the database file and the sockets."""
        prefix = _as(str(MAIL_UID), MAIL_UID, groups=(machine.account("postfix").gid,), readers=True)
        return (*prefix, sys.executable, *arguments)


def _as(user: str, group: int, *, groups: tuple[int, ...] = (), readers: bool = False) -> tuple[str, ...]:
    """The words that make a command run as another user without any rights.

    Args:
        user: name or number.
        group: number.
        groups: numbers of further groups.
        readers: the command is our own Python. Where the clone or its interpreter lie in a home that only its owner
            may enter (/root/smailor), the process keeps the one right to read them all the same.
    """
    rights = "-all" if not readers or machine.others_can_read_us() else "-all,+dac_read_search"
    further = f"--groups={','.join(map(str, groups))}" if groups else "--clear-groups"
    return (
        machine.program("setpriv"),
        f"--reuid={user}",
        f"--regid={group}",
        further,
        f"--inh-caps={rights}",
        f"--ambient-caps={rights}",
        f"--bounding-set={rights}",
        "--no-new-privs",
    )


def _with_resolv_conf(file: Path) -> tuple[str, ...]:
    """The words that make a command see another /etc/resolv.conf: a mount in a namespace that ends with the command."""
    script = 'mount --bind "$1" "$(readlink -f /etc/resolv.conf)" && shift && exec "$@"'
    return (machine.program("unshare"), "--mount", "sh", "-c", script, "sh", str(file))
