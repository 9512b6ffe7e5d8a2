"""The way out: a client submits, the message is signed and arrives in the world outside."""

import smtplib
import ssl
import subprocess

import dkim
import pytest

from tests.system.running import MAIL_NAME, Inbox, Service, letter, token

PORTS = ["submission", "submissions"]


def signed_by(service: Service, content: bytes) -> str | None:
    """The domain whose signature an independent verifier confirms with the key from DNS."""
    verifier = dkim.DKIM(content)
    return verifier.domain.decode() if verifier.verify(dnsfunc=service.txt) else None


@pytest.mark.parametrize("port", PORTS)
def test_swaks_submits_and_the_signed_message_arrives_outside(service: Service, ada: Inbox, port: str) -> None:
    """Debian's swaks on 587 with STARTTLS and on 465, with an app password."""
    word = token()
    tls = "--tls" if port == "submission" else "--tls-on-connect"
    command = ["swaks", "--server", f"127.0.0.1:{service.port(port)}", tls]
    command += ["--tls-verify", "--tls-ca-path", service.endpoints["tls_ca"]]
    command += ["--auth", "PLAIN", "--auth-user", ada.address, "--auth-password", ada.app_password]
    command += ["--from", ada.address, "--to", "bob@stranger.test", "--header", f"Subject: {word}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    kept = service.outside(word)
    assert (kept.envelope["mail_from"], kept.envelope["rcpt_to"]) == (ada.address, ["bob@stranger.test"])
    assert kept.envelope["tls"], "TLS is taken where it is offered"
    assert kept.envelope["helo"] == "mx.smailor.test"
    assert signed_by(service, kept.content) == "analytical.test"


@pytest.mark.parametrize("port", PORTS)
def test_smtplib_submits_what_a_mail_client_writes(service: Service, grace: Inbox, port: str) -> None:
    """MIME, UTF-8, an attachment: the signature holds at the other end, so nothing was changed on the way."""
    word = token()
    message = letter(f"Grace Höpper <{grace.address}>", "bob@stranger.test", f"{word} über", "Grüße\n.\n..\n \n")
    message.add_attachment(bytes(range(256)) * 200, maintype="application", subtype="octet-stream", filename="a.bin")
    connect = service.smtp if port == "submission" else service.smtps
    with connect(grace) as client:
        client.send_message(message)
    kept = service.outside(word)
    assert signed_by(service, kept.content) == "lovelace.test"
    (attachment,) = kept.message.iter_attachments()
    assert attachment.get_content() == bytes(range(256)) * 200


def test_eight_bit_and_odd_lines_still_verify(service: Service, ada: Inbox) -> None:
    word = token()
    raw = (
        f"From: {ada.address}\r\nTo: x@stranger.test\r\nSubject:  {word}\r\n  folded \t line \r\n"
        "Date: Mon, 23 Nov 2026 09:30:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Content-Transfer-Encoding: 8bit\r\n\r\nGrüße  \r\n\r\n.dot\r\n\t \r\n\r\n\r\n"
    ).encode()
    with service.smtp(ada) as client:
        client.sendmail(ada.address, ["x@stranger.test"], raw, ["body=8bitmime"])
    assert signed_by(service, service.outside(word).content) == "analytical.test"


def test_signature_is_rsa_2048_relaxed_and_covers_from(service: Service, ada: Inbox) -> None:
    word = token()
    with service.smtp(ada) as client:
        client.send_message(letter(ada.address, "bob@stranger.test", word))
    kept = service.outside(word)
    tags = dkim.util.parse_tag_value(kept.message["DKIM-Signature"].replace("\r\n", "").encode())
    assert (tags[b"a"], tags[b"c"], tags[b"d"]) == (b"rsa-sha256", b"relaxed/relaxed", b"analytical.test")
    assert b"from" in tags[b"h"].lower().replace(b" ", b"").split(b":")
    assert len(tags[b"b"].replace(b" ", b"").replace(b"\t", b"")) == 344, "256 bytes in base64"
    assert len(kept.message.get_all("DKIM-Signature")) == 1


def test_the_client_s_address_does_not_leave(service: Service, ada: Inbox) -> None:
    word = token()
    with service.smtp(ada) as client:
        client.send_message(letter(ada.address, "bob@stranger.test", word))
    received = "".join(service.outside(word).message.get_all("Received"))
    assert "client.test" not in received
    assert "127.0.0.1" not in received


def test_both_tenants_reach_each_other(service: Service, ada: Inbox, grace: Inbox) -> None:
    word = token()
    with service.smtp(ada) as client:
        client.send_message(letter(ada.address, grace.address, word))
    content = service.arrived(grace, word)
    assert signed_by(service, content) == "analytical.test"
    assert service.all_outside(word) == []


def test_587_offers_no_login_before_tls(service: Service, ada: Inbox) -> None:
    """A password never crosses the wire in the clear, not even when a client insists."""
    with smtplib.SMTP("127.0.0.1", service.port("submission"), timeout=30) as client:
        client.ehlo()
        assert not client.has_extn("auth")
        assert client.has_extn("starttls")
        code, _ = client.docmd("AUTH", "PLAIN AGFkYQBzZWNyZXQ=")
        assert code >= 500
        assert client.docmd("MAIL", f"FROM:<{ada.address}>")[0] == 530
        client._host = MAIL_NAME
        client.starttls(context=service.tls)
        client.ehlo()
        assert {"PLAIN", "LOGIN"} <= set(client.esmtp_features["auth"].split())


def test_old_tls_is_refused(service: Service) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with (
        pytest.raises((ssl.SSLError, OSError)),
        smtplib.SMTP_SSL("127.0.0.1", service.port("submissions"), context=context, timeout=30) as client,
    ):
        client.ehlo()


def test_port_25_offers_no_login(service: Service) -> None:
    with service.port_25() as client:
        assert not client.has_extn("auth")


def test_submission_without_login_is_refused(service: Service) -> None:
    with service.smtp() as client:
        client.mail("ada@analytical.test")
        code, _ = client.rcpt("bob@stranger.test")
    assert code >= 500


def test_a_wrong_password_is_refused(service: Service, ada: Inbox) -> None:
    with service.smtp() as client, pytest.raises(smtplib.SMTPAuthenticationError):
        client.login(ada.address, "not-the-password")
    with service.smtp() as client, pytest.raises(smtplib.SMTPAuthenticationError):
        client.login(ada.address, ada.password)  # the web password is for the web only


@pytest.mark.parametrize("sender", ["charles@analytical.test", "grace@lovelace.test", "bob@stranger.test", ""])
def test_a_cannot_send_as_b_in_the_envelope(service: Service, ada: Inbox, sender: str) -> None:
    word = token()
    with service.smtp(ada) as client:
        codes = [client.mail(sender)[0]]
        if codes[0] < 400:
            codes.append(client.rcpt("bob@stranger.test")[0])
    assert 500 <= codes[-1] < 600
    assert service.all_outside(word) == []


FORGED = {
    "another person": "From: Charles <charles@analytical.test>",
    "another tenant": "From: grace@lovelace.test",
    "a stranger": "From: Bob <bob@stranger.test>",
    "display name first": 'From: "ada@analytical.test" <charles@analytical.test>',
    "two mailboxes": "From: ada@analytical.test, charles@analytical.test",
    "two headers": "From: ada@analytical.test\r\nFrom: charles@analytical.test",
    "group": "From: people: ada@analytical.test, charles@analytical.test;",
    "comment": "From: ada@analytical.test (real) , (x) charles@analytical.test",
    "none": "X-From: ada@analytical.test",
    "encoded": "From: =?utf-8?q?ada=40analytical=2Etest?= <grace@lovelace.test>",
}


@pytest.mark.parametrize("header", FORGED.values(), ids=FORGED.keys())
def test_a_cannot_send_as_b_in_the_from_header(service: Service, ada: Inbox, header: str) -> None:
    word = token()
    raw = f"{header}\r\nTo: bob@stranger.test\r\nSubject: {word}\r\n\r\nhello\r\n".encode()
    with service.smtp(ada) as client:
        with pytest.raises(smtplib.SMTPDataError) as refused:
            client.sendmail(ada.address, ["bob@stranger.test"], raw)
        assert 500 <= refused.value.smtp_code < 600
    assert service.all_outside(word) == []


def test_an_alias_and_a_sub_address_may_be_used_as_sender(service: Service, ada: Inbox) -> None:
    """info@ delivers to Ada alone; ada+x@ is Ada."""
    for sender in ("info@analytical.test", "ada+orders@analytical.test"):
        word = token()
        with service.smtp(ada) as client:
            client.send_message(letter(sender, "bob@stranger.test", word))
        kept = service.outside(word)
        assert kept.envelope["mail_from"] == sender
        assert signed_by(service, kept.content) == "analytical.test"


def test_an_unverified_domain_neither_sends_nor_logs_in(service: Service) -> None:
    secret = service.new_app_password("ada@unverified.test")["secret"]
    with service.smtp() as client, pytest.raises(smtplib.SMTPAuthenticationError):
        client.login("ada@unverified.test", secret)


def test_a_message_over_the_size_limit_is_refused_at_once(service: Service, ada: Inbox) -> None:
    with service.smtp(ada) as client:
        limit = int(client.esmtp_features["size"])
        code, _ = client.mail(ada.address, [f"size={limit + 1}"])
    assert code == 552


def test_tls_or_nothing(service: Service, ada: Inbox) -> None:
    """With `transport set` mail for a destination leaves over TLS only."""
    service.operate("transport", "set", "royalsociety.test")
    word = token()
    with service.smtp(ada) as client:
        client.send_message(letter(ada.address, "michael@royalsociety.test", word))
    assert service.outside(word).envelope["tls"]
