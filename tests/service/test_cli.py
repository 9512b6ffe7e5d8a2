"""The operator's commands, run as a shell runs them: exit codes, standard output, standard error."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.fernet import Fernet
from sqlalchemy import text

from smailor.cli import smailor
from smailor.database.engine import Database


class Shell:
    """Runs `smailor` with a configuration of the test's own, within this process: the same entry point, sooner."""

    def __init__(self, config: Path) -> None:
        self.config = config

    def run(self, *arguments: str, given: str = "", **environ: str) -> Result:
        return CliRunner().invoke(smailor, arguments, input=given, env={"SMAILOR_CONFIG": str(self.config), **environ})

    def json(self, *arguments: str, given: str = ""):
        done = self.run(*arguments, "--json", given=given)
        assert done.exit_code == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def shell(database: Database, tmp_path: Path) -> Shell:
    config = tmp_path / "smailor.toml"
    config.write_text(
        f"""
[service]
hostname = "mx.smailor.test"
domain = "smailor.test"
spf_include = "_spf.smailor.test"

[database]
url = "{database.url}"

[secrets]
session_key = "{"k" * 40}"
sealing_keys = ["{Fernet.generate_key().decode()}"]
"""
    )
    return Shell(config)


def test_a_tenant_is_set_up_from_the_command_line(shell):
    """Everything from the workspace to the app password, each answer usable by the next program."""
    assert shell.json("workspace", "add", "acme", "--name", "Acme GmbH")["slug"] == "acme"
    person = shell.json("user", "add", "ada@acme.test", "--name", "Ada")
    assert len(person["password"]) > 30
    shell.json("workspace", "add-member", "acme", "ada@acme.test", "--role", "owner")
    assert shell.json("workspace", "members", "acme") == [
        {"email": "ada@acme.test", "name": "Ada", "role": "owner", "domains": []}
    ]
    domain = shell.json("domain", "add", "Acme.TEST", "--workspace", "acme")
    assert (domain["name"], domain["verified_at"]) == ("acme.test", None)
    records = shell.json("domain", "records", "acme.test", "--workspace", "acme")
    assert {record["kind"] for record in records} == {"TXT", "MX"}
    inbox = shell.json(
        "inbox", "add", "ada@acme.test", "--workspace", "acme", "--name", "Ada", "--reader", "ada@acme.test"
    )
    assert inbox["address"] == "ada@acme.test"
    secret = shell.json("app-password", "add", "ada@acme.test", "--workspace", "acme", "--label", "phone")
    listed = shell.json("app-password", "list", "ada@acme.test", "--workspace", "acme")
    assert [entry["label"] for entry in listed] == ["phone"]
    assert secret["secret"] not in json.dumps(listed)
    shell.json("app-password", "revoke", "ada@acme.test", str(secret["id"]), "--workspace", "acme")
    assert shell.json("app-password", "list", "ada@acme.test", "--workspace", "acme") == []
    shell.json("alias", "add", "info@acme.test", "ada@acme.test", "--workspace", "acme")
    assert [entry["source"] for entry in shell.json("alias", "list", "--workspace", "acme")] == ["info@acme.test"]
    shell.json("alias", "delete", "info@acme.test", "--workspace", "acme")
    shell.json("inbox", "delete", "ada@acme.test", "--workspace", "acme")
    assert shell.json("inbox", "list") == []


def test_rights_to_send_and_privacy_are_set_from_the_command_line(shell, database):
    here = ("--workspace", "acme")
    shell.json("workspace", "add", "acme", "--name", "Acme GmbH")
    shell.json("domain", "add", "acme.test", *here)
    for name in ("ada", "boss"):
        shell.json("inbox", "add", f"{name}@acme.test", *here, "--name", name)
    refused = shell.run("inbox", "allow", "ada@acme.test", "--as", "@acme.test", *here)
    assert (refused.exit_code, refused.stderr) == (
        1,
        "smailor: acme.test is not verified yet, so nobody sends as it\n",
    )
    with database.transaction() as session:
        session.execute(text("UPDATE domains SET verified_at = created_at"))
    for sender in ("boss@acme.test", "@acme.test"):
        right = shell.json("inbox", "allow", "ada@acme.test", "--as", sender, *here)
        assert (right["login"], right["sender"]) == ("ada@acme.test", sender)
    listed = shell.json("inbox", "rights", *here)
    assert [entry["sender"] for entry in listed] == ["@acme.test", "boss@acme.test"]
    assert shell.json("inbox", "rights", "boss@acme.test", *here) == []
    shell.json("inbox", "disallow", "ada@acme.test", "--as", "@acme.test", *here)
    assert [entry["sender"] for entry in shell.json("inbox", "rights", "ada@acme.test", *here)] == ["boss@acme.test"]
    assert shell.json("workspace", "set", "acme", "--sender-privacy", "off")["sender_privacy"] is False
    assert [entry["sender_privacy"] for entry in shell.json("workspace", "list")] == [False]


def test_the_zone_file_lists_every_wanted_record(shell):
    shell.json("workspace", "add", "acme", "--name", "Acme GmbH")
    shell.json("domain", "add", "acme.test", "--workspace", "acme")
    zone = shell.run("domain", "records", "acme.test", "--workspace", "acme", "--zone").stdout.splitlines()
    assert len(zone) == len(shell.json("domain", "records", "acme.test", "--workspace", "acme"))
    assert "acme.test. 3600 IN MX 10 mx.smailor.test." in zone


def test_the_service_s_own_records_are_listed_and_stay(shell):
    """The key that seals forwarded mail is made by whoever asks first."""
    zone = shell.run("domain", "service-records", "--zone").stdout
    assert "srs.smailor.test. 3600 IN MX 10 mx.smailor.test." in zone
    assert "-service._domainkey.smailor.test. " in zone
    assert shell.run("domain", "service-records", "--zone").stdout == zone
    assert {record["kind"] for record in shell.json("domain", "service-records")} == {"MX", "TXT"}


def test_a_given_password_is_read_from_standard_input_and_not_shown(shell):
    done = shell.run("user", "add", "a@b.test", "--name", "A", "--password-stdin", given="correct horse battery\n")
    assert done.exit_code == 0
    assert "correct horse" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("user", "add", "nonsense", "--name", "A"), "smailor: address: an address looks like name@example.com\n"),
        (("workspace", "members", "nowhere"), "smailor: there is no workspace nowhere\n"),
        (
            ("inbox", "add", "a@b.test", "--workspace", "nowhere", "--name", "A"),
            "smailor: there is no workspace nowhere\n",
        ),
    ],
)
def test_a_refusal_is_one_line_and_exit_code_1(shell, arguments, complaint):
    done = shell.run(*arguments)
    assert (done.exit_code, done.stderr, done.stdout) == (1, complaint, "")


def test_an_unusable_configuration_names_file_line_and_key(shell):
    shell.config.write_text(shell.config.read_text() + '\n[sending]\nmessages_per_hour = "many"\n')
    lines = shell.config.read_text().splitlines()
    done = subprocess.run(
        [Path(sys.executable).with_name("smailor"), "user", "list"],
        env={**os.environ, "SMAILOR_CONFIG": str(shell.config)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert f"smailor.toml:{len(lines)}: sending.messages_per_hour: expected int, got str" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_that_is_down_or_empty_is_said_in_one_line(shell, tmp_path):
    down = shell.run("user", "list", SMAILOR_DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    assert (down.exit_code, down.stderr.count("\n")) == (1, 1)
    assert "the database does not answer" in down.stderr
    empty = shell.run("user", "list", SMAILOR_DATABASE_URL=f"sqlite:///{tmp_path}/empty.db")
    assert (empty.exit_code, empty.stderr.count("\n")) == (1, 1)
    assert "run smailor database upgrade" in empty.stderr


def test_jobs_can_run_again_and_again(shell):
    assert shell.json("jobs", "run", "prune-tokens") == shell.json("jobs", "run", "prune-tokens")
    assert shell.run("jobs", "run", "no-such-job").exit_code == 2


def test_the_operator_sees_to_members_and_to_workspaces_that_go(shell):
    shell.json("workspace", "add", "acme", "--name", "Acme")
    for person in ("ada", "bob"):
        shell.run("user", "add", f"{person}@acme.test", "--name", person.title())
        shell.json("workspace", "add-member", "acme", f"{person}@acme.test", "--role", "owner")
    shell.json("domain", "add", "acme.test", "--workspace", "acme")
    given = shell.json("workspace", "domain-admin", "acme", "bob@acme.test", "--domain", "acme.test")
    assert given["domains"] == ["acme.test"]
    assert "no domain" in shell.run("workspace", "domain-admin", "acme", "bob@acme.test", "--domain", "b.test").stderr
    assert shell.json("workspace", "remove-member", "acme", "bob@acme.test")["email"] == "bob@acme.test"
    assert "at least one owner" in shell.run("workspace", "remove-member", "acme", "ada@acme.test").stderr
    assert shell.json("workspace", "set", "acme", "--name", "Acme AG")["name"] == "Acme AG"
    assert shell.json("workspace", "delete", "acme")["delete_after"]
    assert shell.json("jobs", "run", "delete-workspaces") == {"deleted": 0, "kept": 0, "waiting": 0, "inboxes": 0}
    assert shell.json("workspace", "keep", "acme")["delete_after"] is None
    assert {row["role"] for row in shell.json("workspace", "roles")} >= {"owner", "billing", "read-only"}
