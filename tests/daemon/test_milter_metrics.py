"""Prometheus reads what a milter's processes have counted together, whatever becomes of one of them."""

import os
import re
import shutil
import signal
import socket
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from smailor.database.engine import Database
from tests.daemon.milter_process import MilterProcess as Process
from tests.daemon.milter_process import wait_for
from tests.daemon.policyd_process import free_port
from tests.daemon.signing_process import CONFIG, SEALING_KEY
from tests.daemon.test_dmarc_milter import RECORDS, STRANGER, DmarcProcess, fields, send
from tests.daemon.test_signing_milter import ADA, BODY, HEADERS, fill, url_of
from tests.fakes.name_server import NameServer


def fetch(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
        return response.read().decode()


class Measured:
    """A signing milter with a metrics page."""

    def __init__(self, database: Database) -> None:
        self.port = free_port()
        config = CONFIG.format(
            url=url_of(database), session_key="x" * 40, sealing_key=SEALING_KEY, socket="{socket}", workers=2
        )
        self.process = Process("signing", config + f'signing_metrics = "127.0.0.1:{self.port}"\n').wait_until_ready()

    def page(self) -> str:
        return fetch(self.port)

    def number(self, series: str) -> float:
        found = re.search(rf"^{re.escape(series)} (\S+)$", self.page(), re.MULTILINE)
        assert found, series
        return float(found[1])

    def messages(self, outcome: str) -> float:
        return self.number(f'smailor_milter_messages_total{{outcome="{outcome}"}}')

    def send(self, sender: str = ADA) -> str:
        with self.process.connect() as client:
            headers = [("From", f" <{sender}>".encode()), *HEADERS[1:]]
            return client.send(headers, BODY, login=ADA, sender=ADA).command


@pytest.fixture
def sqlite_database(sqlite_template: Path, tmp_path: Path) -> Iterator[Database]:
    shutil.copy(sqlite_template, tmp_path / "smailor.db")
    database = Database(f"sqlite:///{tmp_path}/smailor.db")
    yield database
    database.dispose()


@pytest.fixture
def measured(sqlite_database: Database, now: datetime) -> Iterator[Measured]:
    fill(sqlite_database, now)
    milter = Measured(sqlite_database)
    yield milter
    milter.process.clean_up()


@pytest.fixture
def dmarc() -> Iterator[tuple[DmarcProcess, int]]:
    port = free_port()
    with NameServer(RECORDS) as names:
        milter = DmarcProcess(names.address, metrics=f"127.0.0.1:{port}")
        yield milter.wait_until_ready(), port
        milter.clean_up()
        shutil.rmtree(milter.directory)


def test_the_page_adds_up_what_all_workers_did_and_names_nobody(measured: Measured) -> None:
    for _ in range(12):
        assert measured.send() in "ac"
    assert measured.send("bob@else.test") == "y"
    with measured.process.connect() as client:
        client.begin(HEADERS, login=ADA, sender=ADA)
        client.abort()
        wait_for(lambda: measured.messages("abandoned") == 1)
    assert measured.messages("accepted") == 12
    assert measured.messages("refused") == 1
    assert measured.number("smailor_milter_answer_seconds_count") == 13
    assert measured.number("smailor_milter_keys") >= 1
    assert "@" not in measured.page()
    assert "acme" not in measured.page()


def test_an_unreadable_key_can_be_alerted_on(measured: Measured, sqlite_database: Database) -> None:
    with sqlite_database.transaction() as session:
        session.execute(text("UPDATE dkim_keys SET private_key_sealed = 'broken'"))
    assert measured.send() == "y"
    assert measured.messages("deferred") == 1
    assert measured.number("smailor_milter_key_failures_total") == 1


def test_dns_questions_and_what_became_of_mail_from_outside(dmarc: tuple[DmarcProcess, int]) -> None:
    milter, port = dmarc
    assert send(milter).accepted
    assert send(milter).accepted
    assert send(milter, fields("a@junk.example"), sender="a@junk.example").accepted
    assert send(milter, ip=STRANGER).command == "y"
    page = fetch(port)
    for outcome, count in (("accepted", 2), ("junk", 1), ("refused", 1), ("deferred", 0)):
        assert f'smailor_milter_messages_total{{outcome="{outcome}"}} {count}\n' in page
    for outcome in ("cached", "answered"):
        assert f'smailor_milter_dns_questions_total{{outcome="{outcome}"}} 0\n' not in page
    assert 'smailor_milter_dns_questions_total{outcome="failed"} 0\n' in page
    assert "example" not in page


def test_counts_survive_a_worker_and_a_reload(measured: Measured) -> None:
    for _ in range(4):
        measured.send()
    known = measured.process.workers()
    serving = [worker for worker in known if worker.num_threads() > 1]
    os.kill(serving[0].pid, signal.SIGKILL)
    wait_for(lambda: measured.number("smailor_milter_worker_deaths_total") == 1)
    measured.process.tell(signal.SIGHUP)
    wait_for(lambda: not any(worker.is_running() for worker in known))
    wait_for(lambda: measured.send() in "ac")
    assert measured.messages("accepted") == 5
    assert measured.process.stop() < 5


def test_a_monitor_that_says_nothing_holds_up_no_mail(measured: Measured) -> None:
    with socket.create_connection(("127.0.0.1", measured.port)), socket.create_connection(("127.0.0.1", measured.port)):
        assert measured.send() in "ac"
        assert measured.messages("accepted") == 1


def test_an_address_that_is_taken_is_told_at_once(sqlite_database: Database) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        config = CONFIG.format(
            url=url_of(sqlite_database), session_key="x" * 40, sealing_key=SEALING_KEY, socket="{socket}", workers=1
        )
        port = taken.getsockname()[1]
        process = Process("signing", config + f'signing_metrics = "127.0.0.1:{port}"\n').process
        assert process.wait(20) == 1
