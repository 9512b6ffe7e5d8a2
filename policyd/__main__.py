"""The policy daemon's process: reads the configuration, connects the parts, runs until SIGTERM."""

import argparse
import asyncio
import gc
import logging
import resource
import signal
import sys
from pathlib import Path

import uvloop

from policyd.answers import Answers
from policyd.maps import LookupServer, SrsTable
from policyd.metrics import Metrics
from policyd.server import PolicyServer
from smailor import clock, log, scrape
from smailor.authentication.srs_secrets import srs_secrets
from smailor.config import Settings, load_settings
from smailor.errors import SmailorError
from smailor.metrics import Reading
from smailor.sending.plans import plans_of, schedule_of
from smailor.sending.service import SendingService
from smailor.sending.sightings import Sightings
from smailor.sending.terms_service import DatabaseTerms

STOP_SECONDS = 2.5
"""For the answers that are open when the daemon is told to stop."""
CLOSE_SECONDS = 0.5
"""For a batch that hangs in the database after that; the daemon is gone within five seconds."""

logger = logging.getLogger("policyd")


def main(arguments: list[str] | None = None) -> int:
    """Run the daemon; returns the exit status (2: the configuration cannot be used)."""
    parser = argparse.ArgumentParser(prog="smailor-policyd", description="Smailor's policy daemon for Postfix")
    parser.add_argument("--config", type=Path, metavar="FILE", help="default: $SMAILOR_CONFIG, else /etc/smailor")
    options = parser.parse_args(arguments)
    try:
        settings = load_settings(options.config)
        log.set_up(settings.log.level, "policyd")
        allow_open_files()
        go_easy_on_threads_and_garbage()
        uvloop.run(run(settings))
    except SmailorError as error:
        sys.stderr.write(f"smailor-policyd: {error}\n")
        return 2
    return 0


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        ConfigError: an address to listen on cannot be used.
    """
    service = SendingService(settings.database.url, terms_reader(settings), leasing=True)
    metrics = Metrics()
    sightings = Sightings(settings.database.url)
    answers = Answers(service, metrics, sightings.note)
    server = PolicyServer(answers, metrics)
    metrics.readings = [
        Reading("smailor_policyd_connections", "Connections open.", "gauge", lambda: server.connections),
        Reading("smailor_policyd_waiting", "Requests that wait for the store.", "gauge", lambda: answers.waiting),
        Reading("smailor_policyd_transactions_total", "Transactions begun.", "counter", lambda: service.transactions),
        Reading("smailor_policyd_leases", "Leases that hold something.", "gauge", lambda: service.leases),
    ]
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await server.start(settings.policyd.socket)
    lookups = LookupServer(_srs_table(settings, metrics), metrics)
    try:
        if settings.policyd.srs_socket:
            await lookups.start(settings.policyd.srs_socket)
        if settings.policyd.metrics:
            scrape.serve(scrape.listen(settings.policyd.metrics), metrics.page)
        log.event(
            logger,
            logging.INFO,
            None,
            "listening",
            on=settings.policyd.socket,
            database=settings.database.url.partition(":")[0],
        )
        await stop.wait()
    finally:
        await server.stop(STOP_SECONDS)
        await lookups.stop()
        await asyncio.to_thread(service.close, CLOSE_SECONDS)
        await asyncio.to_thread(sightings.close, CLOSE_SECONDS)
    log.event(logger, logging.INFO, None, "stopped")


def terms_reader(settings: Settings) -> DatabaseTerms:
    """Return the reader of the terms, with what the configuration says."""
    return DatabaseTerms(
        plans=plans_of(settings),
        schedule=schedule_of(settings),
        contact=settings.service.contact,
        public_url=settings.web.public_url,
    )


def _srs_table(settings: Settings, metrics: Metrics) -> SrsTable:
    return SrsTable(
        domain=settings.service.forwarding_domain,
        secrets=srs_secrets(settings.secrets.sealing_keys),
        now=clock.now,
        metrics=metrics,
    )


def allow_open_files() -> None:
    """Let the process have as many connections as the system allows it; the usual soft limit is 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def go_easy_on_threads_and_garbage() -> None:
    """Let the thread that is in the database give way to the event loop soon, and look for cyclic garbage rarely.

    What lives long here has no cycles; looking through 100,000 leases again and again is what takes time.
    """
    sys.setswitchinterval(0.00005)
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


if __name__ == "__main__":
    sys.exit(main())
