"""The small internet beside a local service: a mail host that keeps what it is sent, and zone files put to use.

Run by the stack as `python -m smailor.stack.internet`. It watches the zones directory and tells unbound of changes;
checking and writing zones is internet_zones.py, keeping mail internet_mail.py, sending as a stranger internet_send.py.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import subprocess
import sys
from pathlib import Path

from smailor import clock, log
from smailor.errors import TemporaryFailure
from smailor.stack.internet_mail import server_factory
from smailor.stack.internet_zones import GOOD_COPIES, Problem, write_zones_conf, zone_files

POLL_SECONDS = 0.5
CONTROL_TIMEOUT_SECONDS = 10

_logger = logging.getLogger("internet")

Facts = tuple[tuple[str, int, int, int], ...]


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m smailor.stack.internet", description=__doc__)
    parser.add_argument("--listen", required=True, help="host:port of the mail host")
    parser.add_argument("--hostname", default="mx.internet.test", help="its name")
    parser.add_argument("--maildir", required=True, type=Path, help="where received messages are kept")
    parser.add_argument("--zones", required=True, type=Path, help="directory of zone files")
    parser.add_argument("--unbound-control", required=True, type=Path, help="unbound.conf of the resolver")
    parser.add_argument("--certificate", required=True, type=Path, help="PEM certificate for STARTTLS")
    parser.add_argument("--key", required=True, type=Path, help="its key")
    options = parser.parse_args(arguments)
    log.set_up("info", "internet")
    # aiosmtpd tells of every command; its warnings are enough.
    logging.getLogger("mail.log").setLevel(logging.WARNING)
    try:
        asyncio.run(_serve(options))
    except OSError as error:
        _logger.error("%s: %s", options.listen, error)  # noqa: TRY400 - the reader wants the port, not the trace
        return 1
    return 0


def internet_reload(zones: Path, unbound_conf: Path) -> list[Problem]:
    """Put the zone files to use now; what `smailor internet reload` does.

    Args:
        zones: directory of zone files.
        unbound_conf: the resolver's configuration; `zones.conf` lies beside it.

    Returns:
        What is wrong with the files that were not taken.

    Raises:
        TemporaryFailure: unbound did not reload; the text says why.
    """
    problems = write_zones_conf(zones, zones_conf(unbound_conf))
    _reload_unbound(unbound_conf)
    return problems


def zones_conf(unbound_conf: Path) -> Path:
    """Where the clauses for an unbound.conf are written: the file beside it that it includes."""
    return unbound_conf.parent / "zones.conf"


async def _serve(options: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    host, _, port = options.listen.rpartition(":")
    factory = server_factory(options.maildir, options.hostname, options.certificate, options.key, clock.now)
    server = await loop.create_server(factory, host, int(port))
    watcher = asyncio.create_task(_watch(options.zones, options.unbound_control))
    log.event(_logger, logging.INFO, None, "ready", listen=options.listen, zones=options.zones)
    await stopped.wait()
    watcher.cancel()
    server.close()


async def _watch(zones: Path, unbound_conf: Path) -> None:
    """Follow the directory by polling: a rename, an editor's save and a copy over it all look alike this way."""
    served = _facts(unbound_conf)
    seen: Facts | None = None
    told: list[Problem] = []
    while True:
        try:
            current = _facts_of(zone_files(zones))
            if current != seen:
                problems = await asyncio.to_thread(write_zones_conf, zones, zones_conf(unbound_conf))
                for problem in problems:
                    if problem not in told:
                        _logger.error("zone not taken: %s", problem)
                told, seen = problems, current
            if served != (written := _facts(unbound_conf)):
                await asyncio.to_thread(_reload_unbound, unbound_conf)
                served = written
                log.event(_logger, logging.INFO, None, "zones loaded", files=len(current))
        except (TemporaryFailure, OSError) as error:
            # Tried again at the next look: unbound may not be up yet, a file may have gone while it was read.
            log.event(_logger, logging.WARNING, None, "zones not loaded", error=error)
        await asyncio.sleep(POLL_SECONDS)


def _facts(unbound_conf: Path) -> Facts:
    """What unbound reads of ours: when any of it changes, unbound must be told."""
    target = zones_conf(unbound_conf)
    return _facts_of([target, *(target.parent / GOOD_COPIES).glob("*.zone")])


def _facts_of(paths: list[Path]) -> Facts:
    found = []
    for path in sorted(paths):
        try:
            facts = path.stat()
        except FileNotFoundError:
            continue
        found.append((path.name, facts.st_ino, facts.st_mtime_ns, facts.st_size))
    return tuple(found)


def _reload_unbound(unbound_conf: Path) -> None:
    command = ["unbound-control", "-c", str(unbound_conf), "reload"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=CONTROL_TIMEOUT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TemporaryFailure(f"unbound-control did not run: {error}") from error
    if done.returncode != 0:
        raise TemporaryFailure(f"unbound did not reload: {' '.join((done.stderr + done.stdout).split())}")


if __name__ == "__main__":
    sys.exit(main())
