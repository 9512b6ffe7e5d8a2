"""`smailor-secrets …`: the service's secrets for Ansible, generated here and kept in a file that ansible-vault locks.

Runs on the operator's computer, beside the playbooks. A secret in the clear is never written to a disk, never printed,
and never handed over on a command line. A file that is there is never overwritten by `init`.
"""

import os
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path

import click
import yaml
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

DEFAULT_FILE = Path("ansible/inventories/production/group_vars/smailor/vault.yml")
SEALING_KEYS = "vault_smailor_sealing_keys"
ROTATED = (
    "vault_smailor_session_key",
    "vault_doveadm_api_key",
    "vault_rspamd_controller_password",
    "vault_postgresql_owner_password",
    "vault_postgresql_reader_password",
)
"""Replaced by `rotate`. The next run of site.yml brings them to every program that knows them."""
KEPT = ("vault_backup_password",)
"""Never replaced: what is in the backup's repository can be read with this one only."""
PASSWORD_VARIABLE = "ANSIBLE_VAULT_PASSWORD_FILE"  # noqa: S105 - the variable's name
BACKUP_KEY = "vault_backup_ssh_key"
"""Kept, too: the backup's target knows its public half, so a server made anew can restore."""

_BYTES = 32
_VAULT_SECONDS = 60

Values = dict[str, str | list[str]]


def generate() -> Values:
    """Every secret of a new service. Passwords are letters and digits: safe in every configuration and URL."""
    values: Values = {name: secrets.token_hex(_BYTES) for name in (*ROTATED, *KEPT)}
    values[BACKUP_KEY] = (
        Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode("ascii")
    )
    values[SEALING_KEYS] = [Fernet.generate_key().decode("ascii")]
    return values


def rotate(values: Values) -> Values:
    """The values with fresh secrets. The new sealing key goes first, the old ones stay: they open what they sealed."""
    fresh = generate()
    result = {**values, **{name: fresh[name] for name in ROTATED}}
    result[SEALING_KEYS] = [*fresh[SEALING_KEYS], *values.get(SEALING_KEYS, [])]
    return {**{name: fresh[name] for name in (*KEPT, BACKUP_KEY)}, **result}


def _vault(arguments: list[str], text: str, password_file: Path) -> str:
    program = shutil.which("ansible-vault")
    if program is None:
        raise click.ClickException("ansible-vault is not on this computer's PATH: pip install ansible-core")
    command = [program, *arguments, "--vault-password-file", str(password_file)]
    # The variable as well as the option would count as two passwords, and ansible-vault would not know which to take.
    environment = {name: value for name, value in os.environ.items() if name != PASSWORD_VARIABLE}
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, timeout=_VAULT_SECONDS, check=False, env=environment
    )
    if done.returncode != 0:
        raise click.ClickException(" ".join(done.stderr.split()))
    return done.stdout


def _encrypted(values: Values, password_file: Path) -> str:
    heading = "# Secrets of the service, made by smailor-secrets. See and change: ansible-vault edit THIS-FILE.\n"
    text = "---\n" + heading + yaml.safe_dump(values, sort_keys=True, default_flow_style=False)
    return _vault(["encrypt", "--output", "-"], text, password_file)


def _replace(file: Path, text: str) -> None:
    """Put the whole new file in the old one's place, or leave that as it is."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "w", encoding="ascii") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _make_password(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as stream:
        stream.write(secrets.token_urlsafe(_BYTES) + "\n")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def smailor_secrets() -> None:
    """Make and renew the secrets that the playbooks hand to the servers."""


_file = click.option(
    "--file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=DEFAULT_FILE,
    show_default=True,
    help="The encrypted file.",
)
_password_file = click.option(
    "--vault-password-file",
    "password_file",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar=PASSWORD_VARIABLE,
    required=True,
    help="File with the password that encrypts it (also ANSIBLE_VAULT_PASSWORD_FILE).",
)


@smailor_secrets.command()
@_file
@_password_file
def init(file: Path, password_file: Path) -> None:
    """Write every secret of a new service, encrypted; make the password file where there is none."""
    if file.exists():
        raise click.ClickException(f"{file} is there already and stays as it is; `smailor-secrets rotate` renews it")
    if not password_file.exists():
        _make_password(password_file)
        click.echo(f"{password_file}: made. Keep a copy apart from the servers: nothing can be read without it.")
    text = _encrypted(generate(), password_file)
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        # Exclusive: two runs at once must not leave servers with the one's secrets and the file with the other's.
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as stream:
            stream.write(text)
    except FileExistsError as error:
        raise click.ClickException(f"{file} is there already and stays as it is") from error
    click.echo(f"{file}: written, encrypted.")


@smailor_secrets.command("rotate")
@_file
@_password_file
def rotate_command(file: Path, password_file: Path) -> None:
    """Replace the secrets that can be replaced; rotate-secrets.yml brings them to the servers."""
    if not file.exists():
        raise click.ClickException(f"{file} is not there; `smailor-secrets init` makes it")
    values = yaml.safe_load(_vault(["decrypt", "--output", "-"], file.read_text(encoding="ascii"), password_file))
    if not isinstance(values, dict):
        raise click.ClickException(f"{file} holds no secrets")
    _replace(file, _encrypted(rotate(values), password_file))
    click.echo(f"{file}: secrets renewed, encrypted. Old sealing keys are kept: they open what they have sealed.")


def main() -> None:
    """Entry point of the console script."""
    smailor_secrets(prog_name="smailor-secrets")
