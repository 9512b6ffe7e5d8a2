"""The operator's commands around sending, run as a shell runs them."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.fernet import Fernet

from smailor.cli import smailor
from smailor.sending import pause_service
from smailor.sending.anomalies import Anomaly, Kind

CONFIG = """
[service]
hostname = "mx.smailor.test"
domain = "smailor.test"
[database]
url = "{url}"
[secrets]
session_key = "{session}"
sealing_keys = ["{sealing}"]
[plans.standard]
messages_per_hour = 100
[plans.large]
messages_per_hour = 1000
"""


class Shell:
    def __init__(self, config: Path):
        self.config = config

    def run(self, *arguments):
        return CliRunner().invoke(smailor, arguments, env={"SMAILOR_CONFIG": str(self.config)})

    def json(self, *arguments):
        done = self.run(*arguments, "--json")
        assert done.exit_code == 0, done.stderr
        return json.loads(done.stdout)

    def refused(self, *arguments):
        done = self.run(*arguments)
        assert done.exit_code == 1, done.output
        assert len(done.stderr.splitlines()) == 1
        return done.stderr


def _shell(database, tmp_path):
    config = tmp_path / "smailor.toml"
    config.write_text(CONFIG.format(url=database.url, session="k" * 40, sealing=Fernet.generate_key().decode()))
    return Shell(config)


@pytest.fixture
def shell(acme, tmp_path):
    return _shell(acme.database, tmp_path)


def test_limits_are_shown_set_and_cleared(shell):
    shown = {row["measure"]: row for row in shell.json("limits", "show", "ada@acme.test")}
    assert (shown["messages/hour"]["maximum"], shown["messages/hour"]["used"]) == (100, 0)
    row = shell.json("limits", "set", "Ada@acme.test", "messages/hour", "5", "--reason", "slowly", "--expires", "7d")
    assert (row["maximum"], row["plan_maximum"], row["reason"]) == (5, 100, "slowly")
    assert row["expires_at"] is not None
    assert "slowly" in shell.run("limits", "show", "ada@acme.test").stdout
    assert shell.json("limits", "clear", "ada@acme.test", "messages/hour")["cleared"] == 1
    assert "no limit was set" in shell.refused("limits", "clear", "ada@acme.test")
    assert "one of" in shell.refused("limits", "set", "acme", "x/y", "1", "--reason", "x")
    assert "date" in shell.refused("limits", "set", "acme", "messages/hour", "1", "--reason", "x", "--expires", "soon")
    assert "no verified domain" in shell.refused("limits", "show", "x@nowhere.test")
    assert shell.run("limits", "set", "acme", "messages/hour", "1").exit_code == 2, "a reason is needed"


def test_a_warm_up_is_shown_paused_resumed_and_set(shell):
    assert {row["domain"] for row in shell.json("domain", "warmup", "show")} == {
        "acme.test",
        "acme.example",
        "other.test",
    }
    shown = shell.json("domain", "warmup", "show", "ACME.test")
    assert (shown["day"], shown["of"], shown["cap"], shown["next_cap"]) == (1, 16, 480, 672)
    reason = ("--reason", "asked")
    assert shell.json("domain", "warmup", "pause", "acme.test", *reason)["paused"] is True
    assert shell.json("domain", "warmup", "resume", "acme.test", *reason)["paused"] is False
    assert shell.json("domain", "warmup", "set", "acme.test", "--day", "3", *reason)["cap"] == 940
    assert shell.json("domain", "warmup", "set", "acme.test", "--cap", "9", *reason)["cap"] == 9
    assert shell.json("domain", "warmup", "set", "acme.test", "--clear-cap", *reason)["cap"] == 940
    assert shell.json("domain", "warmup", "set", "acme.test", "--graduated", *reason)["state"] == "graduated"
    assert "give a day" in shell.refused("domain", "warmup", "set", "acme.test", *reason)
    assert "no verified domain" in shell.refused("domain", "warmup", "show", "nowhere.test")


def test_a_workspace_is_put_on_another_plan(shell):
    assert shell.json("workspace", "plan", "acme", "large", "--reason", "paid")["plan"] == "large"
    shown = {row["measure"]: row for row in shell.json("limits", "show", "ada@acme.test")}
    assert shown["messages/hour"]["maximum"] == 1000
    assert "the configuration has large, standard" in shell.refused("workspace", "plan", "acme", "huge")
    assert "no workspace" in shell.refused("workspace", "plan", "nothing", "large")
    entry = shell.json("audit", "list", "--on", "workspace:acme")[0]
    assert (entry["action"], entry["details"]) == ("plan.set", {"before": "standard", "plan": "large"})


def test_a_suppression_list_comes_and_goes(shell, tmp_path):
    here = ("--workspace", "acme")
    assert shell.json("suppression", "add", "Bob@x.test", *here, "--reason", "moved")["address"] == "bob@x.test"
    assert "already" in shell.refused("suppression", "add", "bob@x.test", *here)
    file = tmp_path / "list.csv"
    file.write_bytes("address,reason\na@x.test,hä\nbob@x.test\nwrong\n".encode("latin-1"))
    answer = shell.json("suppression", "import", str(file), *here)
    assert (answer["read"], answer["added"], answer["unread"]) == (2, 1, 1)
    assert [row["address"] for row in shell.json("suppression", "list", *here)] == ["a@x.test", "bob@x.test"]
    assert [row["address"] for row in shell.json("suppression", "list", *here, "--search", "bob")] == ["bob@x.test"]
    exported = shell.run("suppression", "export", *here).stdout
    assert exported.splitlines()[0] == "address,reason,since,source"
    assert "bob@x.test,moved" in exported
    again = tmp_path / "again.csv"
    again.write_text(exported)
    assert shell.json("suppression", "import", str(again), "--workspace", "other")["added"] == 2
    shell.json("suppression", "remove", "bob@x.test", *here)
    assert "not on the list" in shell.refused("suppression", "remove", "bob@x.test", *here)


def test_suspending_and_going_on(shell):
    row = shell.json("suspend", "acme.test", "--sending", "--login", "--reason", "spam")
    assert (row["scope"], row["parts"], row["connections_ended"]) == ("domain", ["login", "sending"], False)
    assert [entry["subject"] for entry in shell.json("suspension", "list")] == ["acme.test"]
    assert shell.json("suspension", "list", "--workspace", "other") == []
    assert shell.json("unsuspend", "acme.test")["lifted"] == 1
    assert "is not suspended" in shell.refused("unsuspend", "acme.test")
    assert "choose at least one" in shell.refused("suspend", "acme.test", "--reason", "x")
    assert "say why" in shell.refused("suspend", "acme.test", "--sending", "--reason", " ")


def test_a_pause_is_confirmed(shell, acme):
    pause_service.pause(acme.database, account="ada@acme.test", anomaly=Anomaly(Kind.VOLUME, "much"), now=acme.now)
    assert [row["account"] for row in shell.json("pause", "list")] == ["ada@acme.test"]
    assert shell.json("pause", "confirm", "Ada@acme.test")["confirmed"] is True
    assert "not paused" in shell.refused("pause", "confirm", "ada@acme.test")


def test_the_audit_trail_says_who_and_why(shell):
    shell.json("suspend", "acme", "--sending", "--reason", "unpaid")
    shell.json("limits", "set", "other", "messages/hour", "1", "--reason", "trial")
    first, second = shell.json("audit", "list", "--limit", "2")
    assert (first["action"], second["action"]) == ("limit.set", "suspension.add")
    assert second["actor"].startswith("operator (")
    assert (second["source"], second["reason"], second["workspace"]) == ("command line", "unpaid", "acme")
    assert {entry["workspace"] for entry in shell.json("audit", "list", "--workspace", "acme")} == {"acme"}
    assert {entry["object"] for entry in shell.json("audit", "list", "--on", "workspace:other")} == {"workspace:other"}
    assert len(shell.json("audit", "list", "--limit", "1")) == 1


def test_jobs_around_sending_run_on_an_empty_service(database, tmp_path):
    shell = _shell(database, tmp_path)
    assert shell.json("jobs", "run", "warmup") == {
        "judged": 0,
        "advanced": 0,
        "stepped_back": 0,
        "held": 0,
        "graduated": 0,
    }
    assert shell.json("jobs", "run", "prune-sending") == {"limits": 0, "habits": 0, "days": 0}
    assert shell.json("jobs", "run", "watch-sending") == {"watched": 0, "paused": 0, "told": 0}
