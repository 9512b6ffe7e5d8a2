"""Many Postfix processes that ask at once: persistent connections, one open question on each."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.daemon.policyd_process import REQUEST

SECONDS = 60
"""For a whole flood."""

_messages = itertools.count(1)


@dataclass
class Outcome:
    """What a flood was told.

    Attributes:
        permitted: messages that may leave, by account.
        refused: messages told that a limit is reached.
        unavailable: messages told that limits cannot be checked.
        lost: questions without an answer: the connection was closed.
    """

    permitted: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    unavailable: int = 0
    lost: int = 0

    @property
    def answers(self) -> int:
        """How many came."""
        return self.permitted.total() + self.refused + self.unavailable


class _Connection(asyncio.Protocol):
    def __init__(self, questions: Iterator[tuple[str, bytes]], outcome: Outcome, watch: Callable[[], None]) -> None:
        self._questions, self._outcome, self._watch = questions, outcome, watch
        self._asked = ""
        self._received = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def ask(self) -> None:
        self._asked, question = next(self._questions, ("", b""))
        if question:
            self._transport.write(question)
        else:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._received.endswith(b"\n\n"):
            return
        answer, self._received = self._received, b""
        if answer == b"action=DUNNO\n\n":
            self._outcome.permitted[self._asked] += 1
        elif answer.startswith(b"action=450 4.7.1 "):
            self._outcome.refused += 1
        else:
            assert answer.startswith(b"action=451 4.3.0 "), answer
            self._outcome.unavailable += 1
        self._watch()
        self.ask()

    def connection_lost(self, error: Exception | None) -> None:
        self._outcome.lost += bool(self._asked)
        self.done.set_result(None)


def flood(
    sockets: list[str],
    accounts: list[str],
    requests: int,
    *,
    connections: int = 50,
    recipients: int = 1,
    watch: Callable[[Outcome], None] = lambda outcome: None,
) -> Outcome:
    """Ask about new messages until all are answered or every connection is closed.

    Args:
        sockets: `unix:/path` of each daemon; connections are dealt out in turn.
        accounts: senders, in turn.
        requests: how many messages.
        connections: how many at once.
        recipients: of each message.
        watch: sees the outcome grow.
    """
    template = REQUEST.replace("recipient_count=1", f"recipient_count={recipients}")

    def questions() -> Iterator[tuple[str, bytes]]:
        for account in itertools.islice(itertools.cycle(accounts), requests):
            instance = f"f100d.{next(_messages):x}"
            yield account, template.format(account=account, state="END-OF-MESSAGE", instance=instance).encode()

    async def run() -> Outcome:
        outcome, source = Outcome(), questions()
        loop = asyncio.get_running_loop()
        made = [
            await loop.create_unix_connection(
                lambda: _Connection(source, outcome, lambda: watch(outcome)), where.removeprefix("unix:")
            )
            for where in itertools.islice(itertools.cycle(sockets), connections)
        ]
        for _, protocol in made:
            protocol.ask()
        async with asyncio.timeout(SECONDS):
            await asyncio.gather(*(protocol.done for _, protocol in made))
        return outcome

    return asyncio.run(run())
