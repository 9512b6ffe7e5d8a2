"""SRS: the envelope sender of a forwarded message, rewritten so that SPF passes and bounces find their way back.

The Sender Rewriting Scheme as libsrs2 and postsrsd have it: `SRS0=hash=day=domain=local@forwarder`, and for what
another forwarder rewrote already `SRS1=hash=first-forwarder==its-part@forwarder`, which goes straight back to that one.
The hash is keyed, so that nobody else can make addresses that we would relay for, and a day limits their life. Pure:
which sender is forwarded through which domain is not decided here.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from smailor.errors import InvalidInput

LIFETIME = timedelta(days=21)
"""Longer than any queue keeps a message, its bounce and the clocks' difference."""
MAX_ADDRESS = 254
"""Octets of an envelope address (RFC 5321 section 4.5.3.1.3, erratum 1690)."""

_HASH_CHARACTERS = 8
"""Of base32, 40 bits: the local part may lose its case on the way, and 64 octets are few."""
_DAYS = 1024
_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_SEPARATORS = "=+-"
_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]+"
_ATOM = re.compile(rf"{_ATEXT}(?:\.{_ATEXT})*\Z")
_LABEL = r"[A-Za-z0-9_\u0080-\U0010ffff](?:[A-Za-z0-9_\u0080-\U0010ffff-]*[A-Za-z0-9_\u0080-\U0010ffff])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def forward(sender: str, *, domain: str, secret: bytes, now: datetime) -> str:
    """Return the envelope sender under which a message is forwarded.

    Args:
        sender: the envelope sender that it came with; empty for a bounce, which stays so.
        domain: the forwarding domain, ours.
        secret: what the hash is keyed with.
        now: time of forwarding.

    Raises:
        InvalidInput: the sender is no address, or its new form is longer than an address may be.
    """
    if not sender:
        return ""
    local, sender_domain = _split(sender)
    if sender_domain.lower() == domain.lower():
        return sender
    kind, rest = local[:5].upper(), local[5:]
    if kind in {f"SRS0{mark}" for mark in _SEPARATORS}:
        # The first forwarder's part keeps its own mark: it is behind the second `=`.
        new = _first(secret, sender_domain, local[4:])
    elif kind in {f"SRS1{mark}" for mark in _SEPARATORS} and rest.count("=") >= 2:
        _, first, theirs = rest.split("=", 2)
        new = _first(secret, first, theirs)
    else:
        day = _day(now)
        new = f"SRS0={_hash(secret, day, sender_domain, local)}={day}={sender_domain}={local}"
    return _joined(new, domain)


def is_rewritten(address: str) -> bool:
    """Tell whether an address looks like one that `forward` made."""
    return bool(re.match(r'"?SRS[01][=+-]', address, re.IGNORECASE))


def reverse(address: str, *, secrets: Sequence[bytes], now: datetime, lifetime: timedelta = LIFETIME) -> str:
    """Return where a bounce goes that comes back to a rewritten address.

    Args:
        address: the recipient, at a domain of ours.
        secrets: the key in use first, then older ones that still count.
        now: when it arrives.
        lifetime: how long a rewritten address is good.

    Raises:
        InvalidInput: we did not make this address, or too long ago.
    """
    local, _ = _split(address)
    kind, rest = local[:5].upper(), local[5:]
    if kind in {f"SRS1{mark}" for mark in _SEPARATORS}:
        parts = rest.split("=", 2)
        if len(parts) != 3 or not parts[2]:
            raise _invalid("it is cut")
        given, first, theirs = parts
        _check(given, secrets, first, theirs)
        return _joined(f"SRS0{theirs}", first)
    if kind not in {f"SRS0{mark}" for mark in _SEPARATORS}:
        raise _invalid("it is not a rewritten address")
    parts = rest.split("=", 3)
    if len(parts) != 4 or not parts[3]:
        raise _invalid("it is cut")
    given, day, domain, original = parts
    _check(given, secrets, day, domain, original)
    if not _fresh(day, now, lifetime):
        raise _invalid("it has expired")
    return _joined(original, domain)


def _first(secret: bytes, domain: str, theirs: str) -> str:
    return f"SRS1={_hash(secret, domain, theirs)}={domain}={theirs}"


def _hash(secret: bytes, *parts: str) -> str:
    # Case is lost on the way now and then: it does not count. The zero octets keep the parts apart.
    data = "\0".join(parts).lower().encode("utf-8", "surrogateescape")
    digest = hmac.new(secret, data, hashlib.sha256).digest()
    return base64.b32encode(digest).decode("ascii")[:_HASH_CHARACTERS]


def _check(given: str, secrets: Sequence[bytes], *parts: str) -> None:
    octets = given.upper().encode("utf-8", "surrogateescape")
    if not any(hmac.compare_digest(octets, _hash(secret, *parts).encode("ascii")) for secret in secrets):
        raise _invalid("its hash is not ours")


def _day(now: datetime) -> str:
    number = _day_number(now) % _DAYS
    return _BASE32[number >> 5] + _BASE32[number & 31]


def _day_number(now: datetime) -> int:
    return int(now.astimezone(UTC).timestamp() // 86_400)


def _fresh(day: str, now: datetime, lifetime: timedelta) -> bool:
    if len(day) != 2 or any(character not in _BASE32 for character in day.upper()):
        return False
    made = (_BASE32.index(day[0].upper()) << 5) + _BASE32.index(day[1].upper())
    age = (_day_number(now) - made) % _DAYS
    # A day ahead: made on a host whose clock runs before ours.
    return age <= lifetime.days or age == _DAYS - 1


def _split(address: str) -> tuple[str, str]:
    """Return the local part without quotation marks, and the domain."""
    local, at, domain = address.rpartition("@")
    if local.startswith('"') and local.endswith('"') and len(local) >= 2:
        local = re.sub(r"\\(.)", r"\1", local[1:-1])
    if not at or not local or not _DOMAIN.match(domain) or _CONTROL.search(local):
        raise _invalid("it is no address")
    return local, domain


def _joined(local: str, domain: str) -> str:
    plain = local if _ATOM.match(local) else '"' + re.sub(r'(["\\])', r"\\\1", local) + '"'
    address = f"{plain}@{domain}"
    if not _DOMAIN.match(domain) or len(address.encode("utf-8", "surrogateescape")) > MAX_ADDRESS:
        raise _invalid("it becomes too long, or its domain is no domain name")
    return address


def _invalid(reason: str) -> InvalidInput:
    return InvalidInput("address", reason)
