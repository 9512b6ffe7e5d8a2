"""Wiring of the signing milter. It asks the database straight through its driver and imports nothing that it need not:
its memory is what it imports.
"""

import secrets
import time

from milters.keys import KeyStore, SenderPrivacy, SenderRights
from milters.metrics import Meter
from milters.signing import SigningTenant
from smailor import clock
from smailor.config import Settings
from smailor.database.reader import Reader
from smailor.domains.signing_keys import hides_clients, signing_keys
from smailor.mailboxes.may_send import may_send_as
from smailor.sealing import Sealer


def make_tenant(settings: Settings, meter: Meter) -> SigningTenant:
    """Return a worker's tenant."""
    reader = Reader(settings.database.url)
    sealer = Sealer(settings.secrets.sealing_keys)
    keys = KeyStore(lambda domain: signing_keys(reader, domain=domain, sealer=sealer), time.monotonic)
    meter.watch(keys.numbers)
    return SigningTenant(
        keys=keys,
        rights=SenderRights(lambda login, address: may_send_as(reader, login=login, address=address), time.monotonic),
        privacy=SenderPrivacy(lambda domain: hides_clients(reader, domain=domain), time.monotonic),
        hostname=settings.service.hostname,
        now=clock.now,
        draw_id=lambda: secrets.token_hex(16),
    )
