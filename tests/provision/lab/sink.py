"""A mail host of the world outside: takes every message for anybody and keeps it, byte for byte."""

from dataclasses import dataclass
from typing import Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message as it came.

    Args:
        content: all of it.
        peer: address of the client.
        sender: of the envelope.
        recipients: of the envelope.
    """

    content: bytes
    peer: str
    sender: str
    recipients: tuple[str, ...]


class Sink:
    """Listens on port 25 while it is open as a context manager.

    Args:
        addresses: to listen on.
    """

    def __init__(self, *addresses: str) -> None:
        self.messages: list[Arrived] = []
        self._controllers = [Controller(self, hostname=address, port=25, ready_timeout=20) for address in addresses]

    def __enter__(self) -> Self:
        for controller in self._controllers:
            controller.start()
        return self

    def __exit__(self, *exc: object) -> None:
        for controller in self._controllers:
            controller.stop()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Keep one message; called by aiosmtpd."""
        recipients = tuple(envelope.rcpt_tos)
        content = envelope.original_content or b""
        self.messages.append(Arrived(content, session.peer[0], envelope.mail_from or "", recipients))
        return "250 kept"

    def find(self, word: str) -> list[Arrived]:
        """The messages that hold this word, in the order of their arrival."""
        return [message for message in self.messages if word.encode() in message.content]
