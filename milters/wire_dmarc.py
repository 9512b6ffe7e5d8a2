"""Wiring of the DMARC milter."""

import time

from milters.dmarc import DmarcTenant
from milters.forwarding import Forwarder, Routes
from milters.keys import KeyStore
from milters.metrics import Meter
from smailor import clock
from smailor.authentication import record_service
from smailor.authentication.recorder import EvaluationRecorder
from smailor.authentication.srs_secrets import srs_secrets
from smailor.authentication.trust import Trust
from smailor.config import Settings
from smailor.database.engine import Database
from smailor.dns.counts import DnsCounts
from smailor.dns.resolver import Resolver
from smailor.domains.service_keys import service_key
from smailor.mailboxes.routing import is_forwarded_outside
from smailor.sealing import Sealer


def make_tenant(settings: Settings, meter: Meter) -> DmarcTenant:
    """Return a worker's tenant."""
    service, authentication = settings.service, settings.authentication
    database = Database(settings.database.url)
    authserv_id = authentication.authserv_id or service.hostname
    sealer = Sealer(settings.secrets.sealing_keys)
    keys = KeyStore(lambda name: (service_key(database, domain=name, sealer=sealer, now=clock.now()),), time.monotonic)
    resolver = Resolver(settings.dns.servers, settings.dns.timeout_seconds)
    recorder = EvaluationRecorder(lambda counts: record_service.record(database, counts, now=clock.now()))
    meter.watch(
        lambda: {
            **keys.numbers(),
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
