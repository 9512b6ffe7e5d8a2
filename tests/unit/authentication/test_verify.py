"""What a DKIM signature is worth: each way in which it is not a pass, with its status and reason."""

import base64
import hashlib
import tracemalloc
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from smailor.authentication.body_hashes import BodyHashes
from smailor.authentication.dkim import LIFETIME, folded_signature, sign
from smailor.authentication.header import Field, Header
from smailor.authentication.signature import read_coverage, read_tags
from smailor.authentication.verify import DkimStatus, Verifier, split_message, verify_signatures
from smailor.dns.fake import FakeResolver

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ED25519 = ed25519.Ed25519PrivateKey.generate()
NAME = "s._domainkey.example.com"
MESSAGE = b"From: Ada <ada@example.com>\r\nTo: x@example.net\r\nSubject: Hello\r\n\r\nGood morning.\r\n"


def public(key) -> str:
    """Return `p=` of a key."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return base64.b64encode(key.public_key().public_bytes_raw()).decode()
    octets = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(octets).decode()


RSA_RECORD = f"v=DKIM1; k=rsa; p={public(RSA)}"
ED25519_RECORD = f"v=DKIM1; k=ed25519; p={public(ED25519)}"


def signed(key=RSA, message: bytes = MESSAGE, **changes: str | None) -> bytes:
    """Sign a message by hand: any tag may be another (None: not there), and the signature fits all the same."""
    fields, body = split_message(message)
    tags: dict[str, str | None] = {
        "v": "1",
        "a": "rsa-sha256" if key is RSA else "ed25519-sha256",
        "c": "relaxed/relaxed",
        "d": "example.com",
        "s": "s",
        "h": "from:to:subject",
        "bh": "",
    }
    tags.update(changes)
    limit = int(tags["l"]) if tags.get("l") else None
    bodies = BodyHashes()
    hash_ = bodies.wanted(relaxed=(tags["c"] or "").endswith("/relaxed"), limit=limit)
    bodies.feed(body)
    bodies.finish()
    if tags["bh"] == "":
        tags["bh"] = base64.b64encode(hash_.digest()).decode()
    text = " " + "; ".join(f"{name}={value}" for name, value in tags.items() if value is not None) + "; b="
    names = (tags["h"] or "").replace(" ", "").lower().split(":")
    relaxed = (tags["c"] or "").startswith("relaxed")
    own = Field("DKIM-Signature", text.encode())
    lines = [*Header(fields).lines(names, relaxed=relaxed), own.relaxed if relaxed else own.simple]
    value = folded_signature(key, b"\r\n".join(lines)).encode()
    return b"DKIM-Signature:" + text.encode() + value + b"\r\n" + message


def verdict(message: bytes, record: str = RSA_RECORD, *, now: datetime = NOW, failing=()):
    resolver = FakeResolver({(NAME, "TXT"): [record]} if record else {}, failing=failing)
    [result] = verify_signatures(message, resolver=resolver, now=now)
    return result


@pytest.mark.parametrize(
    "form", ["simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed", "relaxed", "simple"]
)
@pytest.mark.parametrize(("key", "record"), [(RSA, RSA_RECORD), (ED25519, ED25519_RECORD)], ids=["rsa", "ed25519"])
def test_a_good_signature_passes_in_every_form(form, key, record):
    result = verdict(signed(key, c=form), record)
    assert (result.status, result.domain, result.selector, result.identity) == (
        DkimStatus.PASS,
        "example.com",
        "s",
        "@example.com",
    )
    assert result.reason == "signed by example.com"
    assert result.key_bits == (2048 if key is RSA else 256)
    assert len(result.signature) == 8


def test_what_we_sign_we_verify():
    for key, record in ((RSA, RSA_RECORD), (ED25519, ED25519_RECORD)):
        assert (
            verdict(sign(MESSAGE, domain="example.com", selector="s", key=key, now=NOW) + MESSAGE, record).status
            is DkimStatus.PASS
        )


NOT_A_PASS = {
    "an unknown version": ({"v": "2"}, DkimStatus.PERMERROR, "version"),
    "no version": ({"v": None}, DkimStatus.PERMERROR, "v= is missing"),
    "rsa-sha1 (RFC 8301 3.1)": ({"a": "rsa-sha1"}, DkimStatus.PERMERROR, "rsa-sha1"),
    "an unknown algorithm": ({"a": "rsa-md5"}, DkimStatus.PERMERROR, "algorithm"),
    "an unknown canonicalisation": ({"c": "nofws"}, DkimStatus.PERMERROR, "canonicalisation"),
    "no body hash": ({"bh": None}, DkimStatus.PERMERROR, "bh= is missing"),
    "an unreadable body hash": ({"bh": "***"}, DkimStatus.NEUTRAL, "base64"),
    "no domain": ({"d": None}, DkimStatus.PERMERROR, "d= is missing"),
    "a top-level domain": ({"d": "com"}, DkimStatus.NEUTRAL, "domain name"),
    "a strange selector": ({"s": "../x"}, DkimStatus.NEUTRAL, "selector"),
    "From not signed": ({"h": "to:subject"}, DkimStatus.PERMERROR, "From"),
    "an empty h=": ({"h": ""}, DkimStatus.PERMERROR, "From"),
    "a key by other ways": ({"q": "http"}, DkimStatus.PERMERROR, "q="),
    "i= of another domain": ({"i": "ada@example.net"}, DkimStatus.PERMERROR, "i="),
    "i= that only ends alike": ({"i": "ada@notexample.com"}, DkimStatus.PERMERROR, "i="),
    "i= without @": ({"i": "example.com"}, DkimStatus.NEUTRAL, "@"),
    "expired": ({"x": "1700000000"}, DkimStatus.PERMERROR, "expired"),
    "expired before it was made": ({"t": "1900000001", "x": "1900000000"}, DkimStatus.PERMERROR, "before it was made"),
    "made in the future": ({"t": "1900000000"}, DkimStatus.POLICY, "future"),
    "a time that is none": ({"t": "yesterday"}, DkimStatus.NEUTRAL, "t="),
    "a part of the body": ({"l": "5"}, DkimStatus.POLICY, "part of the body"),
    "nothing of the body": ({"l": "0"}, DkimStatus.POLICY, "part of the body"),
    "more than the body": ({"l": "500"}, DkimStatus.FAIL, "shorter"),
    "a length that is none": ({"c": "simple", "l": "-1", "bh": "AAAA"}, DkimStatus.NEUTRAL, "l="),
}  # fmt: skip


@pytest.mark.parametrize("case", NOT_A_PASS)
def test_a_signature_that_fits_may_still_not_pass(case):
    changes, status, reason = NOT_A_PASS[case]
    if case == "a length that is none":
        message = b"DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=s; h=from; l=-1; bh=AAAA; b=AAAA\r\n" + MESSAGE
    else:
        message = signed(**changes)
    result = verdict(message)
    assert (result.status, reason in result.reason) == (status, True), result


OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
KEYS = {
    "no record": ("", DkimStatus.PERMERROR, "no key"),
    "revoked": ("v=DKIM1; k=rsa; p=", DkimStatus.PERMERROR, "revoked"),
    "no p=": ("v=DKIM1; k=rsa", DkimStatus.PERMERROR, "p="),
    "another version": (RSA_RECORD.replace("DKIM1", "DKIM2"), DkimStatus.PERMERROR, "version"),
    "version not first": (f"k=rsa; v=DKIM1; p={public(RSA)}", DkimStatus.PERMERROR, "version"),
    "an unknown kind": (RSA_RECORD.replace("k=rsa", "k=dsa"), DkimStatus.PERMERROR, "kind"),
    "a kind that does not fit": (ED25519_RECORD, DkimStatus.PERMERROR, "another kind"),
    "an Ed25519 key called RSA": (ED25519_RECORD.replace("ed25519", "rsa"), DkimStatus.PERMERROR, "no RSA key"),
    "an RSA key called Ed25519": (RSA_RECORD.replace("k=rsa", "k=ed25519"), DkimStatus.PERMERROR, "32 octets"),
    "for other hashes": (RSA_RECORD + "; h=sha1", DkimStatus.PERMERROR, "sha256"),
    "for other services": (RSA_RECORD + "; s=tlsrpt", DkimStatus.PERMERROR, "e-mail"),
    "not base64": ("v=DKIM1; p=!!!!", DkimStatus.PERMERROR, "base64"),
    "a tag twice": (RSA_RECORD + "; k=rsa", DkimStatus.PERMERROR, "twice"),
    "another key": (f"p={public(OTHER)}", DkimStatus.FAIL, "changed"),
}  # fmt: skip


@pytest.mark.parametrize("case", KEYS)
def test_a_key_that_may_not_be_used_is_not_a_pass(case):
    record, status, reason = KEYS[case]
    result = verdict(signed(), record)
    assert (result.status, reason in result.reason) == (status, True), result


@pytest.mark.parametrize(
    "record",
    [RSA_RECORD + "; h=sha1:sha256", RSA_RECORD + "; s=email", RSA_RECORD + "; s=tlsrpt:*", RSA_RECORD + "; n=hello; g=; x=y;",
     f"p={public(RSA)}", RSA_RECORD.replace("p=", "p=\r\n ").replace("A", "A ")],
)  # fmt: skip
def test_a_key_with_other_tags_may_be_used(record):
    assert verdict(signed(), record).status is DkimStatus.PASS


def test_a_short_key_is_not_a_pass():
    """RFC 8301 section 3.2. The key is of a real record that had it."""
    short = "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBALgSoqXVSEmfcIsOzw7oRuCCOwsmtX/SJnTWxYyj2leFxfS/AVJ+dYfY+hXqMsT7l+MZvvh/R1WzN4MO/kI/7XsCAwEAAQ=="
    result = verdict(signed(), f"v=DKIM1; p={short}")
    assert (result.status, "512 bits is too short" in result.reason) == (DkimStatus.POLICY, True)


def test_a_strict_key_is_for_its_very_domain():
    message = signed(i="ada@mail.example.com")
    assert verdict(message).status is DkimStatus.PASS
    result = verdict(message, RSA_RECORD + "; t=s")
    assert (result.status, "very domain" in result.reason) == (DkimStatus.PERMERROR, True)
    assert verdict(signed(i="ada@EXAMPLE.com"), RSA_RECORD + "; t=y:s").testing


def test_the_key_may_stand_beside_other_text():
    resolver = FakeResolver({(NAME, "TXT"): ["v=spf1 -all", RSA_RECORD]})
    [result] = verify_signatures(signed(), resolver=resolver, now=NOW)
    assert result.status is DkimStatus.PASS


def test_a_silent_dns_is_a_temporary_error_only_where_a_pass_could_still_come():
    assert verdict(signed(), failing=[NAME]).status is DkimStatus.TEMPERROR
    changed = signed().replace(b"Good morning", b"Good evening")
    assert verdict(changed, failing=[NAME]).status is DkimStatus.FAIL


@pytest.mark.parametrize(
    "change", [(b"Good morning", b"Good evening"), (b"Ada <", b"Eve <"), (b"Hello", b"hello"), (b"Subject", b"X")]
)
def test_a_changed_message_fails(change):
    assert verdict(signed().replace(*change)).status is DkimStatus.FAIL


def test_a_second_from_field_is_not_covered_by_one_signature():
    result = verdict(b"From: boss@example.com\r\n" + signed())
    assert (result.status, "2 From fields" in result.reason) == (DkimStatus.POLICY, True)


def test_a_signature_is_good_until_it_expires():
    message = sign(MESSAGE, domain="example.com", selector="s", key=RSA, now=NOW) + MESSAGE
    assert verdict(message, now=NOW + LIFETIME).status is DkimStatus.PASS
    assert "expired" in verdict(message, now=NOW + LIFETIME + timedelta(seconds=1)).reason


def test_every_signature_gets_its_verdict_in_order_up_to_the_limit():
    message = b"DKIM-Signature: nonsense\r\n" + signed() + b""
    message = b"DKIM-Signature: v=2\r\n" + message
    resolver = FakeResolver({(NAME, "TXT"): [RSA_RECORD]})
    statuses = [result.status for result in verify_signatures(message, resolver=resolver, now=NOW)]
    assert statuses == [DkimStatus.PERMERROR, DkimStatus.NEUTRAL, DkimStatus.PASS]
    assert len(verify_signatures(message, resolver=resolver, now=NOW, limit=2)) == 2
    many = b"DKIM-Signature: x\r\n" * 500 + message
    assert len(verify_signatures(many, resolver=resolver, now=NOW)) == 10


def test_a_message_without_signature_has_no_verdict():
    assert verify_signatures(MESSAGE, resolver=FakeResolver(), now=NOW) == ()
    assert verify_signatures(b"", resolver=FakeResolver(), now=NOW) == ()


def test_the_names_of_keys_are_known_before_the_body_comes():
    fields, _ = split_message(b"DKIM-Signature: broken\r\n" + signed())
    assert Verifier(fields, now=NOW).key_names == (NAME,)


def test_international_domains_are_asked_for_by_their_a_labels():
    """RFC 8616 section 5: in an internationalised message d=, s= and i= are U-labels."""
    message = signed(d="bücher.example", s="schlüssel", i="ada@bücher.example")
    resolver = FakeResolver({("xn--schlssel-95a._domainkey.xn--bcher-kva.example", "TXT"): [RSA_RECORD]})
    [result] = verify_signatures(message, resolver=resolver, now=NOW)
    assert (result.status, result.domain) == (DkimStatus.PASS, "xn--bcher-kva.example")


@given(
    chunks=st.lists(st.sampled_from([b"a", b" ", b"\t", b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"x y"]), max_size=30),
    limit=st.one_of(st.none(), st.integers(0, 40)),
)
def test_any_cut_of_a_body_gives_the_hash_of_the_whole(chunks, limit):
    whole = BodyHashes()
    cut = BodyHashes()
    wanted = [(bodies.wanted(relaxed=relaxed, limit=limit)) for relaxed in (True, False) for bodies in (whole, cut)]
    whole.feed(b"".join(chunks))
    for chunk in chunks:
        cut.feed(chunk)
    whole.finish()
    cut.finish()
    assert wanted[0].digest() == wanted[1].digest()
    assert wanted[2].digest() == wanted[3].digest()
    assert wanted[0].octets == wanted[1].octets


def test_a_simple_body_ends_in_one_crlf():
    """RFC 6376 section 3.4.3: an empty body is one CRLF."""
    for body, canonical in (
        (b"", b"\r\n"),
        (b"\r\n\r\n", b"\r\n"),
        (b"a \r\n\r\n", b"a \r\n"),
        (b"a", b"a\r\n"),
        (b"a\r", b"a\r\r\n"),
    ):
        bodies = BodyHashes()
        found = bodies.wanted(relaxed=False, limit=None)
        bodies.feed(body)
        bodies.finish()
        bodies.finish()
        assert found.digest() == hashlib.sha256(canonical).digest()


def test_one_hash_serves_all_signatures_that_ask_for_it():
    bodies = BodyHashes()
    fields, body = split_message(signed() + b"")
    twice = [fields[0], *fields]
    verifier = Verifier(twice, now=NOW, bodies=bodies)
    assert bodies.wanted(relaxed=True, limit=None) is bodies.wanted(relaxed=True, limit=None)
    assert len(bodies._hashes) == 1
    bodies.feed(body)
    with pytest.raises(RuntimeError):
        bodies.wanted(relaxed=False, limit=None)
    results = [check.result(FakeResolver({(NAME, "TXT"): [RSA_RECORD]})) for check in verifier.checks()]
    assert [result.status for result in results] == [DkimStatus.PASS] * 2


def test_memory_does_not_grow_with_the_body():
    fields, _ = split_message(signed() + b"")
    verifier = Verifier(
        [*fields, ("DKIM-Signature", signed(c="simple/simple").partition(b":")[2].partition(b"\r\n")[0])], now=NOW
    )
    chunk = b"line of text\r\n\r\n" * 4096
    verifier.feed(chunk)
    tracemalloc.start()
    for _ in range(200):
        verifier.feed(chunk)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_coverage_takes_blanks_in_h_and_refuses_other_forms():
    tags = read_tags(b"h= From :\r\n To ; bh=AAAA; c=relaxed")
    coverage = read_coverage(tags)
    assert (coverage.names, coverage.relaxed_header, coverage.relaxed_body) == (("from", "to"), True, False)
