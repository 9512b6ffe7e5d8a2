"""`smailor auth check`: a message explained in words and as JSON, asked of a DNS server on loopback."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import dns.flags
import dns.message
import dns.rrset
import pytest
from click.testing import CliRunner, Result

from smailor.cli import smailor

ZONE = {
    ("example.org.", "TXT"): '"v=spf1 ip4:192.0.2.0/24 -all exp=why.example.org"',
    ("why.example.org.", "TXT"): '"Ask ada about %{i}"',
    ("_dmarc.example.org.", "TXT"): '"v=DMARC1; p=reject"',
}


@pytest.fixture
def server() -> Iterator[str]:
    """A DNS server with the zone above; its address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))

        def serve() -> None:
            while (received := listening.recvfrom(4096))[0] != b"stop":
                question = dns.message.from_wire(received[0])
                response = dns.message.make_response(question)
                asked = question.question[0]
                text = ZONE.get((asked.name.to_text().lower(), dns.rdatatype.to_text(asked.rdtype)))
                if text is not None:
                    response.answer.append(dns.rrset.from_text(asked.name, 300, "IN", asked.rdtype, text))
                listening.sendto(response.to_wire(), received[1])

        thread = threading.Thread(target=serve)
        thread.start()
        yield "{}:{}".format(*listening.getsockname())
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"stop", listening.getsockname())
        thread.join()


@pytest.fixture
def message(tmp_path: Path) -> Path:
    path = tmp_path / "message.eml"
    path.write_bytes(b"From: Ada <ada@example.org>\nSubject: Hello\n\nHello.\n")
    return path


def run(*arguments: str, given: bytes | None = None) -> Result:
    return CliRunner().invoke(smailor, ["auth", "check", *arguments], input=given)


def common(server: str, ip: str) -> list[str]:
    return ["--ip", ip, "--helo", "mx.example.org", "--mail-from", "ada@example.org", "--resolver", server]


def test_a_message_in_words(server: str, message: Path) -> None:
    done = run(*common(server, "192.0.2.1"), str(message))
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0] == "SPF    pass       example.org allows 192.0.2.1 to send: ip4:192.0.2.0/24"
    assert lines[1] == "DKIM   none       the message has no signature"
    assert lines[3] == "DMARC  pass       SPF vouches for example.org"
    assert "DMARC is no reason to stop it." in lines
    assert "Authentication-Results: localhost;" in lines


def test_a_refusal_says_why(server: str, message: Path) -> None:
    done = run(*common(server, "203.0.113.9"), str(message))
    assert "does not allow 203.0.113.9" in done.stdout
    assert "example.org explains: Ask ada about 203.0.113.9" in done.stdout
    assert "DMARC refuses it." in done.stdout


def test_no_stranger_commands_the_terminal(server: str, message: Path) -> None:
    message.write_bytes(b"From: \x1b[31m <ada@example.org\x1b>\nDKIM-Signature: d=\x1b[2J; s=\x9b\n\n")
    arguments = common(server, "192.0.2.1")
    arguments[arguments.index("ada@example.org")] = "a\x1b[31m@\x1bexample.org"
    done = run(*arguments, str(message))
    assert done.exit_code == 0, done.output
    assert all(character.isprintable() or character in "\n\t" for character in done.stdout)


def test_the_same_as_json(server: str, message: Path) -> None:
    done = run(
        *common(server, "203.0.113.9"), "--json", "--authserv-id", "mx.example.net", "-", given=message.read_bytes()
    )
    found = json.loads(done.stdout)
    assert found["spf"]["status"] == "fail"
    assert found["spf"]["mechanism"] == "-all"
    assert found["dkim"] == []
    assert found["arc"]["status"] == "none"
    assert (found["dmarc"]["status"], found["dmarc"]["disposition"]) == ("fail", "reject")
    assert (found["dmarc"]["policy"], found["dmarc"]["policy_domain"]) == ("reject", "example.org")
    assert found["header"].startswith("Authentication-Results: mx.example.net;")


@pytest.mark.parametrize(("option", "value"), [("--ip", "nowhere"), ("--resolver", "nowhere")])
def test_a_wrong_option_is_told_in_one_line(server: str, message: Path, option: str, value: str) -> None:
    arguments = common(server, "192.0.2.1")
    arguments[arguments.index(option) + 1] = value
    done = run(*arguments, str(message))
    assert done.exit_code == 1
    assert done.stderr.startswith(f"smailor: {option[2:]}: ")
