"""The mail host of the small internet keeps what it is sent, byte for byte."""

import asyncio
import json
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import pytest

from smailor.dns.fake import FakeResolver
from smailor.stack.internet_mail import server_factory
from smailor.stack.internet_send import host_name, internet_send

NOW = datetime(2026, 3, 4, 5, 6, 7, 890, tzinfo=UTC)


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    return tmp_path / "mail"


@pytest.fixture
def server(maildir: Path, certificate: Path, free_port: Callable[[], int]) -> Iterator[str]:
    """The mail host in a thread; its address."""
    port = free_port()
    loop = asyncio.new_event_loop()
    factory = server_factory(maildir, "mx.internet.test", certificate, certificate, lambda: NOW)
    listening = loop.run_until_complete(loop.create_server(factory, "127.0.0.1", port))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield f"127.0.0.1:{port}"
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    listening.close()
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


def kept(maildir: Path) -> list[tuple[bytes, dict]]:
    return [(path.read_bytes(), json.loads(path.with_suffix(".json").read_text())) for path in maildir.glob("*.eml")]


def test_data_is_kept_byte_for_byte_and_the_envelope_beside_it(server: str, maildir: Path) -> None:
    message = b"Subject: x\r\n\r\n.dot\r\n..dots\r\nbare \r and \n here\r\n\xff\x00" + b"long" * 5000 + b"\r\n\r\n"
    with smtplib.SMTP(*server.split(":")) as smtp:
        smtp.ehlo("client.test")
        smtp.mail("", ["size=10"])
        for recipient in ("a@one.test", '"b c"@two.test'):
            smtp.rcpt(recipient)
        code, text = smtp.data(message)
    ((content, facts),) = kept(maildir)
    assert (code, content) == (250, message)
    assert facts["mail_from"] == ""
    assert facts["rcpt_to"] == ["a@one.test", '"b c"@two.test']
    assert facts["received_at"] == NOW.isoformat()
    assert (facts["helo"], facts["tls"]) == ("client.test", None)
    assert text.decode().split()[-1] == next(maildir.glob("*.eml")).stem
    assert not list(maildir.glob(".*")), "nothing half-written is left"


def test_starttls_is_offered_and_noted(server: str, maildir: Path, certificate: Path) -> None:
    with smtplib.SMTP(*server.split(":")) as smtp:
        smtp._host = "mx.internet.test"
        smtp.starttls(context=ssl.create_default_context(cafile=str(certificate)))
        smtp.sendmail("ada@analytical.test", ["grace@lovelace.test"], b"Subject: x\r\n\r\nhello\r\n")
    ((_, facts),) = kept(maildir)
    assert facts["tls"]["version"].startswith("TLSv1.")


def test_addresses_in_any_script_are_taken(server: str, maildir: Path) -> None:
    with smtplib.SMTP(*server.split(":")) as smtp:
        smtp.ehlo()
        smtp.mail("jürgen@bücher.test", ["smtputf8"])
        smtp.rcpt("δοκιμή@παράδειγμα.test")
        smtp.data(b"Subject: x\r\n\r\n")
    ((_, facts),) = kept(maildir)
    assert (facts["mail_from"], facts["rcpt_to"]) == ("jürgen@bücher.test", ["δοκιμή@παράδειγμα.test"])


def test_a_message_over_the_size_limit_is_refused(server: str, maildir: Path) -> None:
    with smtplib.SMTP(*server.split(":")) as smtp:
        smtp.ehlo()
        code, _ = smtp.mail("a@b.test", [f"size={100 * 1024 * 1024}"])
    assert code == 552
    assert kept(maildir) == []


def test_a_disk_that_cannot_be_written_is_said_at_once(server: str, maildir: Path) -> None:
    """The sender keeps the message and tries again."""
    maildir.rmdir()
    with smtplib.SMTP(*server.split(":")) as smtp, pytest.raises(smtplib.SMTPDataError) as refused:
        smtp.sendmail("a@b.test", ["c@d.test"], b"\r\n")
    assert refused.value.smtp_code == 452


def test_every_message_has_its_own_name(server: str, maildir: Path) -> None:
    for _ in range(20):
        with smtplib.SMTP(*server.split(":")) as smtp:
            smtp.sendmail("a@b.test", ["c@d.test"], b"\r\n")
    assert len(kept(maildir)) == 20


class ScriptedServer:
    """A mail host that speaks XCLIENT and answers by a script: command's first word to reply lines."""

    def __init__(self, replies: dict[str, str]) -> None:
        self.replies = {
            "EHLO": "250-mx\r\n250-SIZE\r\n250-SMTPUTF8\r\n250 XCLIENT NAME ADDR",
            "XCLIENT": "220 mx again",
            "DATA": "354 go",
            "QUIT": "221 bye",
            **replies,
        }
        self.commands: list[str] = []
        self.data = b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "{}:{}".format(*self.listener.getsockname())
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        connection, _ = self.listener.accept()
        self.listener.close()
        with connection, connection.makefile("rwb") as stream:
            stream.write(b"220 mx\r\n")
            stream.flush()
            for line in stream:
                command, space, rest = line.decode().strip().partition(" ")
                command = f"{command.upper()}{space}{rest}"
                self.commands.append(command)
                reply = self.replies.get(command.split(":")[0].split()[0], "250 ok")
                stream.write(reply.encode() + b"\r\n")
                stream.flush()
                if command == "DATA" and reply.startswith("354"):
                    while (line := stream.readline()) != b".\r\n":
                        self.data += line
                    stream.write(self.replies.get("end", "250 queued as 4ABC").encode() + b"\r\n")
                    stream.flush()
                if command == "QUIT":
                    return


DNS = FakeResolver(
    {
        ("10.2.0.192.in-addr.arpa", "PTR"): ["mail.stranger.test"],
        ("mail.stranger.test", "A"): ["192.0.2.10"],
        ("11.2.0.192.in-addr.arpa", "PTR"): ["mail.stranger.test"],
    },
    failing=["12.2.0.192.in-addr.arpa"],
)


def send(server: ScriptedServer, message: bytes = b"Subject: x\n\nhello\n", **given):
    facts = {"mail_from": "bob@stranger.test", "rcpt_to": ("ada@analytical.test",), "ip": "192.0.2.10", **given}
    try:
        return internet_send(message, server=server.address, dns=DNS, **facts)
    finally:
        server.thread.join()


def test_a_stranger_comes_from_the_address_it_was_given() -> None:
    server = ScriptedServer({})
    delivery = send(server)
    assert delivery.accepted
    assert server.commands == [
        "EHLO mail.stranger.test",
        "XCLIENT ADDR=192.0.2.10 NAME=mail.stranger.test",
        "EHLO mail.stranger.test",
        "MAIL FROM:<bob@stranger.test> size=21",
        "RCPT TO:<ada@analytical.test>",
        "DATA",
        "QUIT",
    ]
    assert server.data == b"Subject: x\r\n\r\nhello\r\n"
    assert delivery.replies[-1].text == "queued as 4ABC"


def test_a_name_that_does_not_lead_back_is_no_name() -> None:
    assert host_name(ip_address("192.0.2.10"), DNS) == "mail.stranger.test"
    assert host_name(ip_address("192.0.2.11"), DNS) == ""
    assert host_name(ip_address("192.0.2.12"), DNS) == ""
    server = ScriptedServer({})
    send(server, ip="2001:db8::1")
    assert server.commands[:2] == ["EHLO [IPv6:2001:db8::1]", "XCLIENT ADDR=IPV6:2001:db8::1 NAME=[UNAVAILABLE]"]


@pytest.mark.parametrize(
    ("replies", "code"),
    [
        ({"MAIL": "550 5.7.1 not you"}, 550),
        ({"RCPT": "550 5.1.1 no such user"}, 550),
        ({"DATA": "451 4.3.0 not now"}, 451),
        ({"end": "554 5.7.1 spam"}, 554),
        ({"XCLIENT": "554 no"}, 554),
        ({"EHLO": "250 mx"}, 502),
    ],
)
def test_a_refusal_at_any_step_is_reported_with_its_reply(replies: dict[str, str], code: int) -> None:
    delivery = send(ScriptedServer(replies))
    assert not delivery.accepted
    assert delivery.replies[-1].code == code


def test_a_message_with_crlf_is_sent_as_it_is() -> None:
    server = ScriptedServer({})
    send(server, b"Subject: x\r\n\r\nbare\n.feed\r\n.dot")
    assert server.data == b"Subject: x\r\n\r\nbare\n.feed\r\n..dot\r\n"
