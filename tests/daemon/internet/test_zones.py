"""Zone files dropped into a directory are answered by a real unbound, and a bad one changes nothing."""

import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from smailor.dns.answer import Outcome
from smailor.dns.resolver import Resolver
from smailor.errors import TemporaryFailure
from smailor.stack.internet import internet_reload
from smailor.stack.internet_send import host_name
from smailor.stack.internet_world import STRANGERS, stranger_zones
from smailor.stack.internet_zones import Problem, write_zones_conf

ZONE = """\
$TTL 300
@    SOA  ns.internet.test. hostmaster.internet.test. 1 3600 600 86400 300
     NS   ns.internet.test.
     A    192.0.2.7
www  CNAME @
long TXT  "{}" "{}"
"""


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.02)


class World:
    def __init__(self, directory: Path, port: int) -> None:
        self.zones = directory / "zones"
        self.conf = directory / "unbound" / "unbound.conf"
        self.target = self.conf.parent / "zones.conf"
        self.address = f"127.0.0.1:{port}"

    def drop(self, name: str, text: str) -> None:
        (self.zones / name).write_text(text)

    def ask(self, name: str, kind: str = "A"):
        """A new client for each question: nothing is kept on our side."""
        return Resolver([self.address], 3.0).query(name, kind)

    def answers(self, name: str, kind: str = "A") -> Callable[[], bool]:
        def check() -> bool:
            try:
                return self.ask(name, kind).outcome is Outcome.OK
            except TemporaryFailure:
                return False

        return check


@pytest.fixture
def world(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[World]:
    world = World(tmp_path, free_port())
    world.zones.mkdir()
    world.conf.parent.mkdir()
    control = tmp_path / "control.sock"
    world.conf.write_text(
        textwrap.dedent(f"""\
        server:
          directory: "{world.conf.parent}"
          chroot: ""
          username: ""
          pidfile: ""
          use-syslog: no
          logfile: "{tmp_path / "unbound.log"}"
          interface: {world.address.replace(":", "@")}
          do-ip6: no
          do-not-query-localhost: no
          num-threads: 1
          module-config: "iterator"
          cache-max-ttl: 1
          cache-max-negative-ttl: 1
          local-zone: "." static
        remote-control:
          control-enable: yes
          control-interface: "{control}"
          control-use-cert: no
        include: "{world.target}"
        """)
    )
    world.drop("internet.test.zone", ZONE)
    assert write_zones_conf(world.zones, world.target) == []
    unbound = subprocess.Popen(["unbound", "-d", "-p", "-c", str(world.conf)])
    try:
        until(world.answers("internet.test"))
        yield world
    finally:
        unbound.terminate()
        unbound.wait(10)


@pytest.fixture
def internet(world: World, free_port: Callable[[], int], tmp_path: Path, certificate: Path) -> Iterator[Path]:
    """The running process; its log file."""
    log = tmp_path / "internet.log"
    command = [sys.executable, "-m", "smailor.stack.internet", "--listen", f"127.0.0.1:{free_port()}"]
    command += ["--maildir", str(tmp_path / "mail"), "--zones", str(world.zones)]
    command += ["--unbound-control", str(world.conf)]
    command += ["--certificate", str(certificate), "--key", str(certificate)]
    with log.open("w") as output:
        process = subprocess.Popen(command, stderr=output)
    try:
        until(lambda: "ready" in log.read_text())
        yield log
    finally:
        process.terminate()
        assert process.wait(10) == 0


def test_a_dropped_zone_is_answered_within_two_seconds(world: World, internet: Path) -> None:
    assert world.ask("new.test").outcome is Outcome.NO_SUCH_NAME
    world.drop("new.test.zone", ZONE)
    dropped = time.monotonic()
    until(world.answers("new.test"))
    print(f"answered after {time.monotonic() - dropped:.2f} s")
    assert time.monotonic() - dropped < 2.0
    assert world.ask("www.new.test").records == ("192.0.2.7",)


def test_a_change_is_seen_and_a_zone_that_is_gone_is_gone(world: World, internet: Path) -> None:
    world.drop("internet.test.zone", ZONE.replace("192.0.2.7", "192.0.2.8"))
    until(lambda: world.ask("internet.test").records == ("192.0.2.8",))
    (world.zones / "internet.test.zone").unlink()
    until(lambda: world.ask("internet.test").outcome is Outcome.NO_SUCH_NAME)


def test_a_bad_file_is_named_with_its_line_and_the_last_good_version_is_served(world: World, internet: Path) -> None:
    world.drop("internet.test.zone", ZONE.replace("192.0.2.7", "192.0.2.777"))
    until(lambda: "zone not taken" in internet.read_text())
    assert "zone not taken: internet.test.zone:4: " in internet.read_text()
    world.drop("other.test.zone", ZONE)
    until(world.answers("other.test"))
    assert world.ask("internet.test").records == ("192.0.2.7",)
    assert internet.read_text().count("zone not taken") == 1


def test_reverse_zones_and_test_are_answered_though_unbound_has_its_own(world: World) -> None:
    """RFC 6303: unbound answers for these names itself unless told otherwise."""
    soa = ZONE.splitlines()[1]
    world.drop("2.0.192.in-addr.arpa.zone", f"$TTL 60\n{soa}\n7 PTR mail.stranger.test.\n")
    world.drop("127.in-addr.arpa.zone", f"$TTL 60\n{soa}\n1.0.0 PTR mx.internet.test.\n")
    world.drop("test.zone", f"$TTL 60\n{soa}\nstranger A 192.0.2.9\n")
    assert internet_reload(world.zones, world.conf) == []
    assert world.ask("7.2.0.192.in-addr.arpa", "PTR").records == ("mail.stranger.test",)
    assert world.ask("1.0.0.127.in-addr.arpa", "PTR").records == ("mx.internet.test",)
    assert world.ask("stranger.test").records == ("192.0.2.9",)
    assert world.ask("internet.test").records == ("192.0.2.7",), "the zone below is not hidden by the one above"


def test_answers_are_short_lived_and_long_texts_whole(world: World) -> None:
    world.drop("internet.test.zone", ZONE.format("a" * 255, "b" * 200))
    internet_reload(world.zones, world.conf)
    assert world.ask("internet.test").ttl <= 1
    assert world.ask("nothing.internet.test").ttl <= 1
    assert world.ask("long.internet.test", "TXT").texts == (b"a" * 255 + b"b" * 200,)


def test_nothing_of_the_real_world_is_asked(world: World) -> None:
    assert world.ask("www.example.com").outcome is Outcome.NO_SUCH_NAME


def test_an_origin_in_the_file_names_the_zone_and_the_second_claim_is_refused(tmp_path: Path) -> None:
    zones, target = tmp_path, tmp_path / "out" / "zones.conf"
    (zones / "a.zone").write_text(f"; ours\n$ORIGIN lovely.test.\n{ZONE}")
    (zones / "lovely.test.zone").write_text(ZONE)
    (zones / ".hidden.zone").write_text("rubbish")
    problems = write_zones_conf(zones, target)
    assert problems == [Problem("lovely.test.zone", 0, "zone lovely.test. is served from a.zone already")]
    assert target.read_text().count('name: "lovely.test."') == 1


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("@ SOA ns root 1 2 3 4\n", 1),
        (ZONE + "mail A 192.0.2.1.5\n", 7),
        (ZONE + "\n; about\nmail MX ten mx\nx A 192.0.2.1\n", 9),
        (
            ZONE.replace("@    SOA  ns.internet.test. hostmaster.internet.test. 1 3600", "@ SOA ns root (1\n 3600")
            + "x A",
            2,
        ),
        (ZONE + "$INCLUDE /etc/passwd\n", 7),
        (ZONE + f"{'x' * 64} A 192.0.2.1\n", 7),
        (ZONE + 'x TXT "open\n', 7),
        ("rubbish", 1),
        ("", 0),
        ("$TTL 60\n@ A 192.0.2.1\n", 0),
    ],
)
def test_a_bad_file_is_a_problem_with_the_line_where_it_begins(tmp_path: Path, text: str, line: int) -> None:
    (tmp_path / "bad.test.zone").write_text(text)
    (problem,) = write_zones_conf(tmp_path, tmp_path / "out" / "zones.conf")
    assert (problem.file, problem.line) == ("bad.test.zone", line)


def test_bytes_that_are_no_text_are_a_problem(tmp_path: Path) -> None:
    (tmp_path / "bad.test.zone").write_bytes(ZONE.encode() + b"x TXT \xff\n")
    (problem,) = write_zones_conf(tmp_path, tmp_path / "out" / "zones.conf")
    assert str(problem) == "bad.test.zone:7: not UTF-8"


def test_strangers_have_names_forward_and_back(world: World) -> None:
    for name, text in stranger_zones().items():
        world.drop(name, text)
    assert internet_reload(world.zones, world.conf) == []
    assert world.ask("stranger.test", "MX").mail_exchangers == ((10, "mx.internet.test"),)
    for stranger in STRANGERS:
        assert host_name(ip_address(stranger.address), Resolver([world.address])) == f"mail.{stranger.domain}"
