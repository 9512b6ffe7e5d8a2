"""Wiring of the milters: `smailor-milter signing --config FILE`, `smailor-milter dmarc --config FILE`."""

import logging
import secrets
import time
from collections.abc import Callable
from pathlib import Path

import click

from milters import adapter, events
from milters.dmarc import DmarcTenant
from milters.forwarding import Forwarder, Routes
from milters.keys import KeyStore, SenderPrivacy, SenderRights
from milters.metrics import Meter
from milters.signing import SigningTenant
from milters.tenant import Tenant
from smailor import clock, log
from smailor.authentication import record_service
from smailor.authentication.recorder import EvaluationRecorder
from smailor.authentication.srs_secrets import srs_secrets
from smailor.authentication.trust import Trust
from smailor.config import Settings, load_settings
from smailor.database.engine import Database
from smailor.dns.counts import DnsCounts
from smailor.dns.resolver import Resolver
from smailor.domains import service as domains
from smailor.domains.sealing import Sealer
from smailor.domains.service_keys import service_key
from smailor.errors import ConfigError, SmailorError
from smailor.mailboxes import service as mailboxes
from smailor.mailboxes.routing import is_forwarded_outside

_LOG = logging.getLogger(__name__)


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
    name: str, path: Path | None, make_tenant: Callable[[Settings, Meter], Tenant], session: type[adapter.Session]
) -> None:
    try:
        settings = load_settings(path)
        log.set_up(settings.log.level, f"{name}-milter")
        adapter.serve(
            name,
            getattr(settings.milter, f"{name}_socket"),
            getattr(settings.milter, f"{name}_workers"),
            lambda meter: make_tenant(_read_anew(path, settings), meter),
            session=session,
            metrics=getattr(settings.milter, f"{name}_metrics"),
        )
    except SmailorError as error:
        raise SystemExit(f"smailor-milter: {error}") from error


def _read_anew(path: Path | None, known: Settings) -> Settings:
    """Return what a new worker goes by: the configuration as it is now, or the one before where that is broken."""
    try:
        return load_settings(path)
    except ConfigError as error:
        events.config_refused(_LOG, reason=str(error))
        return known


def _signing_tenant(settings: Settings, meter: Meter) -> SigningTenant:
    database = Database(settings.database.url)
    sealer = Sealer(settings.secrets.sealing_keys)
    keys = KeyStore(lambda domain: domains.signing_keys(database, domain=domain, sealer=sealer), time.monotonic)
    meter.watch(lambda: _key_numbers(keys))
    return SigningTenant(
        keys=keys,
        rights=SenderRights(
            lambda login, address: mailboxes.may_send_as(database, login=login, address=address), time.monotonic
        ),
        privacy=SenderPrivacy(lambda domain: domains.hides_clients(database, domain=domain), time.monotonic),
        hostname=settings.service.hostname,
        now=clock.now,
        draw_id=lambda: secrets.token_hex(16),
    )


def _dmarc_tenant(settings: Settings, meter: Meter) -> DmarcTenant:
    service, authentication = settings.service, settings.authentication
    database = Database(settings.database.url)
    authserv_id = authentication.authserv_id or service.hostname
    sealer = Sealer(settings.secrets.sealing_keys)
    keys = KeyStore(lambda name: (service_key(database, domain=name, sealer=sealer, now=clock.now()),), time.monotonic)
    resolver = Resolver(settings.dns.servers, settings.dns.timeout_seconds)
    recorder = EvaluationRecorder(lambda counts: record_service.record(database, counts, now=clock.now()))
    meter.watch(
        lambda: {
            **_key_numbers(keys),
            **_dns_numbers(resolver.counts),
            "evaluations_dropped_total": recorder.dropped,
        }
    )
    return DmarcTenant(
        resolver=resolver,
        seconds=authentication.message_timeout_seconds,
        authserv_id=authserv_id,
        hostname=service.hostname,
        trust=Trust.of(sealers=authentication.trusted_sealers, forwarders=authentication.known_forwarders),
        now=clock.now,
        forwarder=_forwarder(settings, database, authserv_id, keys),
        recorder=recorder,
    )


def _key_numbers(keys: KeyStore) -> dict[str, float]:
    return {"keys": len(keys), "key_failures_total": keys.failures}


def _dns_numbers(counts: DnsCounts) -> dict[str, float]:
    return {
        "dns_questions_total.cached": counts.cached,
        "dns_questions_total.answered": counts.answered,
        "dns_questions_total.failed": counts.failed,
        "dns_seconds_total": counts.seconds,
    }


def _forwarder(settings: Settings, database: Database, authserv_id: str, keys: KeyStore) -> Forwarder:
    domain, srs_domain = settings.service.domain, settings.service.forwarding_domain
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
