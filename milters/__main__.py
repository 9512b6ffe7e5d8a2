"""Wiring of the milters: `smailor-milter signing --config FILE`, `smailor-milter dmarc --config FILE`."""

import secrets
import time
from collections.abc import Callable
from pathlib import Path

import click

from milters import adapter
from milters.dmarc import DmarcTenant
from milters.forwarding import Forwarder, Routes
from milters.keys import KeyStore, SenderPrivacy, SenderRights
from milters.signing import SigningTenant
from milters.tenant import Tenant
from smailor import clock, log
from smailor.authentication import record_service
from smailor.authentication.recorder import EvaluationRecorder
from smailor.authentication.srs_secrets import srs_secrets
from smailor.authentication.trust import Trust
from smailor.config import Settings, load_settings
from smailor.database.engine import Database
from smailor.dns.resolver import Resolver
from smailor.domains import service as domains
from smailor.domains.sealing import Sealer
from smailor.domains.service_keys import service_key
from smailor.errors import SmailorError
from smailor.mailboxes import service as mailboxes
from smailor.mailboxes.routing import is_forwarded_outside


@click.group()
def main() -> None:
    """Milters of the mail service, each a process beside Postfix."""


_CONFIG = click.option(
    "--config", "path", type=click.Path(path_type=Path), help="TOML file; default $SMAILOR_CONFIG or /etc/smailor."
)


@main.command()
@_CONFIG
def signing(path: Path | None) -> None:
    """Judge the From of submitted mail and sign it; for submission and non-SMTP mail only."""
    _serve("signing", path, _signing_tenant, adapter.ContentSession)


@main.command()
@_CONFIG
def dmarc(path: Path | None) -> None:
    """Check SPF, DKIM, ARC and DMARC of mail from outside; for port 25 only."""
    _serve("dmarc", path, _dmarc_tenant, adapter.ArrivalSession)


def _serve(
    name: str, path: Path | None, make_tenant: Callable[[Settings], Tenant], session: type[adapter.Session]
) -> None:
    try:
        settings = load_settings(path)
        log.set_up(settings.log.level, f"{name}-milter")
        adapter.serve(
            name,
            getattr(settings.milter, f"{name}_socket"),
            getattr(settings.milter, f"{name}_workers"),
            lambda: make_tenant(settings),
            session=session,
        )
    except SmailorError as error:
        raise SystemExit(f"smailor-milter: {error}") from error


def _signing_tenant(settings: Settings) -> SigningTenant:
    database = Database(settings.database.url)
    sealer = Sealer(settings.secrets.sealing_keys)
    return SigningTenant(
        keys=KeyStore(lambda domain: domains.signing_keys(database, domain=domain, sealer=sealer), time.monotonic),
        rights=SenderRights(
            lambda login, address: mailboxes.may_send_as(database, login=login, address=address), time.monotonic
        ),
        privacy=SenderPrivacy(lambda domain: domains.hides_clients(database, domain=domain), time.monotonic),
        hostname=settings.service.hostname,
        now=clock.now,
        draw_id=lambda: secrets.token_hex(16),
    )


def _dmarc_tenant(settings: Settings) -> DmarcTenant:
    service, authentication = settings.service, settings.authentication
    database = Database(settings.database.url)
    authserv_id = authentication.authserv_id or service.hostname
    return DmarcTenant(
        resolver=Resolver(settings.dns.servers, settings.dns.timeout_seconds),
        seconds=authentication.message_timeout_seconds,
        authserv_id=authserv_id,
        hostname=service.hostname,
        trust=Trust.of(sealers=authentication.trusted_sealers, forwarders=authentication.known_forwarders),
        now=clock.now,
        forwarder=_forwarder(settings, database, authserv_id),
        recorder=EvaluationRecorder(lambda counts: record_service.record(database, counts, now=clock.now())),
    )


def _forwarder(settings: Settings, database: Database, authserv_id: str) -> Forwarder:
    domain, srs_domain = settings.service.domain, settings.service.forwarding_domain
    sealer = Sealer(settings.secrets.sealing_keys)
    keys = KeyStore(lambda name: (service_key(database, domain=name, sealer=sealer, now=clock.now()),), time.monotonic)
    return Forwarder(
        routes=Routes(
            lambda recipient: is_forwarded_outside(database, recipient=recipient),
            srs_domain=srs_domain,
            monotonic=time.monotonic,
        ),
        identity=lambda: keys.identities(domain)[0],
        authserv_id=authserv_id,
        srs_domain=srs_domain,
        srs_secret=srs_secrets(settings.secrets.sealing_keys)[0],
        now=clock.now,
    )


if __name__ == "__main__":
    main()
