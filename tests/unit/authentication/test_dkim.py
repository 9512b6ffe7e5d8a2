"""Signatures verify with dkimpy and with `cryptography`, whatever the message and however it is cut."""

import base64
import hashlib
import re
from datetime import UTC, datetime, timedelta

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from smailor.authentication.dkim import (
    OVERSIGNED,
    MessageSigner,
    SigningIdentity,
    header_fields,
    load_private_key,
    sign,
)
from smailor.errors import InvalidInput

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC = base64.b64encode(
    KEY.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
)

MESSAGE = (
    b"From: Joe SixPack <joe@football.example.com>\r\n"
    b"To: Suzie Q <suzie@shopping.example.net>\r\n"
    b"Subject: Is dinner ready?\r\n"
    b"Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
    b"Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"
    b"\r\n"
    b"Hi.\r\n\r\nWe lost the game. Are you hungry yet?\r\n\r\nJoe.\r\n"
)
"""The message of RFC 6376 appendix A."""


def pem(key) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def signed(message: bytes) -> bytes:
    return sign(message, domain="football.example.com", selector="brisbane", key=KEY, now=NOW) + message


def verifies(message: bytes) -> bool:
    """Ask dkimpy."""

    def record(name, timeout=5):
        assert name == b"brisbane._domainkey.football.example.com."
        return b"v=DKIM1; k=rsa; p=" + PUBLIC

    return bool(dkim.verify(message, dnsfunc=record))


def tags(field: bytes) -> dict[str, str]:
    value = re.sub(r"\s+", "", field.decode().partition(":")[2])
    return dict(tag.split("=", 1) for tag in value.split(";"))


@pytest.fixture(autouse=True)
def the_clock_stands(monkeypatch):
    """The verifier looks at the time, and these signatures expire."""
    monkeypatch.setattr("dkim.time.time", NOW.timestamp)


def test_the_message_of_rfc_6376_appendix_a_verifies_and_has_its_known_body_hash():
    message = signed(MESSAGE)
    assert verifies(message)
    # The RFC gives this hash (2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=) for simple, which here is the same as relaxed.
    assert tags(message.partition(b"\r\nFrom:")[0])["bh"] == "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8="


def test_the_tags_are_what_a_verifier_expects():
    field = sign(MESSAGE, domain="Football.Example.COM", selector="brisbane", key=pem(KEY), now=NOW)
    found = tags(field)
    assert field.startswith(b"DKIM-Signature: v=1;")
    assert field.endswith(b"\r\n")
    assert max(map(len, field.split(b"\r\n"))) <= 78
    assert (found["a"], found["c"]) == ("rsa-sha256", "relaxed/relaxed")
    assert (found["d"], found["s"]) == ("football.example.com", "brisbane")
    assert int(found["t"]) == NOW.timestamp()
    assert int(found["x"]) - int(found["t"]) == timedelta(days=14).total_seconds()
    assert "l" not in found


@pytest.mark.parametrize("name", OVERSIGNED)
def test_a_field_added_on_the_way_breaks_the_signature(name):
    message = signed(MESSAGE)
    assert not verifies(name.encode() + b": added\r\n" + message)


@pytest.mark.parametrize("name", ["Received", "X-Spam-Flag", "DKIM-Signature-Not", "References", "List-Id"])
def test_fields_that_servers_add_do_not_break_it(name):
    message = signed(MESSAGE)
    assert verifies(name.encode() + b": added\r\n" + message)


def test_an_older_signature_stays_and_ours_verifies_on_top_of_it():
    older = sign(MESSAGE, domain="older.example", selector="x", key=KEY, now=NOW) + MESSAGE
    assert verifies(signed(older))


@pytest.mark.parametrize("change", [(b"hungry", b"angry"), (b"dinner", b"supper"), (b"Joe SixPack", b"Joe FourPack")])
def test_a_changed_message_does_not_verify(change):
    assert not verifies(signed(MESSAGE).replace(*change))


TEXT = st.text(st.sampled_from("abc =:;,<>@\t\x0bäö\U0001f600"), max_size=60).map(str.encode)
NAMES = st.sampled_from(
    ["Subject", "to", "CC", "Reply-To", "Content-Type", "X-Other", "List-Id", "subject", "References", "Feedback-ID"]
)
FOLDED = st.lists(TEXT, min_size=1, max_size=3).map(lambda parts: b" x" + b"\r\n y".join(parts) + b"z")
LINES = st.lists(
    st.sampled_from([b"", b" ", b"\t", b"text  with\t blanks ", b".", b"\xff\x00", b"a" * 70]), max_size=30
)


@given(fields=st.lists(st.tuples(NAMES, FOLDED), max_size=12), lines=LINES, chunk=st.integers(1, 200))
def test_any_message_cut_anywhere_verifies(fields, lines, chunk):
    fields = [("From", b" a@football.example.com"), *fields]
    body = b"".join(line + b"\r\n" for line in lines)
    signer = MessageSigner()
    for name, value in fields:
        # A milter sees folds as line feeds.
        signer.header(name, value.replace(b"\r\n", b"\n"))
    for at in range(0, len(body), chunk):
        signer.body(body[at : at + chunk])
    value = signer.signature(SigningIdentity("football.example.com", "brisbane", KEY), now=NOW)
    message = b"".join(name.encode() + b":" + value + b"\r\n" for name, value in fields) + b"\r\n" + body
    assert verifies(b"DKIM-Signature:" + value.encode() + b"\r\n" + message)
    assert verifies(signed(message))


def test_line_feeds_alone_are_signed_as_the_crlf_they_become():
    assert sign(
        MESSAGE.replace(b"\r\n", b"\n"), domain="football.example.com", selector="brisbane", key=KEY, now=NOW
    ) + MESSAGE == signed(MESSAGE)


@pytest.mark.parametrize("message", [b"", b"\r\n", b"Subject: x\r\n\r\nbody", b"\r\nFrom: in@the.body\r\n"])
def test_a_message_without_from_is_not_signed(message):
    with pytest.raises(InvalidInput, match="From"):
        signed(message)


def test_a_header_without_body_is_signed():
    message = b"From: a@football.example.com\r\n"
    assert verifies(signed(message) + b"\r\n")


def test_an_ed25519_key_signs_beside_the_rsa_key():
    """RFC 8463: one pass over the message, two signatures; dkimpy reads such keys only with PyNaCl, so by hand here."""
    key = ed25519.Ed25519PrivateKey.generate()
    signer = MessageSigner()
    head, _, body = MESSAGE.partition(b"\r\n\r\n")
    fields = dict(header_fields(head))
    for name, value in fields.items():
        signer.header(name, value)
    signer.body(body)
    first = signer.signature(SigningIdentity("football.example.com", "brisbane", KEY), now=NOW)
    second = signer.signature(SigningIdentity("football.example.com", "adelaide", load_private_key(pem(key))), now=NOW)
    assert verifies(b"DKIM-Signature:" + first.encode() + b"\r\n" + MESSAGE)
    found = tags(b"DKIM-Signature:" + second.encode())
    assert found["a"] == "ed25519-sha256"
    lines = [
        name.lower().encode() + b":" + fields[name].strip() for name in ("From", "To", "Subject", "Date", "Message-ID")
    ]
    lines.append(b"dkim-signature:" + " ".join(second[: second.index("\tb=") + 3].split()).encode())
    digest = hashlib.sha256(b"\r\n".join(lines)).digest()
    key.public_key().verify(base64.b64decode(found["b"]), digest)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n",
        pem(ec.generate_private_key(ec.SECP256R1())),
        "ключ",
    ],
)
def test_what_cannot_sign_is_no_key(text):
    with pytest.raises(InvalidInput, match="key"):
        load_private_key(text)
