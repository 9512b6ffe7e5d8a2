"""The policy server's handling of connections, in this process: order, slowness, crowds and failures."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from policyd.metrics import Metrics
from policyd.protocol import DUNNO, PolicyRequest
from policyd.server import PolicyServer
from smailor.errors import TemporaryFailure

SECONDS = 10

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def request(number: int) -> bytes:
    """Return a request about one message."""
    return f"request=smtpd_access_policy\nprotocol_state=RCPT\ninstance={number}\n\n".encode()


def echo(asked: PolicyRequest) -> bytes:
    """Answer with the message's instance."""
    return f"action={asked.instance}\n\n".encode()


class Later:
    """Answers when the test says so."""

    def __init__(self) -> None:
        self.asked: list[PolicyRequest] = []
        self.open: list[asyncio.Future[bytes]] = []
        self.more = asyncio.Event()

    def __call__(self, asked: PolicyRequest) -> "asyncio.Future[bytes]":
        self.asked.append(asked)
        self.open.append(asyncio.get_running_loop().create_future())
        self.more.set()
        return self.open[-1]

    async def wait(self, times: int) -> None:
        """Return as soon as it was asked so many times."""
        while len(self.asked) < times:
            self.more.clear()
            await self.more.wait()


def run(test: Callable[[], Awaitable[None]]) -> None:
    """Run a test in an event loop, with a deadline."""

    async def within_time() -> None:
        async with asyncio.timeout(SECONDS):
            await test()

    asyncio.run(within_time())


async def connect(path: Path) -> Streams:
    """Connect as Postfix does."""
    return await asyncio.open_unix_connection(str(path / "s"))


async def started(path: Path, answer: Callable[[PolicyRequest], object], **options: float) -> PolicyServer:
    """Start a server."""
    server = PolicyServer(answer, Metrics(), **options)  # type: ignore[arg-type]
    await server.start(f"unix:{path}/s")
    return server


def test_requests_sent_together_are_asked_one_at_a_time_and_answered_in_order(tmp_path: Path) -> None:
    """The second only when the first is answered, so that no connection can pile up questions."""

    async def test() -> None:
        answer = Later()
        server = await started(tmp_path, answer)
        reader, writer = await connect(tmp_path)
        writer.write(b"".join(request(number) for number in range(3)))
        for number in range(3):
            await answer.wait(number + 1)
            assert len(answer.asked) == number + 1
            answer.open[number].set_result(echo(answer.asked[number]))
            assert await reader.readuntil(b"\n\n") == f"action={number}\n\n".encode()
        writer.close()
        await server.stop(1)

    run(test)


def test_a_peer_that_ends_its_half_is_still_answered(tmp_path: Path) -> None:
    """As `socat` does, by which an operator may ask by hand."""

    async def test() -> None:
        server = await started(tmp_path, echo)
        reader, writer = await connect(tmp_path)
        writer.write(request(1) + request(2))
        writer.write_eof()
        assert await reader.read() == b"action=1\n\naction=2\n\n"
        writer.close()
        await server.stop(1)

    run(test)


@pytest.mark.parametrize("outcome", ["failed", "cancelled"])
def test_trouble_closes_without_an_answer(tmp_path: Path, caplog: pytest.LogCaptureFixture, outcome: str) -> None:
    """And is logged; the connection beside it goes on."""

    async def test() -> None:
        answer = Later()
        server = await started(tmp_path, answer)
        reader, writer = await connect(tmp_path)
        other_reader, other_writer = await connect(tmp_path)
        writer.write(request(1))
        await answer.wait(1)
        if outcome == "failed":
            answer.open[0].set_exception(TemporaryFailure("the database does not answer"))
        else:
            answer.open[0].cancel()
        assert await reader.read() == b""
        other_writer.write(request(2))
        await answer.wait(2)
        answer.open[1].set_result(DUNNO)
        assert await other_reader.readuntil(b"\n\n") == DUNNO
        assert server.metrics.closed["no_answer"] == 1
        writer.close()
        other_writer.close()
        await server.stop(1)

    run(test)
    assert "connection closed kind=no_answer" in caplog.text


def test_half_a_request_is_not_waited_for_forever(tmp_path: Path) -> None:
    """An idle connection is: Postfix keeps it for its next message."""

    async def test() -> None:
        server = await started(tmp_path, echo, max_request_seconds=0.1)
        idle_reader, idle_writer = await connect(tmp_path)
        idle_writer.write(request(1))
        assert await idle_reader.readuntil(b"\n\n") == b"action=1\n\n"
        reader, writer = await connect(tmp_path)
        writer.write(request(1)[:20])
        assert await reader.read() == b""
        assert server.metrics.closed["too_slow"] == 1
        idle_writer.write(request(2))
        assert await idle_reader.readuntil(b"\n\n") == b"action=2\n\n"
        writer.close()
        idle_writer.close()
        await server.stop(1)

    run(test)


def test_too_many_connections_are_turned_away_and_a_free_place_is_given_again(tmp_path: Path) -> None:
    """Those who are in notice nothing."""

    async def test() -> None:
        server = await started(tmp_path, echo, max_connections=1)
        reader, writer = await connect(tmp_path)
        writer.write(request(1))
        assert await reader.readuntil(b"\n\n") == b"action=1\n\n"
        late_reader, late_writer = await connect(tmp_path)
        assert await late_reader.read() == b""
        late_writer.close()
        writer.write(request(2))
        assert await reader.readuntil(b"\n\n") == b"action=2\n\n"
        writer.close()
        while server.connections:  # noqa: ASYNC110 - it tells nobody when one has gone
            await asyncio.sleep(0)
        reader, writer = await connect(tmp_path)
        writer.write(request(3))
        assert await reader.readuntil(b"\n\n") == b"action=3\n\n"
        writer.close()
        await server.stop(1)

    run(test)


def test_a_peer_that_does_not_read_is_not_asked_for(tmp_path: Path) -> None:
    """Its answers would pile up in memory: nothing more is taken from it until it reads."""

    async def test() -> None:
        asked = 0

        def long_answer(question: PolicyRequest) -> bytes:
            nonlocal asked
            del question
            asked += 1
            return b"action=" + b"x" * 1000 + b"\n\n"

        server = await started(tmp_path, long_answer)
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_UNIX) as deaf, socket.socket(socket.AF_UNIX) as other:
            for peer in (deaf, other):
                peer.setblocking(False)
                await loop.sock_connect(peer, f"{tmp_path}/s")
            sending = asyncio.ensure_future(loop.sock_sendall(deaf, request(1) * 50_000))
            quiet = 0
            while quiet < 50:
                before = asked
                await loop.sock_sendall(other, request(1))
                assert await loop.sock_recv(other, 4096)
                quiet = quiet + 1 if asked - before == 1 else 0
            assert asked < 10_000
            sending.cancel()
        await server.stop(1)

    run(test)


def test_an_unexpected_log_line_is_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Postfix coming, asking and going is nothing to warn of."""

    async def test() -> None:
        server = await started(tmp_path, echo)
        for number in range(3):
            reader, writer = await connect(tmp_path)
            writer.write(request(number))
            await reader.readuntil(b"\n\n")
            writer.close()
        await server.stop(1)

    with caplog.at_level(logging.INFO):
        run(test)
    assert caplog.text == ""
