"""The signing keys, sender rights and wishes for privacy that the signing milter goes by: read from the database,
remembered shortly.

A change counts within `FRESH_SECONDS` on every host, without anybody telling anybody. A key that is there but cannot be
used is an alert and a temporary failure, never a reason to let mail leave unsigned. Used by many threads at once: the
worst that a race does is to ask the database twice.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from milters import events
from smailor.authentication.dkim import SigningIdentity, load_private_key
from smailor.domains.signing_keys import SigningKey
from smailor.errors import InvalidInput, TemporaryFailure

FRESH_SECONDS = 1.5
"""Below the two seconds that are promised, with room for a slow answer."""
MAX_REMEMBERED = 20_000
"""Entries; when there are more, all are forgotten and asked for again."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Known:
    stored: tuple[SigningKey, ...]
    identities: tuple[SigningIdentity, ...]
    asked_at: float


class KeyStore:
    """Parsed signing keys by domain.

    Args:
        load: returns a domain's current keys, one an algorithm, none where it is not ours; raises TemporaryFailure.
        monotonic: seconds of a clock that only moves forward.

    Attributes:
        failures: how often a key could not be had, for metrics.
    """

    def __init__(self, load: Callable[[str], tuple[SigningKey, ...]], monotonic: Callable[[], float]) -> None:
        self.failures = 0
        self._load = load
        self._monotonic = monotonic
        self._known: dict[str, _Known] = {}

    def numbers(self) -> dict[str, float]:
        """Return what metrics tell of it (see `milters.metrics`)."""
        return {"keys": len(self._known), "key_failures_total": self.failures}

    def identities(self, domain: str) -> tuple[SigningIdentity, ...]:
        """Return what to sign with for a domain (A-labels, lower case): nothing where it is not ours or has no key.

        Raises:
            TemporaryFailure: the key cannot be read now, or is unusable.
        """
        now = self._monotonic()
        known = self._known.get(domain)
        if known is not None and now - known.asked_at < FRESH_SECONDS:
            return known.identities
        try:
            stored = self._load(domain)
            unchanged = known is not None and known.stored == stored
            identities = known.identities if known is not None and unchanged else tuple(map(_identity, stored))
        except TemporaryFailure as error:
            events.key_unreadable(_LOG, domain, error)
            self.failures += 1
            raise
        if not stored:
            self._known.pop(domain, None)
            return ()
        if len(self._known) >= MAX_REMEMBERED:
            self._known.clear()
        self._known[domain] = _Known(stored, identities, now)
        return identities

    def missing(self, domain: str) -> TemporaryFailure:
        """Tell the operator that a domain of ours has no key, and return what its mail waits for."""
        error = TemporaryFailure(f"{domain} has no signing key")
        events.key_unreadable(_LOG, domain, error)
        self.failures += 1
        return error


class SenderRights:
    """Who may send as what. Only an account's right to its own address is remembered: whatever else was given or taken
    away counts from the next message on.

    Args:
        may_send_as: answers for a login and an address; raises TemporaryFailure.
        monotonic: seconds of a clock that only moves forward.
    """

    def __init__(self, may_send_as: Callable[[str, str], bool], monotonic: Callable[[], float]) -> None:
        self._may_send_as = may_send_as
        self._monotonic = monotonic
        self._allowed_at: dict[tuple[str, str], float] = {}

    def may_send_as(self, login: str, address: str) -> bool:
        """Tell whether the login may send as the address.

        Raises:
            TemporaryFailure: it cannot be known now.
        """
        now = self._monotonic()
        allowed_at = self._allowed_at.get((login, address))
        if allowed_at is not None and now - allowed_at < FRESH_SECONDS:
            return True
        if not self._may_send_as(login, address):
            self._allowed_at.pop((login, address), None)
            return False
        if address == login:
            if len(self._allowed_at) >= MAX_REMEMBERED:
                self._allowed_at.clear()
            self._allowed_at[login, address] = now
        return True


class SenderPrivacy:
    """Which domains' mail hides where it was sent from.

    Args:
        hides_clients: answers for a domain; raises TemporaryFailure.
        monotonic: seconds of a clock that only moves forward.
    """

    def __init__(self, hides_clients: Callable[[str], bool], monotonic: Callable[[], float]) -> None:
        self._hides_clients = hides_clients
        self._monotonic = monotonic
        self._known: dict[str, tuple[bool, float]] = {}

    def hides_client(self, domain: str) -> bool:
        """Tell whether mail from a domain (A-labels, lower case) says nothing of its client.

        Raises:
            TemporaryFailure: it cannot be known now.
        """
        now = self._monotonic()
        hides, asked_at = self._known.get(domain, (True, now - FRESH_SECONDS))
        if now - asked_at < FRESH_SECONDS:
            return hides
        hides = self._hides_clients(domain)
        if len(self._known) >= MAX_REMEMBERED:
            self._known.clear()
        self._known[domain] = hides, now
        return hides


def _identity(stored: SigningKey) -> SigningIdentity:
    try:
        # Its numbers were checked when it was made; checking again takes 32 ms (RSA-2048).
        key = load_private_key(stored.private_key_pem, validate=False)
    except InvalidInput as error:
        raise TemporaryFailure(f"the signing key of {stored.domain} cannot be used ({error})") from error
    return SigningIdentity(stored.domain, stored.selector, key)
