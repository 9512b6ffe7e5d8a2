"""DKIM verification beside dkimpy, an independent implementation: random messages, both have to say the same.

    .venv/bin/python -m bench.differential_dkim --messages 100000

dkimpy signs each message (every canonicalisation, whole body or part of it), then something happens to it on its way
(folds, blanks, case, added or lost fields and lines, changed octets, edited tags), and both verify it. A message is
made by its seed alone: `--first SEED --messages 1` shows one again. The tests run the first two thousand.
"""

import argparse
import base64
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from smailor.authentication.verify import DkimResult, DkimStatus, verify_signatures
from smailor.dns.fake import FakeResolver

DOMAIN, SELECTOR = b"example.com", b"key"
NAMES = [b"To", b"Cc", b"Subject", b"Date", b"Message-ID", b"X-Tag", b"x-tag", b"X-Test", b"Content-Type"]
WORDS = [
    b"a",
    b"hello",
    b"  ",
    b"\t",
    b"=20",
    b"\xc3\xa4",
    b"\xff",
    b":",
    b";",
    b"b=",
    b"\r\n ",
    b"\r\n\t \t",
    b"x" * 90,
]
PIECES = [
    b"\r\n",
    b"\r\n\r\n",
    b" ",
    b"\t ",
    b"line",
    b"two  words",
    b".",
    b"\xff\x00",
    b" \r\n",
    b"z" * 300,
    b"--\r\n",
]


@lru_cache(maxsize=1)
def _key() -> tuple[bytes, bytes]:
    """Return a private key in PEM and its record; 1024 bits, since dkimpy calculates in Python."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - for tests
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private, b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)


def compare(seed: int) -> tuple[DkimResult, bool | None, bytes]:
    """Make the message of a seed and let both verify it.

    Returns:
        Our verdict, whether dkimpy accepts it (None: it cannot read the message), and the message.
    """
    chance = random.Random(seed)
    private, record = _key()
    message = _signed(chance, private)
    for _ in range(chance.choice([0, 0, 1, 1, 1, 2, 3])):
        message = chance.choice(CHANGES)(chance, message)
    if message.endswith((b" ", b"\t")):
        # Of a blank that ends a body without CRLF dkimpy makes content. SMTP carries whole lines (RFC 5321 4.1.1.4).
        message += b"\r\n"
    resolver = FakeResolver({(f"{SELECTOR.decode()}._domainkey.{DOMAIN.decode()}", "TXT"): [record]})
    results = verify_signatures(message, resolver=resolver, now=datetime.now(UTC))
    try:
        theirs = bool(dkim.verify(message, dnsfunc=lambda _name, timeout=5: record))  # noqa: ARG005 - its name for it
    except (dkim.MessageFormatError, IndexError):
        theirs = None  # it reads no 8-bit octet in a name, and no message that begins with a blank
    except (ValueError, AssertionError):
        theirs = False  # it stumbles over broken base64 and the like
    nothing = DkimResult(DkimStatus.NONE, "", "", "", "", "no signature")
    return (results[0] if results else nothing), theirs, message


def agree(ours: DkimResult, theirs: bool | None) -> bool:
    """Tell whether two verdicts are the same, our stricter rules taken into account."""
    if theirs is None:
        return True
    if theirs and ours.status is DkimStatus.POLICY and "l=" in ours.reason:
        return True  # dkimpy accepts a signature over a part of the body
    if theirs and ours.reason == "the From field is not signed":
        return True  # dkimpy does not ask for it (RFC 6376 section 6.1.1 does)
    return (ours.status is DkimStatus.PASS) == theirs


def _signed(chance: random.Random, private: bytes) -> bytes:
    fields = [b"From: a@example.com"]
    for _ in range(chance.randrange(8)):
        value = b" v" + b"".join(chance.choices(WORDS, k=chance.randrange(6))) + b"w"
        fields.insert(chance.randrange(len(fields) + 1), chance.choice(NAMES) + b":" + value)
    body = b"".join(chance.choices(PIECES, k=chance.randrange(12)))
    message = b"\r\n".join(fields) + b"\r\n\r\n" + body.rstrip(b" \t")
    present = [field.partition(b":")[0].lower() for field in fields]
    others = [name for name in present if name != b"from"] + [b"reply-to", b"cc"]
    included = [b"from", *chance.sample(others, chance.randrange(len(others) + 1))]
    forms = (chance.choice([b"simple", b"relaxed"]), chance.choice([b"simple", b"relaxed"]))
    field = dkim.sign(
        message,
        SELECTOR,
        DOMAIN,
        private,
        canonicalize=forms,
        include_headers=included,
        length=chance.random() < 0.15,
    )
    return bytes(field) + message


def _flip(chance: random.Random, message: bytes) -> bytes:
    at = chance.randrange(len(message))
    if message[at] in b"\r\n:":
        return message
    return message[:at] + bytes([chance.choice(b"aZ0+/= \t\xfe")]) + message[at + 1 :]


def _add_field(chance: random.Random, message: bytes) -> bytes:
    field = chance.choice([*NAMES, b"From", b"Reply-To"]) + b": added\r\n"
    if chance.random() < 0.5:
        return field + message
    head, gap, body = message.partition(b"\r\n\r\n")
    return head + b"\r\n" + field.removesuffix(b"\r\n") + gap + body


def _lose_field(chance: random.Random, message: bytes) -> bytes:
    head, gap, body = message.partition(b"\r\n\r\n")
    fields = re.split(rb"\r\n(?![ \t])", head)
    if len(fields) > 2:
        fields.pop(chance.randrange(1, len(fields)))
    return b"\r\n".join(fields) + gap + body


def _swap_fields(chance: random.Random, message: bytes) -> bytes:
    head, gap, body = message.partition(b"\r\n\r\n")
    fields = re.split(rb"\r\n(?![ \t])", head)
    one, two = chance.randrange(len(fields)), chance.randrange(len(fields))
    fields[one], fields[two] = fields[two], fields[one]
    return b"\r\n".join(fields) + gap + body


def _blanks_in_header(chance: random.Random, message: bytes) -> bytes:
    head, gap, body = message.partition(b"\r\n\r\n")
    places = [found.start() for found in re.finditer(rb"(?<=[:;\w]) (?=\w)", head)]
    if not places:
        return message
    at = chance.choice(places)
    return head[:at] + chance.choice([b"  ", b"\t", b"\r\n ", b" \r\n\t "]) + head[at + 1 :] + gap + body


def _case_of_name(chance: random.Random, message: bytes) -> bytes:
    head, gap, body = message.partition(b"\r\n\r\n")
    fields = re.split(rb"\r\n(?![ \t])", head)
    at = chance.randrange(len(fields))
    name, colon, value = fields[at].partition(b":")
    fields[at] = name.swapcase() + colon + value
    return b"\r\n".join(fields) + gap + body


def _end_of_body(chance: random.Random, message: bytes) -> bytes:
    return message + chance.choice([b"\r\n", b"\r\n\r\n", b" ", b" \r\n", b"footer\r\n", b"\t\r\n\r\n"])


def _end_lost(_chance: random.Random, message: bytes) -> bytes:
    head, gap, body = message.partition(b"\r\n\r\n")
    return head + gap + body[:-2]


def _blanks_in_body(chance: random.Random, message: bytes) -> bytes:
    head, gap, body = message.partition(b"\r\n\r\n")
    at = chance.randrange(len(body) + 1)
    return head + gap + body[:at] + chance.choice([b" ", b"\t", b"  ", b"\r\n"]) + body[at:]


def _edit_tag(chance: random.Random, message: bytes) -> bytes:
    edits = [
        (rb"v=1", b"v=2"),
        (rb"a=rsa-sha256", b"a=rsa-sha257"),
        (rb"; d=", b" ;\r\n d = "),
        (rb"q=dns/txt", b"q=dns/none"),
        (rb"i=@", b"i=x@sub."),
        (rb"i=@", b"i=@not"),
        (rb"; s=key", b""),
        (rb"; t=\d+", b""),
        (rb"; t=\d+", b"; t=12345"),
        (rb"; h=", b"; unknown=1; h="),
        (rb"; bh=", b";\r\n\tbh= "),
        (rb"; d=", b"; d=example.org; d="),
        (rb"; b=", b";; b="),
        (rb"; b=", b"; b=\r\n  "),
        (rb"c=\w+/", b"c="),
    ]
    pattern, new = chance.choice(edits)
    head, gap, rest = message.partition(b"\r\n\r\n")
    return re.sub(pattern, new, head, count=1) + gap + rest


CHANGES: list[Callable[[random.Random, bytes], bytes]] = [
    _flip,
    _flip,
    _add_field,
    _lose_field,
    _swap_fields,
    _blanks_in_header,
    _blanks_in_header,
    _case_of_name,
    _end_of_body,
    _end_lost,
    _blanks_in_body,
    _edit_tag,
    _edit_tag,
]


def main() -> int:
    parser = argparse.ArgumentParser(description="DKIM verification beside dkimpy")
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0, help="seed of the first message")
    wanted = parser.parse_args()
    counts: Counter[str] = Counter()
    differing = 0
    started = time.monotonic()
    for seed in range(wanted.first, wanted.first + wanted.messages):
        ours, theirs, message = compare(seed)
        counts[ours.status.value] += 1
        if not agree(ours, theirs):
            differing += 1
            print(f"seed {seed}: ours {ours.status.value} ({ours.reason}), dkimpy {theirs}\n{message!r}\n")
    seconds = time.monotonic() - started
    print(f"{wanted.messages} messages in {seconds:.0f} s, {differing} verdicts differ; ours: {dict(counts)}")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
