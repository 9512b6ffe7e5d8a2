"""Starting and stopping: two services side by side, refusals that name what is wrong, nothing left behind."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.system.running import SMAILOR, Service, until

# What does not depend on the kind of database is tried on one.
on_sqlite = pytest.mark.parametrize("service", ["sqlite"], indirect=True)

NewService = Callable[..., Service]


def processes(service: Service) -> list[psutil.Process]:
    """The supervisor and everything below it."""
    supervisor = psutil.Process(json.loads((service.run_dir / "run.json").read_text())["pid"])
    return [supervisor, *supervisor.children(recursive=True)]


def still_running(known: list[psutil.Process]) -> list[str]:
    """Which of these are there yet; psutil knows a process again by its start time, not by its number alone."""
    return [str(one) for one in known if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def naming(run_dir: object) -> list[str]:
    """Processes that have this directory in their command."""
    others = [one for one in psutil.process_iter(["cmdline"]) if one.pid != os.getpid()]
    return [str(one) for one in others if str(run_dir) in " ".join(one.info["cmdline"] or [])]


def answers(service: Service) -> bool:
    with urllib.request.urlopen(f"{service.endpoints['web']}/login", timeout=10) as page:  # noqa: S310
        return page.status == 200


def test_status_names_every_process_as_running(service: Service) -> None:
    done = service.command("status", "--run-dir", str(service.run_dir), "--json")
    assert done.returncode == 0, done.stderr
    told = done.stdout
    for name in ("postfix", "dovecot", "rspamd", "redis", "unbound", "signing", "policyd", "web", "internet"):
        assert f'"{name}"' in told


def test_endpoints_hold_what_outside_tools_rely_on(service: Service) -> None:
    endpoints = service.endpoints
    names = {"web", "smtp", "submission", "submissions", "imap", "imaps", "managesieve", "lmtp", "policyd", "milters"}
    names |= {"resolver", "metrics", "tls_ca", "config", "database", "internet", "operator", "inboxes"}
    assert names <= set(endpoints)
    assert {"smtp", "maildir", "zones"} <= set(endpoints["internet"])
    assert {"signing", "rspamd"} <= set(endpoints["milters"])
    assert {"email", "password"} <= set(endpoints["operator"])
    workspaces = {entry["workspace"] for entry in endpoints["inboxes"]}
    assert {"analytical", "lovelace"} <= workspaces
    assert (service.run_dir / "endpoints.json").stat().st_mode & 0o077 == 0, "it holds passwords"


@on_sqlite
def test_managesieve_and_imaps_answer(service: Service) -> None:
    host, port = service.endpoints["managesieve"].split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        assert b"IMPLEMENTATION" in connection.recv(1000)
    host, port = service.endpoints["imaps"].split(":")
    plain = socket.create_connection((host, int(port)), timeout=10)
    with service.tls.wrap_socket(plain, server_hostname="mail.smailor.test") as connection:
        assert connection.recv(1000).startswith(b"* OK")


@on_sqlite
def test_a_second_start_in_one_run_directory_is_refused(service: Service) -> None:
    """And the service that runs there is none the worse."""
    refused = service.try_up()
    assert refused.returncode == 1
    assert len(refused.stderr.strip().splitlines()) == 1, refused.stderr
    assert str(service.run_dir) in refused.stderr
    assert answers(service)


@on_sqlite
def test_a_second_service_runs_beside_the_first_and_leaves_nothing(service: Service, new_service: NewService) -> None:
    """Own directory, own ports; after `down` no process and no file is left, and the first goes on."""
    second = new_service()
    second.demo = False
    second.up()
    assert answers(second)
    assert answers(service)
    known = processes(second)
    assert len(known) > 10
    done = second.down()
    assert done.returncode == 0, done.stderr
    assert still_running(known) == []
    assert naming(second.run_dir) == []
    assert not second.run_dir.exists()
    assert answers(service)
    again = second.down()
    assert again.returncode == 1
    assert str(second.run_dir) in again.stderr


def test_ctrl_c_in_the_foreground_leaves_nothing(new_service: NewService) -> None:
    one = new_service()
    command = [str(SMAILOR), "up", "--run-dir", str(one.run_dir), "--base-port", str(one.base_port), "--no-demo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as foreground:
        assert foreground.stdout is not None
        said = []
        for line in foreground.stdout:
            said.append(line)
            if line.startswith("ready"):
                break
        else:
            pytest.fail("".join(said))
        known = processes(one)
        foreground.send_signal(signal.SIGINT)
        foreground.communicate(timeout=60)
    assert still_running(known) == []
    assert not one.run_dir.exists()


def test_ctrl_c_while_it_starts_leaves_nothing(new_service: NewService) -> None:
    one = new_service()
    command = [str(SMAILOR), "up", "--run-dir", str(one.run_dir), "--base-port", str(one.base_port), "--no-demo"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as foreground:
        until((one.run_dir / "run.json").exists, "first process")
        known = processes(one)
        foreground.send_signal(signal.SIGINT)
        foreground.communicate(timeout=60)
    assert still_running(known) == []
    assert naming(one.run_dir) == []


@pytest.mark.parametrize("offset", [25, 53, 80, 993])
def test_a_port_that_is_taken_is_named_and_nothing_is_left(new_service: NewService, offset: int) -> None:
    one = new_service()
    port = one.base_port + offset
    with socket.create_server(("127.0.0.1", port)):
        started = time.monotonic()
        refused = one.try_up("--no-demo")
    assert refused.returncode == 1
    (line,) = refused.stderr.strip().splitlines()
    assert str(port) in line
    assert time.monotonic() - started < 20
    assert naming(one.run_dir) == []


@on_sqlite
@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("messages_per_hour = ", "mesages_per_hour = ", "sending.mesages_per_hour"),
        ("messages_per_hour = ", "messages_per_hour = -", "sending.messages_per_hour"),
        ("[sending]", "[sendin]", "sendin"),
        ('level = "', 'level = "x', "log.level"),
        ("servers = [", "servers = [3, ", "dns.servers"),
    ],
)
def test_an_unusable_configuration_is_refused_with_file_line_and_key(
    service: Service, tmp_path, old: str, new: str, named: str
) -> None:
    """By every program that reads it, in one line, before it does anything."""
    lines = Path(service.endpoints["config"]).read_text().splitlines()
    number = next(index for index, line in enumerate(lines) if line.startswith(old))
    lines[number] = lines[number].replace(old, new)
    bad = tmp_path / "smailor.toml"
    bad.write_text("\n".join(lines))
    programs = [["smailor", "--config", str(bad), "workspace", "list"]]
    programs += [["smailor-policyd", "--config", str(bad)], ["smailor-milter", "signing", "--config", str(bad)]]
    for program in programs:
        command = [str(SMAILOR.with_name(program[0])), *program[1:]]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode != 0
        assert f"{bad}:{number + 1}: {named}" in done.stderr
        assert "Traceback" not in done.stderr


def test_options_that_cannot_work_are_refused_in_one_line(new_service: NewService) -> None:
    one = new_service()
    for more in (["--database", "mysql://x/y"], ["--resolver", "nowhere"], ["--base-port", "65000"]):
        refused = one.try_up(*more)
        assert refused.returncode != 0
        assert "Traceback" not in refused.stderr
    far = one.command("up", "--detach", "--run-dir", "/tmp/" + "x" * 100, "--no-demo")
    assert far.returncode == 1
    assert len(far.stderr.strip().splitlines()) == 1


def test_an_unreachable_database_is_named(new_service: NewService) -> None:
    one = new_service(database="postgresql://smailor:secret@127.0.0.1:9/smailor")
    refused = one.try_up("--no-demo")
    assert refused.returncode == 1
    assert "secret" not in refused.stderr
    assert "Traceback" not in refused.stderr
    assert naming(one.run_dir) == []
