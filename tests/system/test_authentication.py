"""Whose mail from outside is believed, through the whole service: Postfix, both milters in front of it, Sieve, IMAP.

Signatures and seals are made by dkimpy. On one kind of database: none of it depends on that.
"""

import re
import smtplib
from email.message import EmailMessage

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from smailor.stack.internet_send import Reply
from tests.system.running import Inbox, Service, letter, token
from tests.unit.authentication.test_verify import public

pytestmark = pytest.mark.parametrize("service", ["sqlite"], indirect=True)

US = "mx.smailor.test"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)  # fmt: skip
HOME = "192.0.2.20"
"""Where the author's domain sends from. The small internet has a name for it, so that Rspamd minds nothing."""
ELSEWHERE = "192.0.2.30"
ZONE = f"""\
$TTL 1
@ SOA ns.internet.test. hostmaster.internet.test. 1 3600 600 86400 1
@ NS ns.internet.test.
@ A {HOME}
@ MX 10 mx.internet.test.
@ TXT "v=spf1 ip4:{HOME} -all"
_dmarc TXT "v=DMARC1; p={{policy}}"
s._domainkey TXT {{key}}
"""


def new_domain(service: Service, policy: str = "reject", extra: str = "") -> str:
    """A domain of the test's own with this policy, an SPF record and a key."""
    name = f"{token()[:12]}.test"
    record = f"v=DKIM1; p={public(KEY)}"
    strings = " ".join(f'"{record[at : at + 200]}"' for at in range(0, len(record), 200))
    service.drop_zone(name, ZONE.format(policy=policy, key=strings) + extra)
    return name


def send(service: Service, message: EmailMessage | bytes, sender: str, recipient: str, ip: str) -> Reply:
    """Hand a message in; the server's last word on it."""
    return service.from_outside(message, sender=sender, recipient=recipient, ip=ip).replies[-1]


def as_sent(author: str, recipient: str, word: str, text: str = "Hello\n", **headers: str) -> bytes:
    message = letter(author, recipient, word, text, **headers)
    return message.as_bytes(policy=message.policy.clone(linesep="\r\n"))


def results(message: bytes) -> str:
    """What our own field says, which is on top of the header that the milter saw."""
    header = re.sub(rb"\r?\n[ \t]+", b" ", message.partition(b"\r\n\r\n")[0]).decode("utf-8", "replace")
    [ours] = re.findall(rf"(?im)^Authentication-Results: {re.escape(US)};(.*)$", header)
    return ours


def names(message: bytes) -> list[str]:
    header = message.partition(b"\r\n\r\n")[0]
    return [name.decode("ascii", "replace").lower() for name in re.findall(rb"(?m)^([^\s:]+)[ \t]*:", header)]


def test_a_forged_sender_is_refused_with_its_domain_and_the_reason(service: Service, ada: Inbox) -> None:
    domain = new_domain(service, "reject")
    author = f"boss@{domain}"
    answer = send(service, letter(author, ada.address, token()), author, ada.address, ELSEWHERE)
    assert answer.code == 550
    assert answer.text.startswith(
        f"5.7.1 Message refused by the DMARC policy of {domain}: nothing vouches for {domain}"
    )
    assert "SPF is fail" in answer.text
    assert "p=reject" in answer.text


def test_a_forged_sender_below_quarantine_goes_to_junk_by_our_mark_alone(service: Service, ada: Inbox) -> None:
    word, author = token(), f"boss@{new_domain(service, 'quarantine')}"
    assert send(service, letter(author, ada.address, word), author, ada.address, ELSEWHERE).code == 250
    arrived = service.arrived(ada, word, "Junk")
    assert b"\r\nX-Smailor-Quarantine: dmarc\r\n" in arrived
    assert b"\r\nX-Spam: Yes" not in arrived
    assert "dmarc=fail" in results(arrived)


def test_a_policy_of_none_files_nothing_away(service: Service, ada: Inbox) -> None:
    word, author = token(), f"boss@{new_domain(service, 'none')}"
    assert send(service, letter(author, ada.address, word), author, ada.address, ELSEWHERE).code == 250
    arrived = service.arrived(ada, word)
    assert "dmarc=fail" in results(arrived)
    assert "x-smailor-quarantine" not in names(arrived)


def test_the_domains_own_server_passes_by_spf(service: Service, ada: Inbox) -> None:
    word, author = token(), f"ada@{new_domain(service)}"
    assert send(service, letter(author, ada.address, word), author, ada.address, HOME).code == 250
    found = results(service.arrived(ada, word))
    for part in ("spf=pass (", f"smtp.mailfrom={author}", "dkim=none", "dmarc=pass"):
        assert part in found


def test_a_signature_passes_from_anywhere_and_a_changed_message_does_not(service: Service, ada: Inbox) -> None:
    word, domain = token(), new_domain(service)
    message = as_sent(f"ada@{domain}", ada.address, word, "Hello  \n\n.\n..\n \n\n")
    signed = dkim.sign(message, b"s", domain.encode(), PEM) + message
    assert send(service, signed, "bounces@stranger.test", ada.address, ELSEWHERE).code == 250
    found = results(service.arrived(ada, word))
    assert f"header.d={domain}" in found
    for part in ("spf=fail", "dkim=pass", "dmarc=pass"):
        assert part in found
    changed = send(service, signed + b"PS: pay to the other account\r\n", "", ada.address, ELSEWHERE)
    assert changed.code == 550
    assert domain in changed.text


def test_what_others_write_in_our_name_is_gone_and_what_they_write_in_theirs_stays(
    service: Service, ada: Inbox
) -> None:
    word, author = token(), f"ada@{new_domain(service, 'none')}"
    message = (
        f"Authentication-Results: {US}; dmarc=pass header.from=bank.test\r\n"
        f"Authentication-Results : {US.upper()}.;\r\n dkim=pass header.d=bank.test\r\n"
        "Authentication-Results: mx.elsewhere.test; spf=pass smtp.mailfrom=kept.test\r\n"
        "X-Smailor-Quarantine: no\r\nX-SMAILOR-DMARC: pass\r\nX-Smailor-Anything: else\r\n"
    ).encode() + as_sent(author, ada.address, word)
    assert send(service, message, author, ada.address, ELSEWHERE).code == 250
    arrived = service.arrived(ada, word)
    assert b"bank.test" not in arrived
    assert b"kept.test" in arrived
    assert "dmarc=fail" in results(arrived)
    assert not [name for name in names(arrived) if name.startswith("x-smailor-")]
    assert names(arrived).count("authentication-results") == 2


@pytest.mark.parametrize(
    "author",
    [
        b"", b"From: a@stranger.test\r\nFrom: b@stranger.test\r\n", b"From: a@stranger.test\r\nFrom : b@stranger.test\r\n",
        b"From: nobody\r\n", b"From: <a@stranger.test> <b@bank.test>\r\n", b"From: a@b@stranger.test\r\n", b"From:\r\n",
    ],
    ids=["none", "two", "two, one with a blank", "no address", "two in one", "two at signs", "empty"],
)  # fmt: skip
def test_a_from_that_names_nobody_is_refused(service: Service, ada: Inbox, author: bytes) -> None:
    """Even from a server that may send for the envelope's domain."""
    message = author + b"To: x@y.test\r\nSubject: Hello\r\n\r\nHello\r\n"
    answer = send(service, message, "a@stranger.test", ada.address, "192.0.2.10")
    assert answer.code == 550
    assert answer.text.startswith("5.7.1 Message refused: ")


def test_a_dns_that_fails_holds_back_only_what_could_still_pass(service: Service, ada: Inbox) -> None:
    """Names below a server that does not exist: the resolver can tell nothing of them."""
    owing = f"{token()[:12]}.test"
    zone = ZONE.format(policy="reject", key='"v=DKIM1; p="')
    service.drop_zone(owing, zone.replace("v=spf1", f"v=spf1 include:dead.{owing}") + "dead NS ns.dead.test.\n")
    author = f"ada@{owing}"
    answer = send(service, letter(author, ada.address, token()), author, ada.address, ELSEWHERE)
    assert (answer.code, answer.text[:5]) == (451, "4.7.0"), answer
    assert owing in answer.text

    hidden, word = f"{token()[:12]}.test", token()
    service.drop_zone(hidden, zone.replace("_dmarc TXT", "_dmarc NS ns.dead.test.\nother TXT"))
    answer = send(service, letter(f"ada@{hidden}", ada.address, word), "x@royalsociety.test", ada.address, HOME)
    assert answer.code == 250, "whatever its policy is, nothing could vouch for it"
    assert "dmarc=temperror" in results(service.arrived(ada, word))


def test_ten_thousand_fields_arrive(service: Service, ada: Inbox) -> None:
    word, author = token(), f"ada@{new_domain(service)}"
    message = b"X-Many: xxxxxxxxxxxxxxxxxxxx\r\n" * 10_000 + as_sent(author, ada.address, word)
    assert send(service, message, author, ada.address, HOME).code == 250
    arrived = service.arrived(ada, word)
    assert arrived.count(b"X-Many: ") == 10_000
    assert "dmarc=pass" in results(arrived)


def test_a_field_of_a_megabyte_arrives_cut_and_judged(service: Service, ada: Inbox) -> None:
    """Postfix keeps 60,000 octets of a field; what comes after it is judged all the same."""
    word, author = token(), f"ada@{new_domain(service)}"
    message = b"X-Large: " + (b"x" * 900 + b"\r\n ") * 1_100 + b"end\r\n" + as_sent(author, ada.address, word)
    assert send(service, message, author, ada.address, HOME).code == 250
    arrived = service.arrived(ada, word)
    assert len(arrived) < 70_000
    assert "dmarc=pass" in results(arrived)


def test_a_header_beyond_any_measure_is_refused(service: Service, ada: Inbox) -> None:
    author = f"ada@{new_domain(service)}"
    message = (b"X-Much: " + (b"x" * 900 + b"\r\n ") * 50 + b"\r\n") * 30 + as_sent(author, ada.address, token())
    answer = send(service, message, author, ada.address, HOME)
    assert (answer.code, answer.text) == (550, "5.6.0 The header of this message is too large")


@pytest.mark.parametrize("announced", [True, False])
def test_a_hundred_megabytes_are_552_announced_or_not(service: Service, ada: Inbox, announced: bool) -> None:
    with service.port_25() as client:
        if announced:
            code, text = client.mail("x@stranger.test", [f"size={100 * 2**20}"])
        else:
            client.mail("x@stranger.test")
            client.rcpt(ada.address)
            assert client.docmd("DATA")[0] == 354
            client.send(b"From: x@stranger.test\r\n\r\n")
            line = b"x" * 998 + b"\r\n"
            for _ in range(100):
                client.send(line * 1_049)
            client.send(b".\r\n")
            code, text = client.getreply()
        assert (code, text[:5]) == (552, b"5.3.4")
    still_works(service, ada)


def test_eight_megabytes_signed_arrive_whole(service: Service, ada: Inbox) -> None:
    word, domain = token(), new_domain(service)
    message = as_sent(f"ada@{domain}", ada.address, word) + (b"x" * 900 + b"\r\n") * 9_000
    signed = dkim.sign(message, b"s", domain.encode(), PEM) + message
    assert send(service, signed, "", ada.address, ELSEWHERE).code == 250
    arrived = service.arrived(ada, word)
    assert arrived.endswith(message.partition(b"\r\n\r\n")[2])
    assert "dkim=pass" in results(arrived)


def test_binary_octets_arrive_and_a_nul_is_refused(service: Service, ada: Inbox) -> None:
    """Every octet but line ends and NUL, in header and body, below a signature that still holds."""
    word, domain = token(), new_domain(service)
    every = bytes(range(1, 256)).replace(b"\r", b"").replace(b"\n", b"")
    message = b"X-Binary: " + every + b"\r\n" + as_sent(f"ada@{domain}", ada.address, word) + every + b"\r\n"
    signed = dkim.sign(message, b"s", domain.encode(), PEM) + message
    assert send(service, signed, "", ada.address, ELSEWHERE).code == 250
    arrived = service.arrived(ada, word)
    assert arrived.endswith(every + b"\r\n")
    assert "dkim=pass" in results(arrived)
    for place in (b"X-Nul: a\0b\r\n" + message, message + b"a\0b\r\n"):
        answer = send(service, place, "", ada.address, ELSEWHERE)
        assert (answer.code, answer.text) == (550, "5.7.1 disallowed character")
    still_works(service, ada)


def still_works(service: Service, ada: Inbox) -> None:
    word, author = token(), "someone@stranger.test"
    assert send(service, letter(author, ada.address, word), author, ada.address, "192.0.2.10").code == 250
    service.arrived(ada, word)


def test_a_client_that_hangs_up_in_the_middle_leaves_nothing(service: Service, ada: Inbox) -> None:
    word = token()
    client = smtplib.SMTP("127.0.0.1", service.port("smtp"), local_hostname="client.test", timeout=60)
    client.ehlo()
    client.mail("x@stranger.test")
    client.rcpt(ada.address)
    client.docmd("DATA")
    client.send(f"From: x@stranger.test\r\nSubject: {word}\r\n\r\nHalf of ".encode())
    client.close()
    still_works(service, ada)
    with service.imap(ada) as imap:
        imap.select_folder("INBOX")
        assert not imap.search(["SUBJECT", word])
