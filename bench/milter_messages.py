"""Messages for the milter load, and the check that what a signing milter adds to them verifies (by dkimpy)."""

import base64
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import dkim

SERIAL = b"@" * 12
"""Replaced in each Message-ID by the message's number (SERIAL_DIGITS in milter_load.c)."""
MUST_BE_SIGNED = {b"from", b"to", b"subject", b"date", b"message-id", b"mime-version", b"content-type"}
WORDS = "lorem ipsum dolor sit amet consetetur sadipscing elitr sed diam nonumy eirmod".split()


@dataclass(frozen=True, slots=True)
class Edit:
    """What a milter wants done to the header: `h` adds, `i` inserts at an index, `m` changes."""

    command: str
    index: int
    name: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent, again and again.

    Attributes:
        domain: of its sender.
        sender: header From and envelope sender.
        recipient: its one recipient.
        headers: names and values as a milter sees them: after the colon, folds as line feeds.
        body: with CRLF line ends.
    """

    domain: str
    sender: str
    recipient: str
    headers: tuple[tuple[str, bytes], ...]
    body: bytes

    def fields(self, serial: int) -> Iterator[tuple[str, bytes]]:
        """Yield the header fields of the message with that number."""
        for name, value in self.headers:
            yield name, value.replace(SERIAL, b"%012d" % serial)


def draw_message(number: int, domain: str, size: int, kind: str) -> Message:
    """Return a message as a mail client would submit it.

    Args:
        number: makes sender, recipient, subject and text differ.
        domain: of its sender.
        size: octets of its body.
        kind: `text` (lines of words, some with blanks that relaxed canonicalisation changes) or `base64`.
    """
    draw = random.Random(number)
    body = (_base64(draw, size) if kind == "base64" else _text(draw, size)) + b"\r\n\r\n"
    sender, recipient = f"user{number}@{domain}", f"rcpt{number}@example.net"
    headers = (
        (
            "Received",
            b" from client.%b (client.%b [192.0.2.%d])\n\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384"
            b" (256/256 bits))\n\tby mx.example.org (Postfix) with ESMTPSA id 4Xb%05dz1z\n\tfor <%b>;"
            b" Sat, 22 Nov 2025 12:00:00 +0000 (UTC)"
            % (domain.encode(), domain.encode(), number % 250 + 1, number, recipient.encode()),
        ),
        ("Message-ID", b" <" + SERIAL + b".%d@%b>" % (number, domain.encode())),
        ("Date", b" Sat, 22 Nov 2025 12:00:%02d +0000" % (number % 60)),
        ("MIME-Version", b" 1.0"),
        ("User-Agent", b" Mozilla Thunderbird"),
        ("Subject", b" Quarterly  report %d with a subject long enough\n to be folded once" % number),
        ("From", b' "User %d" <%b>' % (number, sender.encode())),
        ("To", b" Recipient %d <%b>" % (number, recipient.encode())),
        ("Reply-To", b" <%b>" % sender.encode()),
        ("Content-Language", b" en-US"),
        ("Content-Type", b" text/plain; charset=UTF-8; format=flowed"),
        ("Content-Transfer-Encoding", b" base64" if kind == "base64" else b" 7bit"),
    )
    return Message(domain, sender, recipient, headers, body)


def why_not_verified(
    message: Message, serial: int, edits: list[Edit], *, leading_space: bool, dns: Mapping[str, str]
) -> str:
    """Return why a message with a milter's edits does not verify as signed by its sender's domain; empty if it does.

    Args:
        message: what was sent.
        serial: its number.
        edits: what the milter answered.
        leading_space: whether the values in `edits` begin with what follows the colon.
        dns: TXT records by name.
    """
    lines = [name.encode() + b":" + value for name, value in message.fields(serial)]
    for edit in edits:
        line = edit.name + (b":" if leading_space else b": ") + edit.value
        if edit.command == "i":
            lines.insert(edit.index, line)
        elif edit.command == "h":
            lines.append(line)
    head = b"\r\n".join(line.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") for line in lines)

    def published(name: bytes, **_timeout: object) -> bytes | None:
        return dns.get(name.decode().rstrip("."), "").encode() or None

    try:
        check = dkim.DKIM(head + b"\r\n\r\n" + message.body)
        good = check.verify(dnsfunc=published)
    except dkim.DKIMException as error:
        return f"{type(error).__name__}: {error}"
    if not good:
        return "bad signature" if check.signature_fields else "no signature"
    if check.signature_fields[b"d"].decode() != message.domain:
        return "signed by another domain"
    covered = {name.strip().lower() for name in check.signature_fields[b"h"].split(b":")}
    return f"not signed: {MUST_BE_SIGNED - covered}" if MUST_BE_SIGNED - covered else ""


def _text(draw: random.Random, size: int) -> bytes:
    lines: list[bytes] = []
    length = 0
    while length < size:
        line = " ".join(draw.choice(WORDS) for _ in range(draw.randint(0, 11)))
        kind = draw.random()
        if kind < 0.10:
            line += "  \t"  # white space at the end of a line
        elif kind < 0.20:
            line = line.replace(" ", "  ", 1)
        lines.append(line.encode() + b"\r\n")
        length += len(lines[-1])
    # Never a lone carriage return at the cut: milters differ there.
    return b"".join(lines)[: max(0, size - 4)].rstrip(b"\r\n")


def _base64(draw: random.Random, size: int) -> bytes:
    return base64.encodebytes(draw.randbytes(size * 57 // 78)).replace(b"\n", b"\r\n")[: size - 4].rstrip(b"\r\n")
