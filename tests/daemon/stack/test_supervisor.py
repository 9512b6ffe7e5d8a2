"""Keeping real processes."""

import os
import signal
import sys
import time

import psutil
import pytest

from smailor.stack.supervisor import RESTARTS, Program, Supervisor

ENVIRONMENT = {"PATH": os.environ["PATH"]}
SECONDS = 20


def until(condition):
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def said():
    return []


@pytest.fixture
def supervisor(said):
    keeper = Supervisor(said.append)
    yield keeper
    keeper.stop()


@pytest.fixture
def program(tmp_path):
    def make(script, name="thing"):
        mark = tmp_path / name
        argv = (sys.executable, "-c", script.replace("READY", f"open({str(mark)!r}, 'w').close()"))
        return Program(name, argv, tmp_path / f"{name}.log", mark.exists, ENVIRONMENT)

    return make


LASTING = "import time; READY; time.sleep(600)"


def wait(supervisor, *names, **options):
    ready = []
    failed = supervisor.wait(names, lambda kept: ready.append(kept.program.name), **options)
    return ready, [kept.program.name for kept in failed]


def test_waits_until_all_answer(supervisor, program):
    supervisor.start(program(LASTING, "one"))
    supervisor.start(program(LASTING, "two"))
    ready, failed = wait(supervisor, "one", "two")
    assert sorted(ready) == ["one", "two"]
    assert failed == []
    assert all(kept.seconds > 0 for kept in supervisor.kept.values())


def test_names_each_program_that_ended_instead_of_answering(supervisor, program):
    supervisor.start(program(LASTING, "good"))
    supervisor.start(program("import sys; sys.exit('no such luck')", "bad"))
    supervisor.start(program("raise SystemExit(3)", "worse"))
    _, failed = wait(supervisor, "good", "bad", "worse")
    assert sorted(failed) == ["bad", "worse"]
    assert "no such luck" in supervisor.kept["bad"].program.log.read_text()


def test_names_what_does_not_answer_in_time(supervisor, program):
    supervisor.start(program("import time; time.sleep(600)", "mute"))
    _, failed = wait(supervisor, "mute", limit_seconds=0.3)
    assert failed == ["mute"]


def test_what_dies_is_started_again(supervisor, program, said):
    supervisor.start(program(LASTING))
    wait(supervisor, "thing")
    first = supervisor.kept["thing"].process.pid
    os.kill(first, signal.SIGKILL)
    until(lambda: supervisor.revive() and supervisor.kept["thing"].restarts == 1)
    assert supervisor.kept["thing"].process.pid != first
    assert "thing was ended by SIGKILL; starting it again in 0.5 s" in said[0]
    assert said[1].startswith("thing started again")


def test_what_dies_again_and_again_is_given_up(supervisor, program, said, monkeypatch):
    supervisor.start(program("raise SystemExit(7)"))
    kept = supervisor.kept["thing"]
    for _ in range(RESTARTS + 1):
        kept.process.wait(SECONDS)
        supervisor.revive()
        if kept.again is not None:
            kept.again = time.monotonic()  # the growing pauses are not what is tested
            supervisor.revive()
    assert kept.given_up
    assert kept.restarts == RESTARTS
    assert f"thing ended with status 7 and was given up after {RESTARTS} starts" in said[-1]
    assert not supervisor.revive()


def test_stopping_ends_children_too_even_those_in_a_group_of_their_own(supervisor, program):
    supervisor.start(
        program(
            "import subprocess, sys, time\n"
            "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], process_group=0)\n"
            "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
            "READY\n"
            "time.sleep(600)"
        )
    )
    wait(supervisor, "thing")
    family = [psutil.Process(supervisor.kept["thing"].process.pid)]
    family += family[0].children(recursive=True)
    assert len(family) == 3
    supervisor.stop()
    assert not any(process.is_running() for process in family)


def test_a_program_hears_only_the_environment_that_it_is_given(supervisor, program, monkeypatch, tmp_path):
    monkeypatch.setenv("SMAILOR_SECRETS_SESSION_KEY", "of the caller")
    supervisor.start(program("import os; print(sorted(os.environ), flush=True); READY; import time; time.sleep(600)"))
    wait(supervisor, "thing")
    assert "SMAILOR" not in supervisor.kept["thing"].program.log.read_text()
