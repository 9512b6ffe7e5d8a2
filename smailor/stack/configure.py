"""Fills a run directory: folders with their owners, certificates, zones, and every program's rendered configuration.

Starts no service. Who may read what is decided here, in one table, because each program runs as its own user.
"""

import os
import shutil
import subprocess
from datetime import datetime
from pathlib import Path

from smailor.errors import ConfigError
from smailor.stack import machine
from smailor.stack.certificates import Authority
from smailor.stack.internet_world import stranger_zones
from smailor.stack.internet_zones import write_zones_conf
from smailor.stack.layout import HYPERSCAN_CACHE, INTERNET_MX_NAME, MAIL_NAME, MAIL_UID, MX_NAME, Layout
from smailor.stack.render import Role
from smailor.stack.variables import Wishes, forwarder, roles
from smailor.stack.zones import base_zones

_QUEUES = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace")
_CHECK_SECONDS = 60


def configure(wishes: Wishes, *, now: datetime) -> None:
    """Make everything that the programs need before they start.

    Raises:
        ConfigError: a program refuses its configuration, or warns of it.
        NotFound: a program or its user is missing.
    """
    layout = wishes.layout
    rendered = roles(wishes)
    _make_directories(layout)
    _make_certificates(layout, now=now)
    _write_postfix(layout, rendered["postfix"])
    _write_dovecot(layout, rendered["dovecot"])
    _write_rspamd(layout, rendered["rspamd"])
    # Redis runs with Rspamd's group, see the table below.
    rspamd = machine.account("_rspamd")
    rendered["redis"].write("redis.conf.j2", layout.etc / "redis.conf", mode=0o640, owner=(0, rspamd.gid))
    _free_unbound(layout)
    _write_unbound(layout, rendered["unbound"])
    resolver = rendered["unbound"]
    if wishes.resolver:
        resolver = forwarder(wishes)
        resolver.write("unbound.conf.j2", layout.forwarder / "unbound.conf")
    resolver.write("resolv.conf.j2", layout.etc / "resolv.conf")
    rendered["smailor"].write("smailor.toml.j2", layout.config, mode=0o640, owner=(0, MAIL_UID))


def check(layout: Layout) -> None:
    """Let the programs read their configuration; a warning is an error, for a warning is how a misspelt name looks.

    Raises:
        ConfigError: with what the program said.
    """
    _refuse_words("postfix", [machine.program("postconf"), "-c", str(layout.etc / "postfix"), "-n"])
    _refuse_words("unbound", [machine.program("unbound-checkconf"), str(layout.unbound / "unbound.conf")], quiet=True)
    _refuse_words("dovecot", [machine.program("doveconf"), "-c", str(layout.etc / "dovecot" / "dovecot.conf"), "-n"])


def _refuse_words(name: str, command: list[str], *, quiet: bool = False) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_CHECK_SECONDS, check=False)
    if done.returncode != 0 or (done.stderr.strip() and not quiet):
        raise ConfigError(f"{name} does not like its configuration: {' '.join((done.stderr or done.stdout).split())}")


def _make_directories(layout: Layout) -> None:
    """One line a folder: its path, owner, group and mode."""
    root = layout.root
    postfix, rspamd = machine.account("postfix"), machine.account("_rspamd")
    _, redis = machine.key_value_store()
    unbound = machine.account("unbound")
    drop = machine.group("postdrop")
    table: list[tuple[Path, int, int, int]] = [
        (layout.etc, 0, 0, 0o755),
        (layout.etc / "postfix", 0, 0, 0o755),
        (layout.etc / "postfix" / "maps", 0, postfix.gid, 0o750),
        (layout.etc / "dovecot", 0, 0, 0o755),
        (layout.etc / "rspamd", 0, rspamd.gid, 0o750),
        (layout.log, 0, 0, 0o750),
        (layout.tls, 0, 0, 0o755),
        # Sockets made here belong to group postfix: Postfix connects to all of them.
        (layout.sockets, MAIL_UID, postfix.gid, 0o2755),
        # SQLite in WAL mode: whoever reads also writes -wal and -shm, and what one makes the others must open. So the
        # folder hands its group on, and our processes are in that group, which Postfix's proxymap has anyway.
        (layout.database_file.parent, MAIL_UID, postfix.gid, 0o2770),
        (root / "mail", MAIL_UID, MAIL_UID, 0o700),
        (root / "attachments", MAIL_UID, MAIL_UID, 0o700),
        (root / "dovecot" / "base", 0, 0, 0o755),
        (root / "dovecot" / "state", 0, 0, 0o755),
        (root / "rspamd", 0, rspamd.gid, 0o755),
        (root / "rspamd" / "db", rspamd.uid, rspamd.gid, 0o750),
        (root / "rspamd" / "run", rspamd.uid, rspamd.gid, 0o750),
        (root / "rspamd" / "learn", MAIL_UID, rspamd.gid, 0o770),
        # Redis runs with Rspamd's group, so that its socket is Rspamd's and nobody else's.
        (root / "redis", redis.uid, rspamd.gid, 0o2750),
        # The world outside is not us: it runs as unbound's user, who also reads the zones.
        (layout.unbound, unbound.uid, unbound.gid, 0o750),
        (layout.forwarder, unbound.uid, unbound.gid, 0o750),
        (layout.zones, unbound.uid, unbound.gid, 0o755),
        (layout.internet_mail, unbound.uid, unbound.gid, 0o755),
        (HYPERSCAN_CACHE, rspamd.uid, rspamd.gid, 0o750),
        (root / "postfix" / "data", postfix.uid, postfix.gid, 0o700),
        (root / "postfix" / "queue", 0, 0, 0o755),
        (root / "postfix" / "queue" / "pid", 0, 0, 0o755),
        (root / "postfix" / "queue" / "maildrop", postfix.uid, drop, 0o730),
        (root / "postfix" / "queue" / "public", postfix.uid, drop, 0o710),
        *((root / "postfix" / "queue" / name, postfix.uid, 0, 0o700) for name in _QUEUES),
    ]
    for path, uid, gid, mode in table:
        path.mkdir(parents=True, exist_ok=True)
        os.chown(path, uid, gid)
        path.chmod(mode)


def _make_certificates(layout: Layout, *, now: datetime) -> None:
    authority = Authority.load_or_make(layout.ca, layout.tls / "ca.key", now=now)
    # One certificate for all of ours: the web finds submission and IMAP under the same name.
    authority.issue(layout.tls / "mail.crt", layout.tls / "mail.key", names=(MX_NAME, MAIL_NAME), now=now)
    authority.issue(layout.tls / "internet.crt", layout.tls / "internet.key", names=(INTERNET_MX_NAME,), now=now)
    unbound = machine.account("unbound")
    os.chown(layout.tls / "internet.key", unbound.uid, unbound.gid)


def _write_postfix(layout: Layout, role: Role) -> None:
    folder, gid = layout.etc / "postfix", machine.account("postfix").gid
    for name in ("main.cf", "master.cf"):
        role.write(f"{name}.j2", folder / name)
    for template in role.templates("maps/"):
        if template != "maps/database.j2":
            # The maps hold the database's password.
            role.write(template, folder / template.removesuffix(".j2"), mode=0o640, owner=(0, gid))


def _write_dovecot(layout: Layout, role: Role) -> None:
    folder, dialect = layout.etc / "dovecot", machine.dovecot_dialect()
    role.write(f"dovecot-{dialect}.conf.j2", folder / "dovecot.conf", mode=0o640)
    if dialect == "2.3":
        role.write("sql.conf.j2", folder / "sql.conf", mode=0o640, owner=(0, machine.account("dovecot").gid))
    role.write("learn.sh.j2", folder / "sieve" / "bin" / "learn", mode=0o755)
    for template in role.templates("sieve/"):
        script = folder / template.removesuffix(".j2")
        role.write(template, script)
        compiler = [machine.program("sievec"), "-c", str(folder / "dovecot.conf"), str(script)]
        done = subprocess.run(compiler, capture_output=True, text=True, timeout=_CHECK_SECONDS, check=False)
        if done.returncode != 0:
            raise ConfigError(f"{script} does not compile: {' '.join(done.stderr.split())}")


def _write_rspamd(layout: Layout, role: Role) -> None:
    gid = machine.account("_rspamd").gid
    for template in role.templates():
        target = layout.etc / "rspamd" / template.removesuffix(".j2")
        role.write(template, target, mode=0o640, owner=(0, gid))
        target.parent.chmod(0o755)


def _free_unbound(layout: Layout) -> None:
    """Copy unbound to a path that no AppArmor profile is for; touching the profile would be touching /etc."""
    installed = machine.program("unbound")
    if machine.is_confined(installed):
        layout.unbound_program.parent.mkdir(exist_ok=True)
        shutil.copy2(installed, layout.unbound_program)


def _write_unbound(layout: Layout, role: Role) -> None:
    for template in ("unbound.conf", "root.zone"):
        role.write(f"{template}.j2", layout.unbound / template)
    unbound = machine.account("unbound")
    for name, text in {**base_zones(layout.ports), **stranger_zones()}.items():
        file = layout.zones / name
        # In a kept run directory a zone may have been changed on purpose.
        if not file.exists():
            file.write_text(text, encoding="utf-8")
            os.chown(file, unbound.uid, unbound.gid)
    problems = write_zones_conf(layout.zones, layout.unbound / "zones.conf")
    if problems:
        raise ConfigError("; ".join(str(problem) for problem in problems))
    copies = layout.unbound / "zones.good"
    for file in (layout.unbound / "zones.conf", copies, *copies.iterdir()):
        os.chown(file, unbound.uid, unbound.gid)
