"""Sends a message to our mail host as a stranger would, from an address of one's choice.

The address is claimed by XCLIENT (https://www.postfix.org/XCLIENT_README.html), which the local service's Postfix
takes from loopback only. This is a tool for people and tests; the service itself never uses it.
"""

from __future__ import annotations

import ipaddress
import smtplib
from dataclasses import dataclass

from smailor.dns.answer import DnsClient, Outcome
from smailor.errors import TemporaryFailure

TIMEOUT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server said to one command."""

    command: str
    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt: whether every recipient and the message were taken, and the whole dialogue."""

    accepted: bool
    replies: tuple[Reply, ...]


def internet_send(
    message: bytes,
    *,
    server: str,
    mail_from: str,
    rcpt_to: tuple[str, ...],
    ip: str,
    dns: DnsClient,
    helo: str = "",
) -> Delivery:
    """Deliver one message to a mail host, as if from `ip`.

    Args:
        message: the message; bare line feeds become CRLF when it holds no CRLF at all (a file as an editor saves it).
        server: `host:port` that speaks XCLIENT to us.
        mail_from: envelope sender; empty for the null sender.
        rcpt_to: envelope recipients.
        ip: the address to come from.
        dns: gives the host name of that address: its PTR record, if that name leads back to it (RFC 1912 §2.1).
        helo: the name to greet with; empty: the host name, else the address literal.

    Returns:
        The dialogue. A refusal is an answer, not an error.

    Raises:
        OSError: the server cannot be reached, or hung up (smtplib's errors are OSErrors).
    """
    address = ipaddress.ip_address(ip)
    name = host_name(address, dns)
    greeting = helo or name or (f"[IPv6:{address}]" if address.version == 6 else f"[{address}]")
    claim = f"ADDR={'IPV6:' if address.version == 6 else ''}{address} NAME={name or '[UNAVAILABLE]'}"
    replies: list[Reply] = []

    def note(command: str, answer: tuple[int, bytes]) -> bool:
        replies.append(Reply(command, answer[0], answer[1].decode("utf-8", "replace")))
        return answer[0] < 400

    if b"\r\n" not in message:
        message = message.replace(b"\n", b"\r\n")
    host, _, port = server.rpartition(":")
    with smtplib.SMTP(local_hostname=greeting, timeout=TIMEOUT_SECONDS) as smtp:
        accepted = note("connect", smtp.connect(host, int(port)))
        accepted = accepted and note(f"EHLO {greeting}", smtp.ehlo(greeting))
        if accepted and not smtp.has_extn("xclient"):
            replies.append(Reply("XCLIENT", 502, "this server does not let us choose an address (no XCLIENT)"))
            accepted = False
        accepted = accepted and note(f"XCLIENT {claim}", smtp.docmd("XCLIENT", claim))
        accepted = accepted and note(f"EHLO {greeting}", smtp.ehlo(greeting))
        options = [f"size={len(message)}"]
        if any(not text.isascii() for text in (mail_from, *rcpt_to)):
            options.append("smtputf8")
        accepted = accepted and note(f"MAIL FROM:<{mail_from}>", smtp.mail(mail_from, options))
        if accepted:
            taken = [note(f"RCPT TO:<{recipient}>", smtp.rcpt(recipient)) for recipient in rcpt_to]
            # As a mail server does: those who are taken get the message, whatever becomes of the others.
            accepted = any(taken) and note("DATA", _data(smtp, message)) and all(taken)
    return Delivery(accepted, tuple(replies))


def _data(smtp: smtplib.SMTP, message: bytes) -> tuple[int, bytes]:
    """The message as it is. smtplib's own data() doubles dots after bare line feeds as well, which changes it."""
    code, text = smtp.docmd("DATA")
    if code != 354:
        return code, text
    stuffed = (b"\r\n" + message).replace(b"\r\n.", b"\r\n..")[2:]
    smtp.send(stuffed + (b".\r\n" if stuffed.endswith(b"\r\n") else b"\r\n.\r\n"))
    return smtp.getreply()


def host_name(address: ipaddress.IPv4Address | ipaddress.IPv6Address, dns: DnsClient) -> str:
    """The name that an address is known by: its PTR, if that name has the address; else empty."""
    kind = "AAAA" if address.version == 6 else "A"
    try:
        for name in dns.query(address.reverse_pointer, "PTR").records:
            forward = dns.query(name, kind)
            if forward.outcome is Outcome.OK and address in map(ipaddress.ip_address, forward.records):
                return name
    except TemporaryFailure:
        pass
    return ""
