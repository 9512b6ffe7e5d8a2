"""The process that serves a milter's metrics page: no mail passes here, and what goes wrong here holds up none."""

import asyncio
from collections.abc import Callable

from milters.workers import Lifeline, Work
from smailor.listening import bind
from smailor.scrape import serve_metrics


def page_server(listen_on: str, page: Callable[[], str]) -> Work:
    """Take the address and return the work of the process that serves the page there.

    Args:
        listen_on: `host:port`.
        page: makes the page anew for each request.

    Raises:
        ConfigError: the address cannot be used; the text names it.
    """
    sock = bind(listen_on)

    async def serve(lifeline: Lifeline) -> None:
        server = await serve_metrics(sock.dup(), page)
        async with server:
            # The pipe becomes readable when the parent lets go.
            ended = asyncio.Event()
            asyncio.get_running_loop().add_reader(lifeline.descriptor, ended.set)
            await ended.wait()

    return lambda lifeline: asyncio.run(serve(lifeline))
