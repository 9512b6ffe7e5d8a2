"""A DnsClient that answers from a table: for tests of whatever asks the DNS. No network, no cache, no dnspython."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from threading import Lock

from smailor.dns.answer import Answer, Outcome
from smailor.errors import TemporaryFailure

MAX_ALIASES = 16


class FakeResolver:
    """Answers what its table says, with the outcomes a real resolver would have.

    FakeResolver({("example.test", "MX"): ["10 mx.example.test"], ("example.test", "TXT"): ["v=spf1 -all"]})
    """

    def __init__(
        self,
        records: Mapping[tuple[str, str], Iterable[str | bytes]] | None = None,
        *,
        failing: Iterable[str] = (),
        authenticated: Iterable[str] = (),
        ttl: int = 300,
    ) -> None:
        """Make one.

        Args:
            records: (name, kind) to the records, in the form that `Answer.records` has; bytes for a TXT record as is.
            failing: names for which every question is a temporary failure.
            authenticated: names whose answers carry the AD flag.
            ttl: seconds, of every answer.
        """
        self._records: dict[tuple[str, str], tuple[str, ...]] = {}
        self._failing = {_plain(name) for name in failing}
        self._authenticated = {_plain(name) for name in authenticated}
        self._ttl = ttl
        self._lock = Lock()
        self.asked: list[tuple[str, str]] = []
        """Every question so far, in order."""
        for (name, kind), values in (records or {}).items():
            self.set(name, kind, values)

    def set(self, name: str, kind: str, values: Iterable[str | bytes]) -> None:
        """Replace the records of one name and kind; none at all removes them."""
        texts = tuple(v.decode("utf-8", "surrogateescape") if isinstance(v, bytes) else v for v in values)
        with self._lock:
            if texts:
                self._records[_plain(name), kind.upper()] = texts
            else:
                self._records.pop((_plain(name), kind.upper()), None)

    def query(self, name: str, kind: str) -> Answer:
        """Answer from the table; see DnsClient.query."""
        asked, kind = _plain(name), kind.upper()
        with self._lock:
            self.asked.append((asked, kind))
            owner = asked
            for _ in range(MAX_ALIASES):
                if owner in self._failing:
                    raise TemporaryFailure(f"DNS gave no answer for {asked} {kind}: told to fail")
                found = self._records.get((owner, kind))
                alias = self._records.get((owner, "CNAME"))
                if found is not None or alias is None:
                    break
                owner = _plain(alias[0])
            else:
                raise TemporaryFailure(f"DNS gave no answer for {asked} {kind}: aliases go in a circle")
            exists = any(known == owner or known.endswith(f".{owner}") for known, _ in self._records)
        if found is None:
            outcome = Outcome.NO_DATA if exists else Outcome.NO_SUCH_NAME
            return Answer(asked, kind, outcome, (), self._ttl)
        return Answer(asked, kind, Outcome.OK, found, self._ttl, asked in self._authenticated)


def _plain(name: str) -> str:
    return name.rstrip(".").lower()
