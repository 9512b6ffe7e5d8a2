"""How long the server takes for each page, and how often it asks the database, with 1,000 workspaces and 50,000 people.

    python -m bench.web [--rounds N] [--database sqlite|postgresql|both] [--people N] [--workspaces N] [--only WORD]

Every page of the application that can be asked for, found in its own map of routes, goes through the real WSGI
application in this process, as an owner who runs the service too sees it, in one of the largest workspaces. Pages of
an inbox are left out: what they wait for is the mail server; the DNS is one of the program's own. Time is from the
request to the last byte of the answer; beside it stands what of it this process computed, which a busy machine does not
lengthen.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from flask import Flask
from sqlalchemy import Connection, event

from bench.web_data import BIG, BOSS, Crowd, fill
from smailor import clock, config
from smailor.accounts import service as accounts
from smailor.accounts import sessions
from smailor.database import schema
from smailor.database.engine import Database
from smailor.dns.fake import FakeResolver
from tests import postgresql
from webui import create_app

BAR_MILLISECONDS = 30.0
BAR_STATEMENTS = 12
NOWHERE = "127.0.0.1:1"
LEFT_OUT = frozenset({"mail", "assets"})
"""Blueprints that wait for the mail server, or send files."""
FILES = frozenset({"audit.export", "sending.export", "domains.zone"})
"""No pages but files to keep, as long as what is in them: timed, but not held to the bar."""
VALUES = {"slug": BIG, "name": "d0.w0.test", "address": "boss@d0.w0.test", "workspace": BIG, "kind": "csv"}


@dataclass(frozen=True)
class Row:
    """What was measured of a page."""

    page: str
    status: int
    milliseconds: list[float]
    computing: list[float]
    statements: int

    def at(self, share: float) -> float:
        """The time that this share of the requests did not exceed."""
        ordered = sorted(self.milliseconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--people", type=int, default=50_000)
    parser.add_argument("--workspaces", type=int, default=1_000)
    parser.add_argument("--only", default="", help="pages with this word in their name")
    wanted = parser.parse_args()
    over = 0
    for engine in ("sqlite", "postgresql") if wanted.database == "both" else (wanted.database,):
        with _database(engine) as database:
            started = time.perf_counter()
            fill(database, Crowd(people=wanted.people, workspaces=wanted.workspaces), now=clock.now())
            print(f"\n{engine}: filled in {time.perf_counter() - started:.0f} s")
            over += _report(list(_measure(database, wanted.rounds, wanted.only)))
    sys.exit(1 if over else 0)


def _report(rows: list[Row]) -> int:
    print(f"{'page':34} {'status':>6} {'p50 ms':>8} {'p95 ms':>8} {'CPU ms':>7} {'statements':>11}")
    over = 0
    for row in sorted(rows, key=lambda row: -row.at(0.95)):
        bad = row.page not in FILES and (row.at(0.95) > BAR_MILLISECONDS or row.statements > BAR_STATEMENTS)
        over += bad
        print(
            f"{row.page:34} {row.status:>6} {statistics.median(row.milliseconds):>8.1f} {row.at(0.95):>8.1f} "
            f"{statistics.median(row.computing):>7.1f} {row.statements:>11}{'  over' if bad else ''}"
        )
    print(f"{len(rows)} pages, {over} over {BAR_MILLISECONDS:.0f} ms (p95) or {BAR_STATEMENTS} statements")
    return over


def _measure(database: Database, rounds: int, only: str) -> Iterator[Row]:
    settings = config.Settings(
        service=config.Service("mx.smailor.test", "smailor.test", spf_include="_spf.smailor.test"),
        database=config.DatabaseSettings(database.url),
        secrets=config.Secrets("s" * 40, (Fernet.generate_key().decode(),)),
        web=config.Web(bind=NOWHERE, imap=NOWHERE, submission=NOWHERE, secure_cookies=False),
        login=config.Login(signup=True, letters_from="letters@smailor.test"),
    )
    app = create_app(settings, database=database, resolver=FakeResolver({}))
    boss = next(user for user in [accounts.verify_password(database, email=BOSS, password=BOSS)] if user)
    token = sessions.start(database, user_id=boss.id, method="password", now=clock.now())
    for endpoint, path in _pages(app):
        if only in endpoint:
            # A page behind log-in is asked for with the session, log-in and sign-up without.
            client = app.test_client()
            if not endpoint.startswith("auth.") or endpoint == "auth.confirm":
                client.set_cookie("smailor", token)
            with _counted(database) as statements:
                status = client.get(path).status_code  # the first one also compiles templates and statements
            first = len(statements)
            times, computing = [], []
            for _ in range(rounds):
                started, used = time.perf_counter(), time.thread_time()
                client.get(path).get_data()
                times.append(1000 * (time.perf_counter() - started))
                computing.append(1000 * (time.thread_time() - used))
            yield Row(endpoint, status, times, computing, first)


def _pages(app: Flask) -> Iterator[tuple[str, str]]:
    adapter = app.url_map.bind("localhost")
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.endpoint):
        if "GET" in (rule.methods or ()) and rule.endpoint.partition(".")[0] not in LEFT_OUT:
            values = {name: VALUES.get(name) or _any(kind) for name, kind in rule._converters.items()}  # noqa: SLF001
            yield rule.endpoint, adapter.build(rule.endpoint, values, method="GET")


def _any(converter: Any) -> object:
    try:
        converter.to_url("x")
    except ValueError:
        return 1
    return "x"


@contextmanager
def _counted(database: Database) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(connection: Connection, cursor: object, statement: str, *rest: object) -> None:
        del connection, cursor, rest
        if not statement.startswith("BEGIN"):
            seen.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    yield seen
    event.remove(database.engine, "before_cursor_execute", note)


@contextmanager
def _database(engine: str) -> Iterator[Database]:
    directory = Path(tempfile.mkdtemp(prefix="smailor-bench-web-"))
    cluster = None
    if engine == "postgresql":
        cluster = postgresql.Cluster(directory)
        cluster.create()
        cluster.start()
        url = cluster.new_database()
    else:
        url = f"sqlite:///{directory}/smailor.db"
    database = Database(url)
    schema.upgrade(database)
    try:
        yield database
    finally:
        database.dispose()
        if cluster is not None:
            cluster.stop()
        postgresql.remove(directory)


if __name__ == "__main__":
    main()
