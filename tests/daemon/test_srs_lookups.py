"""Bounces of forwarded mail find their way: the policy daemon as Postfix's own look-up client asks it."""

import signal
import socket
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from smailor.authentication import srs
from smailor.authentication.srs_secrets import srs_secrets
from smailor.stack.render import Role
from tests.daemon.policyd_process import SECONDS, Daemon

SECRET = srs_secrets(["A" * 43 + "="])[0]
DOMAIN = "srs.smailor.test"


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    one = Daemon(tmp_path / "d", f"sqlite:///{tmp_path}/none.db", 1).ready()
    yield one
    if one.process.poll() is None:
        one.kill()


@pytest.fixture
def postmap(tmp_path: Path):
    """Ask as Postfix's `virtual_alias_maps` does."""
    role = Role(
        "postfix",
        {
            "postfix_maps_directory": str(tmp_path),
            "postfix_srs_domain": DOMAIN,
            "postfix_srs_socket": f"unix:{tmp_path}/d/srs.sock",
        },
    )
    (tmp_path / "srs_addresses").write_text(role.render("maps/srs_addresses.j2"))
    (tmp_path / "main.cf").write_text("compatibility_level = 3.7\n")
    (line,) = [line for line in role.render("main.cf.j2").splitlines() if line.strip().startswith("pipemap:")]

    def ask(key: str) -> str:
        command = ["postmap", "-c", str(tmp_path), "-q", key, line.strip()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
        assert done.returncode == 0 or not done.stdout
        return done.stdout.strip() or done.stderr.strip()

    return ask


def rewritten(sender: str) -> str:
    return srs.forward(sender, domain=DOMAIN, secret=SECRET, now=datetime.now(UTC))


@pytest.mark.parametrize("sender", ["ada@example.org", "Ada.Lovelace+x@example.org", '"a b"@example.org'])
def test_a_bounce_goes_to_the_original_sender(daemon: Daemon, postmap, sender: str) -> None:
    assert postmap(rewritten(sender)) == sender


def test_forged_ones_and_others_are_not_there(daemon: Daemon, postmap) -> None:
    assert postmap(rewritten("ada@example.org").replace("ada", "eve")) == ""
    assert postmap(f"ada@{DOMAIN}") == ""
    assert "not a sender of ours" in daemon.log()


def test_only_rewritten_senders_are_asked_about(postmap) -> None:
    """Nobody listens here: all other mail does not depend on the daemon."""
    for key in ("ada@example.org", "ada+x@example.org", "@example.org", f"x@{DOMAIN}", f"SRS0=a@{DOMAIN}.example.org"):
        assert postmap(key) == ""
    assert "srs.sock" in postmap(f"SRS0=a@{DOMAIN}")


def test_nonsense_ends_one_connection_and_not_the_others(daemon: Daemon, postmap, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one, socket.socket(socket.AF_UNIX) as two:
        for each in (one, two):
            each.settimeout(SECONDS)
            each.connect(f"{tmp_path}/d/srs.sock")
        one.sendall(b"what?")
        assert one.recv(100) == b""
        two.sendall(b"9:srs a@b.t,")
        assert two.recv(100) == b"9:NOTFOUND ,"
    daemon.wait_for_log("bad_lookup")


def test_the_daemon_ends_with_connections_open(daemon: Daemon, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as idle:
        idle.connect(f"{tmp_path}/d/srs.sock")
        idle.settimeout(SECONDS)
        idle.sendall(b"9:srs a@b.t,")
        idle.recv(100)
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.ended() == 0
    assert "Traceback" not in daemon.log()
    assert "stopped" in daemon.log()
