"""`smailor audit`, `smailor api-key` and the jobs around them, as an operator runs them."""

import csv
import io
import json

import pytest
from click.testing import CliRunner
from cryptography.fernet import Fernet
from sqlalchemy import text

from smailor.accounts import audit
from smailor.accounts.audit import Actor
from smailor.cli import queue_file, smailor
from smailor.errors import TemporaryFailure
from webui.admin import queue


@pytest.fixture
def shell(database, tmp_path, monkeypatch):
    config = tmp_path / "smailor.toml"
    config.write_text(
        f'[service]\nhostname = "mx.smailor.test"\ndomain = "smailor.test"\n[database]\nurl = "{database.url}"\n'
        f'[secrets]\nsession_key = "{"s" * 40}"\nsealing_keys = ["{Fernet.generate_key().decode()}"]\n'
    )

    def run(*arguments, status=0):
        result = CliRunner().invoke(smailor, ["--config", str(config), *arguments])
        assert result.exit_code == status, result.output
        return result.stdout

    return run


def write(database, now, count=3):
    for number in range(count):
        audit.record(database, Actor("=ada", ""), action="a.b", on=f"x:{number}", workspace="acme", now=now)


def break_(database):
    with database.transaction() as session:
        if database.dialect == "sqlite":
            session.execute(text("DROP TRIGGER audit_entries_no_update"))
        else:
            session.execute(text("DROP TRIGGER audit_entries_only_added_to ON audit_entries"))
        session.execute(text("UPDATE audit_entries SET actor = 'eve' WHERE sequence = 2"))


def test_verify_says_the_head_and_then_what_is_broken(database, now, shell, tmp_path):
    write(database, now)
    kept = tmp_path / "head"
    found = json.loads(shell("audit", "verify", "--head-file", str(kept), "--json"))
    assert (found["whole"], found["entries"]) == (True, 3)
    assert kept.read_text() == found["head"] + "\n"
    shell("audit", "verify", "--expect", found["head"])
    shell("audit", "verify", "--expect", f"{'0' * 64}@2", status=1)
    shell("audit", "verify", "--expect", f"{'0' * 64}@9", status=1)
    shell("audit", "verify", "--expect", "rubbish", status=1)
    break_(database)
    assert "entry 2 was changed" in shell("audit", "verify", "--head-file", str(kept), status=1)
    assert kept.read_text() == found["head"] + "\n", "a broken trail's end is not kept"


def test_the_head_is_logged(database, now, shell):
    write(database, now)
    assert json.loads(shell("jobs", "run", "audit-head", "--json"))["head"].endswith("@3")


def test_the_trail_is_exported(database, now, shell):
    write(database, now)
    rows = [json.loads(line) for line in shell("audit", "export", "--workspace", "acme").splitlines()]
    assert [row["object"] for row in rows] == ["x:2", "x:1", "x:0"]
    table = list(csv.DictReader(io.StringIO(shell("audit", "export", "--format", "csv").lstrip("\ufeff"))))
    assert table[0]["actor"] == "'=ada"


def test_keys_are_listed_and_revoked(house, shell):
    house.workspace("acme")
    assert json.loads(shell("api-key", "list", "--workspace", "acme", "--json")) == []
    shell("api-key", "revoke", "1", "--workspace", "acme", status=1)


def test_a_person_made_or_given_a_password_by_command_is_an_entry(database, shell):
    shell("user", "add", "op@smailor.test", "--name", "Olga", "--operator")
    shell("user", "password", "op@smailor.test")
    found = [(entry.action, entry.object, entry.source) for entry in audit.entries(database)]
    assert found == [
        ("password.set", "account:op@smailor.test", "command line"),
        ("account.add", "account:op@smailor.test", "command line"),
    ]


def test_the_queue_is_written_down_for_the_console(tmp_path):
    line = {
        "queue_name": "deferred",
        "queue_id": "4abc",
        "arrival_time": 1_700_000_000,
        "message_size": 12,
        "sender": "ada@acme.test",
        "recipients": [{"address": "bob@there.test", "delay_reason": "connection refused"}],
    }
    source, file = tmp_path / "source", tmp_path / "queue.json"
    source.write_text(f"{json.dumps(line)}\nrubbish\n[]\n{{}}\n")
    assert queue_file.write(file, ("cat", str(source))) > 0
    assert file.stat().st_mode & 0o777 == 0o640
    found = queue.read(str(file))
    assert (found.counts, found.problem) == ((("deferred", 1),), "")
    assert (found.messages[0].sender_domain, found.messages[0].recipient_domains) == ("acme.test", ("there.test",))
    with pytest.raises(TemporaryFailure):
        queue_file.write(file, ("false",))
    assert queue.read(str(tmp_path / "gone")).problem
