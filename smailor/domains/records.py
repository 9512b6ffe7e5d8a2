"""The DNS records that a domain needs for its mail, and what the world sees of them now. Pure rules.

Comparison is by meaning where two spellings mean the same (case and final dots of names, blanks in a DKIM record).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from smailor.domains.dkim_keys import Algorithm, key_record

CHALLENGE_LABEL = "_smailor-challenge"
"""Label below the domain where ownership is shown, so that other TXT records stay untouched."""
MX_PREFERENCE = 10
_MAX_STRING = 255
"""Octets of one character-string in a TXT record (RFC 1035 section 3.3)."""


class RecordState(StrEnum):
    """What the world sees of a wanted record."""

    PRESENT = "present"
    MISSING = "missing"
    DIFFERENT = "different"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class WantedRecord:
    """A DNS record that a domain's owner is asked to publish.

    Attributes:
        kind: TXT or MX.
        name: the owner name, without the final dot.
        value: the record's data as a person enters it at a DNS provider.
        purpose: what it is for, in words.
        required: whether mail works without it.
    """

    kind: str
    name: str
    value: str
    purpose: str
    required: bool


@dataclass(frozen=True, slots=True)
class PublishedKey:
    """The public half of a DKIM key, as `dkim_keys.KeyPair` has it."""

    selector: str
    public_key: str
    algorithm: Algorithm


@dataclass(frozen=True, slots=True)
class RecordCheck:
    """A wanted record beside what was seen.

    Attributes:
        record: what is wanted.
        state: how far it is there.
        seen: the data found at that name (for SPF and DMARC: records of that kind only).
    """

    record: WantedRecord
    state: RecordState
    seen: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ServiceNames:
    """The service's own names that tenants' records point to (`service.*` of the configuration)."""

    hostname: str
    spf_include: str
    postmaster: str


def challenge_record(domain: str, token: str) -> WantedRecord:
    """Return the record that shows who owns the domain."""
    return WantedRecord(
        "TXT",
        f"{CHALLENGE_LABEL}.{domain}",
        f"smailor-verify={token}",
        "Shows that the domain is yours. Without it no mail is accepted or sent for it.",
        required=True,
    )


def wanted_records(
    domain: str, token: str, keys: Sequence[PublishedKey], service: ServiceNames
) -> tuple[WantedRecord, ...]:
    """Return all records that a domain wants.

    Args:
        domain: the domain's normal form.
        token: its verification token.
        keys: its DKIM keys.
        service: the service's names.
    """
    spf = f"v=spf1 include:{service.spf_include} -all" if service.spf_include else "v=spf1 mx -all"
    return (
        challenge_record(domain, token),
        WantedRecord("MX", domain, f"{MX_PREFERENCE} {service.hostname}", "Brings mail for the domain here.", True),
        WantedRecord("TXT", domain, spf, "SPF: says which hosts may send for the domain.", required=True),
        *(
            WantedRecord(
                "TXT",
                f"{key.selector}._domainkey.{domain}",
                key_record(key.public_key, key.algorithm),
                "DKIM: the key with which receivers check that a message is yours and unchanged.",
                required=key.algorithm is Algorithm.RSA,
            )
            for key in keys
        ),
        WantedRecord(
            "TXT",
            f"_dmarc.{domain}",
            "v=DMARC1; p=quarantine",
            "DMARC: tells receivers what to do with mail that only pretends to be yours.",
            required=False,
        ),
    )


def check_record(record: WantedRecord, found: Sequence[str] | None) -> RecordCheck:
    """Compare a wanted record with what DNS answers.

    Args:
        record: what is wanted.
        found: data of the records of that kind at that name; None: DNS did not answer.

    Returns:
        The comparison; of an SPF or DMARC record only records of the same version tag count as seen.
    """
    if found is None:
        return RecordCheck(record, RecordState.UNKNOWN, ())
    tag = _version_tag(record)
    seen = tuple(value for value in found if value.lower().startswith(tag))
    if not seen:
        return RecordCheck(record, RecordState.MISSING, ())
    if tag == "v=dmarc1":  # any policy of their own is theirs to choose
        state = RecordState.PRESENT if len(seen) == 1 else RecordState.DIFFERENT
    elif tag == "v=spf1":
        state = RecordState.PRESENT if len(seen) == 1 and _spf_covers(seen[0], record.value) else RecordState.DIFFERENT
    else:
        wanted = _normal(record.kind, record.value)
        state = (
            RecordState.PRESENT if wanted in {_normal(record.kind, value) for value in seen} else RecordState.DIFFERENT
        )
    return RecordCheck(record, state, seen)


def zone_text(records: Sequence[WantedRecord], ttl: int = 3600) -> str:
    """Return the records as lines of a BIND zone file, long TXT data split into character-strings.

    Args:
        records: what to write.
        ttl: time to live in seconds.
    """
    lines = []
    for record in records:
        if record.kind == "TXT":
            strings = [record.value[start : start + _MAX_STRING] for start in range(0, len(record.value), _MAX_STRING)]
            data = " ".join(f'"{string}"' for string in strings)
        else:
            data = f"{record.value}."
        lines.append(f"{record.name}. {ttl} IN {record.kind} {data}\n")
    return "".join(lines)


def _version_tag(record: WantedRecord) -> str:
    """What a TXT record must begin with to be of the same kind as the wanted one."""
    if record.kind != "TXT":
        return ""
    match = re.match(r"v=(spf1|dmarc1)", record.value.lower())
    return match[0] if match else ""


def _spf_covers(seen: str, wanted: str) -> bool:
    """Whether an SPF record, with whatever else it allows, has the mechanism that allows us."""
    mechanism = wanted.split()[1].lower()
    return mechanism in {term.lstrip("+") for term in seen.lower().split()}


def _normal(kind: str, value: str) -> str:
    if kind == "MX":
        return " ".join(value.lower().split()).removesuffix(".")
    return re.sub(r"\s+", "", value).removesuffix(";")
