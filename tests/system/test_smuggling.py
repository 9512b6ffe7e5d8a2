"""SMTP smuggling (CVE-2023-51764): what is one message to a sender is never two to us, from loopback neither."""

import base64
import socket

import pytest

from tests.system.running import MAIL_NAME, Inbox, Service, token

ENDINGS = {
    "LF dot LF": b"\n.\n",
    "LF dot CRLF": b"\n.\r\n",
    "CRLF dot LF": b"\r\n.\n",
    "CR dot CR": b"\r.\r",
    "CRLF dot CR": b"\r\n.\r",
    "CR dot CRLF": b"\r.\r\n",
    "NUL": b"\r\n\x00.\r\n",
}


class Dialogue:
    """SMTP byte by byte, because libraries mend what is to be tested."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.stream = connection.makefile("rb")

    def reply(self) -> str:
        lines = []
        while True:
            line = self.stream.readline().decode()
            if not line:
                return "closed"
            lines.append(line)
            if line[3:4] != "-":
                return "".join(lines)

    def say(self, data: bytes) -> str:
        self.connection.sendall(data)
        return self.reply()


def connect(service: Service, port: str) -> Dialogue:
    connection = socket.create_connection(("127.0.0.1", service.port(port)), timeout=30)
    if port == "submissions":
        connection = service.tls.wrap_socket(connection, server_hostname=MAIL_NAME)
    dialogue = Dialogue(connection)
    assert dialogue.reply().startswith("220")
    return dialogue


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS.keys())
def test_only_crlf_dot_crlf_ends_a_message_on_port_25(service: Service, ada: Inbox, ending: bytes) -> None:
    """What follows another ending is part of the message, not the next command."""
    first, second = token(), token()
    dialogue = connect(service, "smtp")
    assert dialogue.say(b"EHLO mx.internet.test\r\n").startswith("250")
    assert dialogue.say(b"MAIL FROM:<bob@internet.test>\r\n").startswith("250")
    assert dialogue.say(f"RCPT TO:<{ada.address}>\r\n".encode()).startswith("250")
    assert dialogue.say(b"DATA\r\n").startswith("354")
    smuggled = (
        b"MAIL FROM:<admin@stranger.test>\r\nRCPT TO:<" + ada.address.encode() + b">\r\nDATA\r\n"
        b"From: admin@stranger.test\r\nSubject: " + second.encode() + b"\r\n\r\nsmuggled"
    )
    message = (
        b"From: bob@internet.test\r\nTo: ada@analytical.test\r\nSubject: "
        + first.encode()
        + b"\r\n\r\nhello"
        + ending
        + smuggled
    )
    answer = dialogue.say(message + b"\r\n.\r\n")
    dialogue.connection.close()
    if answer.startswith("250"):
        content = service.arrived(ada, first)
        assert b"smuggled" in content, "the whole is one message"
    else:
        assert answer[0] == "5", answer
    with service.imap(ada) as client:
        client.select_folder("INBOX")
        assert not client.search(["SUBJECT", second])


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS.keys())
def test_nothing_smuggled_leaves_by_submission(service: Service, ada: Inbox, ending: bytes) -> None:
    """A tenant cannot smuggle through us either: outside arrives one message, without bare line ends."""
    first, second = token(), token()
    dialogue = connect(service, "submissions")
    dialogue.say(b"EHLO client.test\r\n")
    secret = base64.b64encode(f"\0{ada.address}\0{ada.app_password}".encode())
    assert dialogue.say(b"AUTH PLAIN " + secret + b"\r\n").startswith("235")
    assert dialogue.say(f"MAIL FROM:<{ada.address}>\r\n".encode()).startswith("250")
    assert dialogue.say(b"RCPT TO:<bob@stranger.test>\r\n").startswith("250")
    assert dialogue.say(b"DATA\r\n").startswith("354")
    message = f"From: {ada.address}\r\nSubject: {first}\r\n\r\nhello".encode() + ending
    message += b"MAIL FROM:<ceo@lovelace.test>\r\nRCPT TO:<victim@stranger.test>\r\nDATA\r\n"
    message += f"From: ceo@lovelace.test\r\nSubject: {second}\r\n\r\nsmuggled".encode()
    answer = dialogue.say(message + b"\r\n.\r\n")
    dialogue.connection.close()
    if not answer.startswith("250"):
        assert answer[0] == "5", answer
        return
    kept = service.outside(first)
    assert kept.envelope["rcpt_to"] == ["bob@stranger.test"]
    assert b"\n" not in kept.content.replace(b"\r\n", b"")
    assert b"\r" not in kept.content.replace(b"\r\n", b"")
    assert second.encode() in kept.content


def test_a_client_that_talks_before_it_is_asked_is_turned_away(service: Service, ada: Inbox) -> None:
    """Pipelining without having been offered it (before EHLO), from loopback too."""
    dialogue = connect(service, "smtp")
    commands = [b"HELO client.test", b"MAIL FROM:<bob@stranger.test>", f"RCPT TO:<{ada.address}>".encode(), b"DATA"]
    dialogue.connection.sendall(b"".join(command + b"\r\n" for command in commands))
    replies = []
    while (reply := dialogue.reply()) != "closed":
        replies.append(reply)
        if reply.startswith(("5", "354")):
            break
    dialogue.connection.close()
    assert replies[-1].startswith("5"), replies
    assert "pipelining" in replies[-1].lower() or "synchronization" in replies[-1].lower(), replies
