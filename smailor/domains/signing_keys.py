"""The keys that sign a domain's mail, as the milters ask for them again and again: plain questions, no tables here."""

from dataclasses import dataclass

from smailor.accounts.sender_privacy import hides_clients_of
from smailor.database.reader import Rows
from smailor.domains.dkim_keys import Algorithm
from smailor.sealing import Sealer

_KEYS = """
SELECT dkim_keys.algorithm, dkim_keys.selector, dkim_keys.private_key_sealed
FROM dkim_keys JOIN domains ON domains.id = dkim_keys.domain_id
WHERE domains.name = :domain AND domains.verified_at IS NOT NULL ORDER BY dkim_keys.id
"""
_OWNER = "SELECT workspace_id FROM domains WHERE name = :domain AND verified_at IS NOT NULL"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that signs a verified domain's mail."""

    domain: str
    selector: str
    algorithm: Algorithm
    private_key_pem: str


def signing_keys(database: Rows, *, domain: str, sealer: Sealer) -> tuple[SigningKey, ...]:
    """Return the newest key of each algorithm of a verified domain, none where there is no such domain or no key.

    Raises:
        TemporaryFailure: the database does not answer, or a key cannot be unsealed.
    """
    newest = {algorithm: (selector, sealed) for algorithm, selector, sealed in database.rows(_KEYS, {"domain": domain})}
    return tuple(
        SigningKey(domain, selector, Algorithm(algorithm), sealer.unseal(sealed))
        for algorithm, (selector, sealed) in newest.items()
    )


def signing_key(database: Rows, *, domain: str, sealer: Sealer) -> SigningKey | None:
    """Return the newest RSA key of a verified domain (ARC knows no other), or None; errors as in `signing_keys`."""
    keys = signing_keys(database, domain=domain, sealer=sealer)
    return next((key for key in keys if key.algorithm is Algorithm.RSA), None)


def hides_clients(database: Rows, *, domain: str) -> bool:
    """Tell whether mail from a verified domain hides where its author sent it from: as its workspace wants it.

    Raises:
        TemporaryFailure: the database does not answer.
    """
    owners = database.rows(_OWNER, {"domain": domain})
    return not owners or hides_clients_of(database, workspace_id=owners[0][0])
