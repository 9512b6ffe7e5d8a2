"""The DNS of the small internet: the zone files that people drop into a directory, made into what unbound serves.

Each `NAME.zone` is a master file (RFC 1035 §5) of the zone NAME, or of the zone that its first $ORIGIN names. It is
checked here, and only a good one reaches unbound, in a copy of our own: a bad file costs one clear message and changes
nothing of what is served. This file starts no process and serves nothing itself; internet.py watches, unbound serves.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dns.exception
import dns.name
import dns.rdataset
import dns.rdatatype
import dns.zone

MAX_ZONE_BYTES = 1024 * 1024
GOOD_COPIES = "zones.good"
LONGEST_TTL_SECONDS = 1

_FILE_NAME = re.compile(r"\w[\w.-]*\.zone")
_ORIGIN = re.compile(r"^\s*(?:;[^\n]*)?$|^\$TTL\b[^\n]*$|^\$ORIGIN\s+(?P<origin>\S+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a zone file is not served as it stands.

    Attributes:
        file: the file's name.
        line: the line where its trouble begins, 0 where no single line is at fault.
        message: what is wrong.
    """

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}" if self.line else f"{self.file}: {self.message}"


class ZoneError(Exception):
    """A zone file that cannot be served."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


def write_zones_conf(zones: Path, target: Path) -> list[Problem]:
    """Check every `*.zone` file and write the clauses that make unbound serve the good ones.

    A file that has gone bad is served in its last good version, one that is gone is served no more. Copies of the good
    versions lie in `zones.good` beside the target. Files are replaced by renaming and only when their content changes.

    Args:
        zones: the directory people drop zone files into.
        target: the file that unbound.conf includes.

    Returns:
        What is wrong with the files that were not taken, in the order of their names.
    """
    copies = target.parent / GOOD_COPIES
    copies.mkdir(parents=True, exist_ok=True)
    problems: list[Problem] = []
    served: dict[str, Path] = {}
    names = [path.name for path in zone_files(zones)]
    for name in names:
        copy = copies / name
        try:
            zone = read_zone(zones / name)
            _forget_soon(zone)
            replace_file(copy, zone.to_text(relativize=False, want_origin=True, want_comments=False))
        except ZoneError as error:
            problems.append(Problem(name, error.line, error.message))
        if not copy.exists():
            continue
        origin = _origin_of_copy(copy)
        if origin in served:
            problems.append(Problem(name, 0, f"zone {origin} is served from {served[origin].name} already"))
            continue
        served[origin] = copy
    for copy in copies.glob("*.zone"):
        if copy.name not in names:
            copy.unlink()
    replace_file(target, "".join(_clauses(served)))
    return problems


def zone_files(zones: Path) -> list[Path]:
    """The zone files in a directory, by name; what an editor or a copy program leaves beside them is none."""
    return sorted(path for path in zones.glob("*.zone") if _FILE_NAME.fullmatch(path.name))


def read_zone(path: Path) -> dns.zone.Zone:
    """Read one zone file.

    Returns:
        The zone, its names absolute.

    Raises:
        ZoneError: it is not a zone that can be served, with the line.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ZoneError(0, f"cannot be read: {error.strerror}") from error
    if len(data) > MAX_ZONE_BYTES:
        raise ZoneError(0, f"larger than {MAX_ZONE_BYTES} bytes")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ZoneError(data.count(b"\n", 0, error.start) + 1, "not UTF-8") from error
    origin = _origin(text, path.name.removesuffix(".zone"))
    try:
        zone = _parse(text, origin)
    except (dns.exception.DNSException, UnicodeError, ValueError) as error:
        reason = re.sub(r"^<string>:\d+: ", "", str(error)).rstrip(".") or type(error).__name__
        raise ZoneError(_faulty_line(text, origin), reason[:1].lower() + reason[1:]) from error
    if zone.get_rdataset(zone.origin or dns.name.root, dns.rdatatype.SOA) is None:
        raise ZoneError(0, f"no SOA record at {origin}; a zone begins with one")
    return zone


def _forget_soon(zone: dns.zone.Zone) -> None:
    """Lower every TTL, so that no cache between unbound and a program keeps what a dropped file has changed.

    unbound's own cache-max-ttl does not lower the TTL in its answers from an auth-zone (seen with 1.17).
    """
    for _, rdataset in zone.iterate_rdatasets():
        rdataset.update_ttl(LONGEST_TTL_SECONDS)
    origin = zone.origin or dns.name.root
    (soa,) = zone.find_rdataset(origin, dns.rdatatype.SOA)
    soa = soa.replace(minimum=LONGEST_TTL_SECONDS)
    zone.replace_rdataset(origin, dns.rdataset.from_rdata(LONGEST_TTL_SECONDS, soa))


def _parse(text: str, origin: str) -> dns.zone.Zone:
    return dns.zone.from_text(text, origin=origin, relativize=False, check_origin=False, allow_include=False)


def _origin(text: str, default: str) -> str:
    """What the first $ORIGIN says if it stands above every record, else the file's name."""
    for line in text.splitlines():
        found = _ORIGIN.match(line)
        if found is None:
            break
        if found["origin"]:
            return found["origin"].rstrip(".") + "."
    return default.rstrip(".") + "."


def _faulty_line(text: str, origin: str) -> int:
    """The line where the record begins that cannot be read: the one after the longest part that can.

    dnspython names the line its reader had come to, which is often the next one.
    """
    lines = text.splitlines(keepends=True)
    good = 0
    low, high = 0, len(lines)
    # Inside parentheses a shorter part may fail where a longer one would not, so halving finds a start only.
    while low < high:
        middle = (low + high + 1) // 2
        if _readable("".join(lines[:middle]), origin):
            good = low = middle
        else:
            high = middle - 1
    for end in range(good + 1, min(good + 50, len(lines)) + 1):
        if _readable("".join(lines[:end]), origin):
            good = end
    while good < len(lines) and not lines[good].split(";")[0].strip():
        good += 1
    return good + 1


def _readable(text: str, origin: str) -> bool:
    try:
        _parse(text, origin)
    except (dns.exception.DNSException, UnicodeError, ValueError):
        return False
    return True


def _origin_of_copy(copy: Path) -> str:
    with copy.open(encoding="utf-8") as lines:
        return lines.readline().split()[1].lower()


def _clauses(served: dict[str, Path]) -> Iterator[str]:
    yield "# Made from the files in the zones directory; changed again whenever they change.\n"
    if served:
        # unbound answers some names itself unless told otherwise (test., the reverse zones of RFC 6303), and the
        # whole root here.
        yield "server:\n"
    for origin in sorted(served):
        yield f'  local-zone: "{origin}" transparent\n'
    for origin in sorted(served):
        yield (
            f'auth-zone:\n  name: "{origin}"\n  zonefile: "{served[origin]}"\n'
            "  for-upstream: yes\n  for-downstream: no\n  fallback-enabled: no\n"
        )


def replace_file(path: Path, text: str) -> None:
    """Give a file this content by renaming a new one over it; nothing happens if it has it already."""
    try:
        if path.read_text(encoding="utf-8") == text:
            return
    except FileNotFoundError:
        pass
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.chmod(0o644)  # unbound reads it as its own user
    temporary.replace(path)
