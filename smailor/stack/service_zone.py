"""Publishes the service's own key in its zone of the small internet, as an operator would at a DNS provider."""

from datetime import datetime
from pathlib import Path

from smailor.config import Settings
from smailor.database.engine import Database
from smailor.domains import records
from smailor.domains.service_keys import service_records
from smailor.sealing import Sealer
from smailor.stack.internet_zones import replace_file

TTL_SECONDS = 1


def publish_service_key(database: Database, settings: Settings, zones: Path, *, now: datetime) -> None:
    """Add the records that forwarding wants to the service's zone; those that are there stay as they are.

    Args:
        database: where the key is kept.
        settings: of the service.
        zones: where zone files are dropped.
        now: the present moment.

    Raises:
        TemporaryFailure: the database does not answer.
    """
    service = settings.service
    names = records.ServiceNames(service.hostname, service.spf_include, service.postmaster)
    wanted = service_records(
        database,
        domain=service.domain,
        srs_domain=service.forwarding_domain,
        service_names=names,
        sealer=Sealer(settings.secrets.sealing_keys),
        now=now,
    )
    zone = zones / f"{service.domain}.zone"
    text = zone.read_text(encoding="utf-8")
    missing = [record for record in wanted if f"{record.name}. " not in text]
    replace_file(zone, text + records.zone_text(missing, ttl=TTL_SECONDS))
