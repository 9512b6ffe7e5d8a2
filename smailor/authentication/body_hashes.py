"""The body hashes that a message's signatures ask for, all computed in one pass while the body goes by.

Each canonicalisation is done once, each distinct hash is computed once, and nothing of the body is kept.
"""

import hashlib
from collections.abc import Sequence

from smailor.authentication.canonical import RelaxedBody, SimpleBody, Write


class BodyHash:
    """SHA-256 of a canonical body, or of its first octets.

    Attributes:
        limit: how many octets count (`l=`); None: all.
        octets: how long the canonical body is; known only where there is a limit.
    """

    __slots__ = ("_hash", "limit", "octets", "write")

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self.octets = 0
        self._hash = hashlib.sha256()
        self.write: Write = self._hash.update if limit is None else self._write_up_to_limit

    def digest(self) -> bytes:
        """Return the hash of what was written."""
        return self._hash.digest()

    def _write_up_to_limit(self, data: bytes | memoryview) -> None:
        room = (self.limit or 0) - self.octets
        if room > 0:
            self._hash.update(data[:room])
        self.octets += len(data)


class BodyHashes:
    """All hashes of one body: first every `wanted`, then every `feed`, then `finish`."""

    __slots__ = ("_bodies", "_finished", "_hashes")

    def __init__(self) -> None:
        self._hashes: dict[tuple[bool, int | None], BodyHash] = {}
        self._bodies: list[RelaxedBody | SimpleBody] | None = None
        self._finished = False

    def wanted(self, *, relaxed: bool, limit: int | None) -> BodyHash:
        """Ask for a hash, before the body comes; the same one twice is computed once.

        Args:
            relaxed: the canonicalisation.
            limit: octets of `l=`; None: the whole body.

        Returns:
            The hash, to be read after `finish`.
        """
        if self._bodies is not None:
            raise RuntimeError("the body has begun")
        return self._hashes.setdefault((relaxed, limit), BodyHash(limit))

    def feed(self, chunk: bytes) -> None:
        """Take the next octets of the body, CRLF line ends, cut anywhere."""
        for body in self._started():
            body.update(chunk)

    def finish(self) -> None:
        """End the body; ending it again does nothing."""
        if self._finished:
            return
        self._finished = True
        for body in self._started():
            body.finish()

    def _started(self) -> list[RelaxedBody | SimpleBody]:
        if self._bodies is None:
            self._bodies = []
            for relaxed in (True, False):
                writes = [found.write for (form, _), found in self._hashes.items() if form is relaxed]
                if writes:
                    self._bodies.append((RelaxedBody if relaxed else SimpleBody)(_to_all(writes)))
        return self._bodies


def _to_all(writes: Sequence[Write]) -> Write:
    if len(writes) == 1:
        return writes[0]

    def write(data: bytes | memoryview) -> None:
        for one in writes:
            one(data)

    return write
