"""One server: a systemd-nspawn container that boots its own systemd in its own network namespace, reached by ssh.

The disk is a layer over a tree of `trees.py`. Switching off keeps the disk, `destroy` loses it. A server gets what a cloud
gives it: addresses, a name, root's ssh key, a resolver; nothing else is done behind ssh's back.
"""

import os
import shlex
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.provision.lab import network
from tests.provision.lab.trees import tree

START_SECONDS = 120
_HIERARCHIES = ("unified", "systemd", "memory", "pids", "cpu", "cpuacct")


class ServerError(Exception):
    """A server did not do what it was told in time."""


@dataclass(slots=True)
class Machine:
    """A server, switched off at first.

    Args:
        directory: where disk, keys and log of all servers of the laboratory lie.
        name: short name, 10 characters at most.
        number: last part of its addresses, 2 to 254.
        suite: Debian's code name.
        volumes: directory on this machine -> path in the server; outlives the server, as a cloud's volume does.
    """

    directory: Path
    name: str
    number: int
    suite: str = "trixie"
    volumes: dict[Path, str] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def ipv4(self) -> str:
        """Public address."""
        return network.PUBLIC4.format(self.number)

    @property
    def ipv6(self) -> str:
        """Public address."""
        return network.PUBLIC6.format(self.number)

    @property
    def private(self) -> str:
        """Address on the private network."""
        return network.PRIVATE.format(self.number)

    @property
    def key(self) -> Path:
        """The private ssh key that root of every server of the laboratory accepts."""
        return self.directory / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """The servers' own public keys."""
        return self.directory / "known_hosts"

    @property
    def log(self) -> Path:
        """What the server's console said."""
        return self.directory / f"{self.name}.log"

    @property
    def _disk(self) -> Path:
        return self.directory / self.name

    @property
    def _root(self) -> Path:
        return self._disk / "root"

    def start(self) -> None:
        """Switch on; the disk is made when there is none. Returns when ssh answers and systemd has settled."""
        if not self._disk.exists():
            self._make_disk()
        self._mount()
        namespace = network.plug_in(self.name, self.number)
        binds = [f"--bind={source}:{target}" for source, target in self.volumes.items()]
        command = [
            *("systemd-nspawn", "--quiet", "-D", str(self._root), f"--machine={self.name}", "--boot", "--register=no"),
            *("--keep-unit", "--kill-signal=SIGRTMIN+4", f"--network-namespace-path={namespace}", "--resolv-conf=off"),
            *("--timezone=off", "--link-journal=no", "--capability=CAP_NET_ADMIN,CAP_BPF,CAP_PERFMON"),
            *("--system-call-filter=bpf", "--rlimit=RLIMIT_NOFILE=524288:1048576", *binds),
        ]
        # A group of its own in every hierarchy: systemd in the server takes the rest of it from there.
        script = f"""
for group in {" ".join(str(path) for path in self._groups())}; do
    mkdir -p "$group" && echo $$ >"$group/cgroup.procs"
done
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 SYSTEMD_NSPAWN_API_VFS_WRITABLE=network
exec {shlex.join(command)}
"""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["bash", "-ec", script], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._pid_file().write_text(str(self._process.pid))
        self._wait_until_up()

    def stop(self) -> None:
        """Switch off as by the power button, keeping the disk; nothing happens to one that is off."""
        if self._process is not None:
            # Never SIGKILL: the server's own first process would live on.
            self._process.send_signal(signal.SIGTERM)
            self._gone()

    def reboot(self) -> None:
        """Restart from within, as an operator does; what only the kernel held (firewall, sysctl) is gone."""
        self.run("systemctl --no-block poweroff", check=False)
        self._gone()
        self.start()

    def destroy(self) -> None:
        """Switch off and lose the disk; volumes stay."""
        self.stop()
        shutil.rmtree(self._disk, ignore_errors=True)
        if self.known_hosts.exists():
            kept = [line for line in self.known_hosts.read_text().splitlines() if not line.startswith(f"{self.ipv4},")]
            self.known_hosts.write_text("".join(f"{line}\n" for line in kept))

    def run(
        self, command: str, *, check: bool = True, data: bytes | None = None, seconds: float = 120
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a shell command as root, by ssh, and return its output.

        Raises:
            ServerError: it failed, with what it said (only with `check`).
        """
        ssh = ["ssh", *self.ssh_options(), f"root@{self.ipv4}", command]
        given = {"stdin": subprocess.DEVNULL} if data is None else {"input": data}
        done = subprocess.run(ssh, capture_output=True, timeout=seconds, check=False, **given)
        if check and done.returncode != 0:
            said = (done.stdout + done.stderr).decode(errors="replace")
            raise ServerError(f"{self.name}: {command!r} ended with {done.returncode}:\n{said}")
        return done

    def output(self, command: str) -> str:
        """What a shell command prints, without the blanks around it."""
        return self.run(command).stdout.decode().strip()

    def ssh_options(self) -> list[str]:
        """For ssh(1): the laboratory's key, and no server but the one that is meant. One connection serves many commands."""
        options = [
            "BatchMode=yes",
            "ConnectTimeout=5",
            "ControlMaster=auto",
            f"ControlPath={self.directory}/ssh-%C",
            "ControlPersist=60",
            "IdentitiesOnly=yes",
            "StrictHostKeyChecking=yes",
            f"UserKnownHostsFile={self.known_hosts}",
        ]
        return ["-F", "none", "-i", str(self.key), *(part for option in options for part in ("-o", option))]

    def _make_disk(self) -> None:
        for part in ("upper/etc/ssh", "upper/root/.ssh", "work", "root"):
            (self._disk / part).mkdir(parents=True)
        etc = self._disk / "upper/etc"
        (self._disk / "upper/root").chmod(0o700)
        (self._disk / "upper/root/.ssh").chmod(0o700)
        shutil.copy(self.key.with_suffix(".pub"), self._disk / "upper/root/.ssh/authorized_keys")
        subprocess.run(["ssh-keygen", "-q", "-A", "-f", self._disk / "upper"], check=True, stdout=subprocess.DEVNULL)
        public = (etc / "ssh/ssh_host_ed25519_key.pub").read_text().split()
        with self.known_hosts.open("a") as known:
            known.write(f"{self.ipv4},{self.ipv6},{self.private} {public[0]} {public[1]}\n")
        (etc / "hostname").write_text(f"{self.name}\n")
        (etc / "hosts").write_text("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n")
        (etc / "resolv.conf").write_text(f"nameserver {network.WORLD4}\n")

    def _mount(self) -> None:
        layers = f"lowerdir={tree(self.suite)},upperdir={self._disk}/upper,workdir={self._disk}/work"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, self._root], check=True)

    def _wait_until_up(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        state = ""
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise ServerError(f"{self.name} did not start:\n{self._last_words()}")
            done = self.run("systemctl is-system-running --wait", check=False)
            state = done.stdout.decode().strip()
            if state in {"running", "degraded"}:
                return
            # The server's own firewall counts new ssh connections.
            time.sleep(1)
        raise ServerError(f"{self.name} is {state or 'not reachable'} after {START_SECONDS} s:\n{self._last_words()}")

    def _gone(self) -> None:
        assert self._process is not None
        subprocess.run(
            ["ssh", *self.ssh_options(), "-O", "exit", f"root@{self.ipv4}"], capture_output=True, check=False
        )
        try:
            self._process.wait(90)
        except subprocess.TimeoutExpired as error:
            raise ServerError(f"{self.name} does not switch off:\n{self._last_words()}") from error
        self._process = None
        self._pid_file().unlink(missing_ok=True)
        subprocess.run(["umount", self._root], check=True)
        network.unplug(self.name)
        for group in self._groups():
            for below, _, _ in os.walk(group, topdown=False):
                Path(below).rmdir()

    def _last_words(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-30:])

    def _pid_file(self) -> Path:
        return self.directory / f"{self.name}.pid"

    def _groups(self) -> list[Path]:
        top = Path("/sys/fs/cgroup")
        if (top / "cgroup.controllers").exists():
            return [top / f"smailor-{network.NUMBER}-{self.name}"]
        return [top / name / f"smailor-{network.NUMBER}-{self.name}" for name in _HIERARCHIES if (top / name).is_dir()]
