"""Wiring of the milters: `smailor-milter signing --config FILE`."""

import secrets
import time
from pathlib import Path

import click

from milters import adapter
from milters.keys import KeyStore, SenderRights
from milters.signing import SigningTenant
from smailor import clock, log
from smailor.config import Settings, load_settings
from smailor.database.engine import Database
from smailor.domains import service as domains
from smailor.domains.sealing import Sealer
from smailor.errors import SmailorError
from smailor.mailboxes import service as mailboxes


@click.group()
def main() -> None:
    """Milters of the mail service, each a process beside Postfix."""


@main.command()
@click.option(
    "--config", "path", type=click.Path(path_type=Path), help="TOML file; default $SMAILOR_CONFIG or /etc/smailor."
)
def signing(path: Path | None) -> None:
    """Judge the From of submitted mail and sign it; for submission and non-SMTP mail only."""
    try:
        settings = load_settings(path)
        log.set_up(settings.log.level, "signing-milter")
        adapter.serve(
            "signing",
            settings.milter.signing_socket,
            settings.milter.signing_workers,
            lambda: _signing_tenant(settings),
        )
    except SmailorError as error:
        raise SystemExit(f"smailor-milter: {error}") from error


def _signing_tenant(settings: Settings) -> SigningTenant:
    database = Database(settings.database.url)
    sealer = Sealer(settings.secrets.sealing_keys)
    return SigningTenant(
        keys=KeyStore(lambda domain: domains.signing_key(database, domain=domain, sealer=sealer), time.monotonic),
        rights=SenderRights(
            lambda login, address: mailboxes.may_send_as(database, login=login, address=address), time.monotonic
        ),
        now=clock.now,
        draw_id=lambda: secrets.token_hex(16),
    )


if __name__ == "__main__":
    main()
