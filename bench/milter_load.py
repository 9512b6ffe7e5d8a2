"""Load on a milter over its unix socket, as Postfix would make it, and what became of it.

It speaks version 6 of the milter protocol as Postfix 3.7 does (src/milter/milter8.c): offers the same actions and
protocol bits, honours what the milter negotiates away or wants no reply for (SMFIP_NO*, SMFIP_NR_*), its macro lists
and SMFIR_SKIP, sends body chunks of 65535 octets, buffers commands that expect no reply and flushes where smtpd hands
over to cleanup. Python compiles each message into octets once; milter_load.c plays them over many sessions.
"""

import ctypes
import hashlib
import os
import socket
import struct
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.milter_messages import SERIAL, Edit, Message, why_not_verified

VERSION, ACTIONS, PROTOCOL = 6, 0x1FF, 0x1FFFFF
NOT_WANTED = {"C": 0x1, "H": 0x2, "M": 0x4, "R": 0x8, "B": 0x10, "L": 0x20, "N": 0x40, "T": 0x200}
NO_REPLY = {"C": 0x1000, "H": 0x2000, "M": 0x4000, "R": 0x8000, "T": 0x10000, "L": 0x80, "N": 0x40000, "B": 0x80000}
LEADING_SPACE = 0x100000
STAGES = "CHMRTEN"
"""Commands in the order of libmilter's macro stages."""
CHUNK = 65535
MAX_RECORDS = 1_000_000
KEPT_OCTETS = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Client:
    """How Postfix tells of the SMTP client.

    Attributes:
        name: of its host.
        address: its IPv4 address.
        logged_in: whether the sender's address has logged in (submission) or not (port 25).
    """

    name: str = "client.example.org"
    address: str = "192.0.2.10"
    logged_in: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one load came to.

    Attributes:
        messages: answered.
        seconds: all of it.
        latencies: seconds from MAIL to the verdict, sorted; a session's first message includes its connection.
        verdicts: how often which.
        errors: sessions lost or refused.
        verified: messages of the sample that verify.
        failures: why others do not.
    """

    messages: int
    seconds: float
    latencies: tuple[float, ...]
    verdicts: Counter[str]
    errors: int
    verified: int
    failures: Counter[str]

    @property
    def per_second(self) -> float:
        return self.messages / self.seconds

    def percentile(self, part: float) -> float:
        """Return the latency, in milliseconds, that so many (0 to 1) stay below."""
        return self.latencies[min(len(self.latencies) - 1, int(part * len(self.latencies)))] * 1000


class _Segment(ctypes.Structure):
    _fields_ = [
        ("offset", ctypes.c_uint64),
        ("length", ctypes.c_uint64),
        ("wait", ctypes.c_int32),
        ("body", ctypes.c_int32),
        ("serial", ctypes.c_int64),
    ]


class _Script(ctypes.Structure):
    _fields_ = [("first", ctypes.c_uint32), ("count", ctypes.c_uint32)]


class _Record(ctypes.Structure):
    _fields_ = [
        ("template", ctypes.c_uint32),
        ("verdict", ctypes.c_uint32),
        ("serial", ctypes.c_uint64),
        ("latency", ctypes.c_double),
    ]


class _Run(ctypes.Structure):
    _fields_ = [
        ("octets", ctypes.c_char_p),
        ("segments", ctypes.POINTER(_Segment)),
        ("prologue", _Script),
        ("scripts", ctypes.POINTER(_Script)),
        ("templates", ctypes.c_uint32),
        ("sessions", ctypes.c_uint32),
        ("per_session", ctypes.c_uint32),
        ("sample_every", ctypes.c_uint32),
        ("path", ctypes.c_char * 108),
        ("max_messages", ctypes.c_uint64),
        ("max_seconds", ctypes.c_double),
        ("per_second", ctypes.c_double),
        ("kept", ctypes.c_void_p),
        ("kept_size", ctypes.c_uint64),
        ("kept_used", ctypes.c_uint64),
        ("records", ctypes.POINTER(_Record)),
        ("max_records", ctypes.c_uint64),
        ("started", ctypes.c_uint64),
        ("done", ctypes.c_uint64),
        ("errors", ctypes.c_uint64),
        ("last_error", ctypes.c_int32),
        ("elapsed", ctypes.c_double),
    ]


class Load:
    """Messages compiled for one milter, to be played as often as wanted.

    Args:
        path: the milter's socket.
        messages: played in turn.
        client: who sends them.
    """

    def __init__(self, path: Path, messages: Sequence[Message], client: Client | None = None) -> None:
        self._path = path
        self._messages = messages
        self._client = client or Client()
        self._protocol, macros = _negotiate(path)
        compiler = _Compiler(self._protocol, macros)
        prologue = compiler.script(lambda: self._prologue(compiler))
        scripts = [
            compiler.script(lambda message=message, later=later: self._compile(compiler, message, later))
            for message in messages
            for later in (False, True)
        ]
        # Kept here: the C side points into them.
        self._octets = bytes(compiler.octets)
        self._segments = (_Segment * len(compiler.segments))(*compiler.segments)
        self._scripts = (_Script * len(scripts))(*scripts)
        self._prologue_script = prologue

    def run(
        self,
        *,
        sessions: int,
        per_session: int,
        messages: int | None = None,
        seconds: float = 0,
        per_second: float = 0,
        dns: Mapping[str, str] | None = None,
        sample: int = 20,
    ) -> Outcome:
        """Play the messages.

        Args:
            sessions: at the same time.
            per_session: messages in each.
            messages: how many at most.
            seconds: start no message after this time (0: until `messages` are done).
            per_second: the pace (0: as fast as the answers come).
            dns: public keys by name, to verify a sample of the signatures; None: nothing is verified.
            sample: how many of them.
        """
        records = (_Record * MAX_RECORDS)()
        kept = ctypes.create_string_buffer(KEPT_OCTETS if dns is not None else 1)
        run = _Run(
            octets=self._octets,
            segments=self._segments,
            prologue=self._prologue_script,
            scripts=self._scripts,
            templates=len(self._messages),
            sessions=sessions,
            per_session=per_session,
            sample_every=5 if dns is not None else 0,
            path=os.fsencode(self._path),
            max_messages=messages or MAX_RECORDS,
            max_seconds=seconds,
            per_second=per_second,
            kept=ctypes.addressof(kept),
            kept_size=len(kept),
            records=records,
            max_records=MAX_RECORDS,
        )
        _core().load(ctypes.byref(run))
        done = [records[index] for index in range(run.done)]
        failures: Counter[str] = Counter()
        checked = 0
        if dns is not None:
            edits = _edits(kept.raw[: run.kept_used])
            # What lies behind the last one kept did not fit.
            candidates = [entry for entry in done if entry.serial % 5 == 0 and entry.serial <= max(edits, default=0)]
            for entry in candidates[:: max(1, len(candidates) // sample)][:sample]:
                checked += 1
                failures[
                    why_not_verified(
                        self._messages[entry.template],
                        entry.serial,
                        edits.get(entry.serial, []),
                        leading_space=bool(self._protocol & LEADING_SPACE),
                        dns=dns,
                    )
                ] += 1
            failures = failures or Counter({"nothing to verify": 1})
            checked = failures.pop("", 0)
        return Outcome(
            messages=run.done,
            seconds=run.elapsed,
            latencies=tuple(sorted(entry.latency for entry in done)),
            verdicts=Counter(chr(entry.verdict) for entry in done),
            errors=run.errors,
            verified=checked,
            failures=failures,
        )

    def _prologue(self, compiler: "_Compiler") -> None:
        client, name = self._client, self._client.name.encode()
        compiler.pending += _packet("O", struct.pack(">III", VERSION, ACTIONS, PROTOCOL))
        compiler.flush(wait=True)
        compiler.event(
            "C",
            name + b"\0004" + struct.pack(">H", 40000) + client.address.encode() + b"\0",
            {
                "j": "mx.example.org",
                "{daemon_name}": "ORIGINATING" if client.logged_in else "smtpd",
                "{daemon_addr}": "127.0.0.1",
                "v": "Postfix 3.7.11",
                "_": f"{client.name} [{client.address}]",
            },
        )
        tls = {"{tls_version}": "TLSv1.3", "{cipher}": "TLS_AES_256_GCM_SHA384", "{cipher_bits}": "256"}
        compiler.event("H", name + b"\0", tls)

    def _compile(self, compiler: "_Compiler", message: Message, later: bool) -> None:
        sender, recipient = message.sender, message.recipient
        queue_id = {"i": f"4Xb{sum(sender.encode()) * 7919 % 99999:05d}z1z"}
        login = {"{auth_type}": "PLAIN", "{auth_authen}": sender, "{auth_author}": ""}
        if later:
            compiler.pending += _packet("A")
        compiler.event(
            "M",
            b"<%b>\0SIZE=%d\0" % (sender.encode(), len(message.body) + 900),
            queue_id
            | (login if self._client.logged_in else {})
            | {"{mail_addr}": sender, "{mail_host}": message.domain, "{mail_mailer}": "smtp"},
        )
        to = {"{rcpt_addr}": recipient, "{rcpt_host}": "example.net", "{rcpt_mailer}": "smtp"}
        compiler.event("R", b"<%b>\0" % recipient.encode(), queue_id | to)
        compiler.event("T", b"", queue_id)
        compiler.flush()  # smtpd hands over to cleanup
        for name, value in message.headers:
            seen = value if self._protocol & LEADING_SPACE else value[1:]
            compiler.event("L", name.encode() + b"\0" + seen + b"\0")
        compiler.event("N", b"", queue_id)
        for at in range(0, len(message.body), CHUNK):
            compiler.event("B", message.body[at : at + CHUNK])
        compiler.event("E", b"", queue_id)


class _Compiler:
    """Turns events into segments, by what the milter has negotiated."""

    def __init__(self, protocol: int, macros: Mapping[str, set[str]]) -> None:
        self.octets = bytearray()
        self.segments: list[_Segment] = []
        self.pending = bytearray()
        self._protocol = protocol
        self._macros = macros

    def event(self, command: str, data: bytes, macros: Mapping[str, str] | None = None) -> None:
        """Add an event and its macros, which are sent even where the event itself is not wanted."""
        if macros:
            wanted = self._macros.get(command)
            chosen = {name: text for name, text in macros.items() if wanted is None or name.strip("{}") in wanted}
            text = b"".join(name.encode() + b"\0" + value.encode() + b"\0" for name, value in chosen.items())
            self.pending += _packet("D", command.encode() + text)
        if self._protocol & NOT_WANTED.get(command, 0):
            return
        self.pending += _packet(command, data)
        if command == "E" or not self._protocol & NO_REPLY.get(command, 0):
            self.flush(wait=True, body=command == "B")

    def flush(self, *, wait: bool = False, body: bool = False) -> None:
        """End a segment: what is pending is written at once."""
        if self.pending or wait:
            segment = _Segment(len(self.octets), len(self.pending), wait, body, self.pending.find(SERIAL))
            self.segments.append(segment)
            self.octets += self.pending
            self.pending = bytearray()

    def script(self, build: Callable[[], None]) -> _Script:
        first = len(self.segments)
        build()
        self.flush()
        return _Script(first, len(self.segments) - first)


def _packet(command: str, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data) + 1) + command.encode() + data


def _negotiate(path: Path) -> tuple[int, dict[str, set[str]]]:
    """Ask the milter, in a session of its own, for its protocol bits and the macros that it wants by command."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        connection.sendall(_packet("O", struct.pack(">III", VERSION, ACTIONS, PROTOCOL)))
        with connection.makefile("rb") as stream:
            (length,) = struct.unpack(">I", stream.read(4))
            answer = stream.read(length)
        connection.sendall(_packet("Q"))
    assert answer[:1] == b"O", answer
    _version, _actions, protocol = struct.unpack(">III", answer[1:13])
    macros: dict[str, set[str]] = {}
    rest = answer[13:]
    while len(rest) > 4:
        (stage,) = struct.unpack(">I", rest[:4])
        names, rest = rest[4:].split(b"\0", 1)
        macros[STAGES[stage]] = {name.strip("{}") for name in names.decode().replace(",", " ").split()}
    return protocol & PROTOCOL, macros


def _edits(kept: bytes) -> dict[int, list[Edit]]:
    """Return the header edits that were kept, by the message's number."""
    edits: dict[int, list[Edit]] = {}
    at = 0
    while at < len(kept):
        (serial,) = struct.unpack("=Q", kept[at : at + 8])
        (length,) = struct.unpack(">I", kept[at + 8 : at + 12])
        command, data = chr(kept[at + 12]), kept[at + 13 : at + 12 + length]
        index = 0
        if command in "im":
            (index,) = struct.unpack(">I", data[:4])
            data = data[4:]
        name, value, *_ = data.split(b"\0")
        edits.setdefault(serial, []).append(Edit(command, index, name, value))
        at += 12 + length
    return edits


def _core() -> ctypes.CDLL:
    """Compile the C side, once for each content."""
    source = Path(__file__).with_suffix(".c")
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:16]
    cache = source.parents[1] / ".cache"
    cache.mkdir(exist_ok=True)
    library = cache / f"milter_load.{digest}.so"
    if not library.exists():
        with tempfile.TemporaryDirectory(dir=cache) as directory:
            built = Path(directory) / library.name
            subprocess.run(
                ["cc", "-O2", "-Wall", "-Wextra", "-shared", "-fPIC", "-o", str(built), str(source)], check=True
            )
            built.rename(library)
    return ctypes.CDLL(str(library))
