"""`smailor-secrets` with the real ansible-vault: what is on disk can be read with the password only."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from smailor.cli import secrets


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    monkeypatch.setenv("ANSIBLE_HOME", str(tmp_path / "ansible"))
    return tmp_path / "group_vars" / "vault.yml", tmp_path / "keys" / "vault-password"


def run(command, place):
    file, password = place
    arguments = [command, "--file", str(file), "--vault-password-file", str(password)]
    return CliRunner().invoke(secrets.smailor_secrets, arguments)


def read(place):
    file, password = place
    command = ["ansible-vault", "decrypt", "--output", "-", "--vault-password-file", str(password)]
    done = subprocess.run(command, input=file.read_text(), capture_output=True, text=True, check=True)
    return yaml.safe_load(done.stdout)


def test_init_writes_every_secret_encrypted(place):
    result = run("init", place)
    assert result.exit_code == 0, result.output
    file, password = place
    assert file.read_text().startswith("$ANSIBLE_VAULT;1.")
    assert stat.S_IMODE(file.stat().st_mode) == stat.S_IMODE(password.stat().st_mode) == 0o600
    values = read(place)
    assert set(values) == {*secrets.ROTATED, *secrets.KEPT, secrets.SEALING_KEYS, secrets.BACKUP_KEY}
    assert all(len(values[name]) >= 32 for name in secrets.ROTATED)
    assert not any(str(value) in result.output for value in values.values())


def test_init_never_overwrites(place):
    assert run("init", place).exit_code == 0
    before = place[0].read_bytes()
    again = run("init", place)
    assert again.exit_code == 1
    assert "stays as it is" in again.output
    assert place[0].read_bytes() == before


def test_rotation_replaces_passwords_and_keeps_what_opens_old_data(place):
    run("init", place)
    old = read(place)
    result = run("rotate", place)
    assert result.exit_code == 0, result.output
    new = read(place)
    assert all(new[name] != old[name] for name in secrets.ROTATED)
    assert all(new[name] == old[name] for name in (*secrets.KEPT, secrets.BACKUP_KEY))
    assert new[secrets.SEALING_KEYS][1:] == old[secrets.SEALING_KEYS]


def test_a_wrong_password_leaves_the_file_as_it_was(place):
    run("init", place)
    before = place[0].read_bytes()
    place[1].write_text("another\n")
    assert run("rotate", place).exit_code == 1
    assert place[0].read_bytes() == before


def test_the_inventories_examples_name_every_secret():
    for example in Path("ansible/inventories").glob("*/group_vars/smailor/vault.yml.example"):
        assert set(yaml.safe_load(example.read_text())) <= set(secrets.generate()), example


def test_the_password_file_may_be_named_by_ansibles_own_variable(place, monkeypatch):
    file, password = place
    monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", str(password))
    for command in ("init", "rotate"):
        result = CliRunner().invoke(secrets.smailor_secrets, [command, "--file", str(file)])
        assert result.exit_code == 0, result.output
    monkeypatch.delenv("ANSIBLE_VAULT_PASSWORD_FILE")
    assert set(read(place)) >= set(secrets.ROTATED)
